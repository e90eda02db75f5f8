"""What people said about topics: not a gap, another kind, one topic or two, whose it is; pure.

A correction binds every later run, and is kept with what had been judged, as training for triage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gaps.keeping.lineage import Group
from gaps.types import GapKind


class CorrectionKind(StrEnum):
    NOT_A_GAP = "not_a_gap"
    KIND_IS = "kind_is"
    MERGE = "merge"
    SPLIT = "split"
    ASSIGN = "assign"
    TITLE_IS = "title_is"


@dataclass(frozen=True, slots=True)
class Correction:
    """One word of a person about a topic."""

    correction_id: str
    at: datetime
    by: str
    topic_id: str
    kind: CorrectionKind
    value: str | None
    """The kind, the owner or the title it has; the topic it was merged into or split off as."""
    ticket_ids: tuple[str, ...]
    """Those that were split off."""
    reason: str | None
    judged: Mapping[str, Any]
    """What the finder had said: kind, probability, signals, counts."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What all corrections come to; the last word on a thing counts."""

    kinds: Mapping[str, GapKind]
    owners: Mapping[str, str]
    titles: Mapping[str, str]
    bound: frozenset[str]
    """Topics that people joined: they are never split by the finder."""
    apart: tuple[tuple[str, str], ...]
    """Pairs of topics that people split: they are never joined by the finder."""


def sum_up(corrections: Sequence[Correction]) -> Corrected:
    """What holds, of corrections oldest first."""
    said: defaultdict[CorrectionKind, dict[str, str]] = defaultdict(dict)
    bound: set[str] = set()
    apart: set[tuple[str, str]] = set()
    for correction in corrections:
        topic_id, value = correction.topic_id, correction.value
        if value is None:
            continue
        if correction.kind is CorrectionKind.MERGE:
            bound.add(value)
            apart -= {(topic_id, value), (value, topic_id)}
        elif correction.kind is CorrectionKind.SPLIT:
            bound -= {topic_id, value}
            apart.add((topic_id, value))
        else:
            said[correction.kind][topic_id] = value
    return Corrected(
        kinds={key: GapKind(value) for key, value in said[CorrectionKind.KIND_IS].items()},
        owners=said[CorrectionKind.ASSIGN],
        titles=said[CorrectionKind.TITLE_IS],
        bound=frozenset(bound),
        apart=tuple(sorted(apart)),
    )


def keep_apart(
    groups: Sequence[Group],
    apart: Sequence[tuple[str, str]],
    known: Mapping[str, Collection[str]],
) -> list[Group]:
    """Divide groups that hold tickets of two topics which people split.

    Tickets that were in neither stay with the larger part.

    Args:
        groups: Disjoint sets of ticket ids.
        apart: Pairs of topic ids.
        known: Ticket ids of the stored topics by topic id.
    """
    result = list(groups)
    for pair in apart:
        one, two = (set(known.get(topic_id, ())) for topic_id in pair)
        divided: list[Group] = []
        for group in result:
            first, second = group & one, group & two
            smaller = min(first, second, key=lambda part: (len(part), sorted(part)))
            if smaller:
                divided += [group - smaller, frozenset(smaller)]
            else:
                divided.append(group)
        result = [group for group in divided if group]
    return result
