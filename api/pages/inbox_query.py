"""Which drafts the inbox lists, in which order, and what each filter would show; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from gaps.types import DraftState, GapKind

ROWS = 25
LONGEST_TEXT = 200
VERDICTS = ("green", "look", "red")
WAITING = (
    DraftState.IN_REVIEW,
    DraftState.CHANGES_ASKED,
    DraftState.APPROVED,
    DraftState.REFUSED,
)
DECIDED = (DraftState.PUBLISHED, DraftState.REJECTED, DraftState.ROLLED_BACK)
FILTERS = ("owner", "state", "kind", "checks")


class Tab(StrEnum):
    WAITING = "waiting"
    SNOOZED = "snoozed"
    DECIDED = "decided"


class Sort(StrEnum):
    IMPACT = "impact"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """What of the inbox is asked for; an empty string means all."""

    tab: Tab = Tab.WAITING
    owner: str = ""
    state: str = ""
    kind: str = ""
    checks: str = ""
    """The worst of a draft's checks: green, look or red."""
    text: str = ""
    """Words that all must occur in the title, the terms or an id."""
    sort: Sort = Sort.IMPACT
    offset: int = 0

    @classmethod
    def parse(cls, said: Mapping[str, str]) -> InboxQuery:
        """From an address; what is not known counts as not said."""
        offset = said.get("offset", "")
        return cls(
            tab=Tab(_one_of(list(Tab), said.get("tab", ""), Tab.WAITING.value)),
            owner=said.get("owner", "")[:80],
            state=_one_of(list(DraftState), said.get("state", "")),
            kind=_one_of(list(GapKind), said.get("kind", "")),
            checks=_one_of(VERDICTS, said.get("checks", "")),
            text=" ".join(said.get("text", "")[:LONGEST_TEXT].split()),
            sort=Sort(_one_of(list(Sort), said.get("sort", ""), Sort.IMPACT.value)),
            offset=int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 8 else 0,
        )

    def link(self, **changed: Any) -> str:
        """The address of this list with something changed; back to its start unless said."""
        asked = replace(self, **({"offset": 0} | changed))
        plain = InboxQuery()
        said = {
            name: str(getattr(asked, name))
            for name in ("tab", *FILTERS, "text", "sort", "offset")
            if getattr(asked, name) != getattr(plain, name)
        }
        return f"/review?{urlencode(said)}" if said else "/review"

    @property
    def is_narrowed(self) -> bool:
        """Whether anything beside the tab, the order and the page is asked for."""
        return any(getattr(self, name) for name in (*FILTERS, "text"))


@dataclass(frozen=True, slots=True)
class Line:
    """What choosing and sorting need to know of a draft."""

    id: str
    state: DraftState
    kind: str
    owner: str
    verdict: str
    words: str
    """Lower case; what the text filter looks through."""
    impact_per_week: float
    due_at: datetime
    snoozed: bool

    @property
    def tab(self) -> Tab:
        if self.state in DECIDED:
            return Tab.DECIDED
        return Tab.SNOOZED if self.snoozed else Tab.WAITING


def choose_lines(lines: Sequence[Line], query: InboxQuery) -> list[Line]:
    """The drafts of a tab that are asked for; ties by due date or impact, then id."""
    tests = _tests(query)
    found = [
        line for line in lines if line.tab is query.tab and all(t(line) for t in tests.values())
    ]
    return sorted(found, key=_ORDERS[query.sort])


def count_tabs(lines: Sequence[Line], query: InboxQuery) -> dict[str, int]:
    """How many drafts each tab has under the filters, the state left out: tabs differ in it."""
    tests = [test for name, test in _tests(query).items() if name != "state"]
    counts = Counter(line.tab.value for line in lines if all(test(line) for test in tests))
    return {tab.value: counts[tab.value] for tab in Tab}


def count_values(lines: Sequence[Line], query: InboxQuery) -> dict[str, Counter[str]]:
    """How many drafts each choice of a filter would show, the other filters as they are.

    Returns:
        By filter (owner, state, kind, checks), counts by value.
    """
    tests = _tests(query)
    here = [line for line in lines if line.tab is query.tab]
    counts = {}
    for name in FILTERS:
        others = [test for other, test in tests.items() if other != name]
        held = [line for line in here if all(test(line) for test in others)]
        counts[name] = Counter(_value(line, name) for line in held)
    return counts


def _tests(query: InboxQuery) -> dict[str, Callable[[Line], bool]]:
    words = query.text.lower().split()
    tests: dict[str, Callable[[Line], bool]] = {
        "text": lambda line: all(word in line.words for word in words)
    }
    for name in FILTERS:
        wanted = getattr(query, name)
        if wanted:
            tests[name] = lambda line, name=name, wanted=wanted: (  # type: ignore[misc]
                _value(line, name) == wanted
            )
    return tests


def _value(line: Line, name: str) -> str:
    return str(line.verdict if name == "checks" else getattr(line, name))


def _one_of(allowed: Sequence[str], said: str, otherwise: str = "") -> str:
    return said if said in [str(value) for value in allowed] else otherwise


_ORDERS: Mapping[Sort, Callable[[Line], tuple[Any, ...]]] = {
    Sort.IMPACT: lambda line: (-line.impact_per_week, line.due_at, line.id),
    Sort.DUE: lambda line: (line.due_at, -line.impact_per_week, line.id),
}
