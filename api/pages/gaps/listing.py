"""Which gaps are listed, in which order, and where the few that save most end; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any
from urllib.parse import urlencode

from gaps.ranking.impact import PARETO_SHARE
from gaps.types import Gap, GapKind, GapStatus
from kb.types import Audience

ROWS = 25
LONGEST_TEXT = 200
RECENT_WEEKS = 2
EARLIER_WEEKS = 4
ANY = "any"


class Sort(StrEnum):
    PRIORITY = "priority"
    IMPACT = "impact"
    GROWTH = "growth"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class GapQuery:
    """What of the list is asked for; an empty string means all."""

    status: str = GapStatus.OPEN.value
    """A status, or "any"."""
    kind: str = ""
    owner: str = ""
    audience: str = ""
    text: str = ""
    """Words that all must occur in the title, the terms or the id."""
    sort: Sort = Sort.PRIORITY
    offset: int = 0

    @classmethod
    def parse(cls, said: Mapping[str, str]) -> GapQuery:
        """From an address; what is not known counts as not said."""
        offset = said.get("offset", "")
        return cls(
            status=_one_of([ANY, *GapStatus], said.get("status", ""), GapStatus.OPEN.value),
            kind=_one_of(list(GapKind), said.get("kind", "")),
            owner=said.get("owner", "")[:80],
            audience=_one_of(list(Audience), said.get("audience", "")),
            text=" ".join(said.get("text", "")[:LONGEST_TEXT].split()),
            sort=Sort(_one_of(list(Sort), said.get("sort", ""), Sort.PRIORITY.value)),
            offset=int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 8 else 0,
        )

    def link(self, **changed: Any) -> str:
        """The address of this list with something changed; back to its start unless said."""
        asked = replace(self, **({"offset": 0} | changed))
        plain = GapQuery()
        said = {
            name: str(getattr(asked, name))
            for name in ("status", "kind", "owner", "audience", "text", "sort", "offset")
            if getattr(asked, name) != getattr(plain, name)
        }
        return f"/gaps?{urlencode(said)}" if said else "/gaps"

    @property
    def is_narrowed(self) -> bool:
        """Whether anything beside the order and the page is asked for."""
        return replace(self, sort=Sort.PRIORITY, offset=0) != GapQuery()


def choose_gaps(gaps: Sequence[Gap], query: GapQuery) -> list[Gap]:
    """The gaps that are asked for, in the order that is asked for; ties by id.

    Priority, impact and rise come highest first, the newest by when they were first seen.
    """
    found = [gap for gap in gaps if all(test(gap) for test in _tests(query).values())]
    return sorted(found, key=lambda gap: (*_ORDERS[query.sort](gap), gap.gap_id))


def count_values(gaps: Sequence[Gap], query: GapQuery) -> dict[str, dict[str, int]]:
    """How many gaps each choice of a filter would show, the other filters as they are.

    Returns:
        By filter (status, kind, owner, audience), counts by value.
    """
    tests = _tests(query)
    counts = {}
    for name in ("status", "kind", "owner", "audience"):
        others = [test for other, test in tests.items() if other != name]
        held = [gap for gap in gaps if all(test(gap) for test in others)]
        counts[name] = dict(Counter(str(getattr(gap, name)) for gap in held))
    return counts


def rule_place(impacts: Sequence[float], share: float = PARETO_SHARE) -> int:
    """After how many, in this order, a share of the whole is reached; 0 where nothing is saved.

    For impacts in falling order it is `gaps.ranking.impact.pareto_count`.
    """
    wanted = share * sum(impacts)
    if wanted <= 0:
        return 0
    reached = accumulate(impacts)
    return next(n for n, total in enumerate(reached, start=1) if total >= wanted - 1e-9)


def weekly_rise(counts: Sequence[int]) -> float:
    """Tickets a week more than before: the last two weeks' mean less that of the four before."""
    recent, before = counts[-RECENT_WEEKS:], counts[:-RECENT_WEEKS][-EARLIER_WEEKS:]
    if not recent:
        return 0.0
    return sum(recent) / len(recent) - (sum(before) / len(before) if before else 0.0)


def _tests(query: GapQuery) -> dict[str, Callable[[Gap], bool]]:
    words = query.text.casefold().split()
    return {
        "status": lambda gap: query.status in (ANY, gap.status.value),
        "kind": lambda gap: query.kind in ("", gap.kind.value),
        "owner": lambda gap: query.owner in ("", gap.owner),
        "audience": lambda gap: query.audience in ("", gap.audience.value),
        "text": lambda gap: _holds(gap, words),
    }


def _holds(gap: Gap, words: Sequence[str]) -> bool:
    text = " ".join((gap.title, *gap.terms, gap.gap_id)).casefold()
    return all(word in text for word in words)


def _one_of(known: Sequence[str], value: str, default: str = "") -> str:
    return value if value in [str(one) for one in known] else default


_ORDERS: dict[Sort, Callable[[Gap], tuple[float, ...]]] = {
    Sort.PRIORITY: lambda gap: (-gap.priority, -gap.impact_per_week),
    Sort.IMPACT: lambda gap: (-gap.impact_per_week, -gap.priority),
    Sort.GROWTH: lambda gap: (-weekly_rise(gap.weekly_counts), -gap.priority),
    Sort.NEWEST: lambda gap: (-gap.first_seen_at.timestamp(), -gap.priority),
}
