"""The articles nearest to a gap and why they do not answer it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.pages.wording import percent
from gaps.types import Gap

READ_DEPTH = 3
"""Results a person looks at."""
MOST = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What the knowledge base answered to one ticket's question."""

    probability: float
    """That it answered it."""
    found: tuple[str, ...]
    """Document ids, best first."""


@dataclass(frozen=True, slots=True)
class Near:
    """A document close to a gap."""

    document_id: str
    reasons: tuple[str, ...]
    """Why it does not answer; sentences."""


def find_nearest(gap: Gap, asked: Sequence[Asked]) -> list[Near]:
    """What the gap is about first, then what its questions find most often; five at most.

    Args:
        gap: Its reasons and documents say what is wrong.
        asked: Of the gap's tickets, as far as it is known.
    """
    seen = Counter(key for one in asked for key in one.found[:READ_DEPTH])
    often = [key for key, _ in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))]
    ordered = list(dict.fromkeys((*gap.document_ids, *often)))[:MOST]
    return [Near(key, _why_not(key, gap, asked, seen)) for key in ordered]


def _why_not(
    key: str, gap: Gap, asked: Sequence[Asked], seen: Mapping[str, int]
) -> tuple[str, ...]:
    said = [_sentence(reason.text) for reason in gap.reasons if key in reason.evidence]
    if not asked:
        return tuple(said)
    count = seen.get(key, 0)
    if not count:
        said.append(f"None of the {len(asked)} questions finds it among the first {READ_DEPTH}.")
        return tuple(said)
    first = [one.probability for one in asked if one.found[:1] == (key,)]
    text = f"{count} of {len(asked)} questions find it among the first {READ_DEPTH}"
    if first:
        mean = sum(first) / len(first)
        text += f"; where it comes first, search is {percent(mean)} sure that it answers"
    said.append(f"{text}.")
    return tuple(said)


def _sentence(text: str) -> str:
    clean = text.strip()
    return f"{clean[:1].upper()}{clean[1:]}{'' if clean.endswith(('.', '!', '?')) else '.'}"
