"""The order of steps: one central resolution is the spine, others only where they fit; pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gaps.drafting.writing.entailment import read_sentence
from gaps.drafting.writing.evidence import Evidence
from gaps.drafting.writing.merging import Point

MOST_OTHERS = 5
MOST_BETWEEN = 3
"""Sentences between two corroborated steps of one ticket; with more of them they are two things."""
NAVIGATION = frozenset({"open", "choose", "close", "save", "find"})
"""Acts that change nothing by themselves, so that one person's word for them is enough."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """Steps that were done one after the other, and what helped others instead."""

    steps: tuple[Point, ...]
    others: tuple[Point, ...]
    """Corroborated, but never told together with the steps."""


def order_by_spine(points: Sequence[Point], told: Sequence[Evidence] = ()) -> Procedure:
    """Put steps into the order of the ticket that tells most of them.

    A step of other tickets is inserted where one of them tells it beside a step of the spine:
    behind the last of those it follows. What no ticket tells beside the spine is not part of it.

    Args:
        points: Corroborated steps; ties are decided by their place, not by this order.
        told: Everything that may be used. What the spine itself tells between two of its
            corroborated steps is kept where it only leads from one to the next ("click OK").
    """
    places: dict[Point, Mapping[str, int]] = {point: _places(point) for point in points}
    spine = _choose_spine(places)
    if spine is None:
        return Procedure(tuple(sorted(points, key=_strongest_first)), ())
    on_spine = [p for p in points if spine in places[p]]
    steps = sorted(on_spine, key=lambda p: (places[p][spine], p.place))
    steps = _with_connections(steps, spine, places, told)
    left = sorted((p for p in points if p not in on_spine), key=_strongest_first)
    others = []
    for point in left:
        slot = _find_slot(point, steps, places)
        if slot is None:
            others.append(point)
        else:
            steps.insert(slot, point)
    return Procedure(tuple(steps), tuple(others[:MOST_OTHERS]))


def _with_connections(
    steps: Sequence[Point],
    spine: str,
    places: dict[Point, Mapping[str, int]],
    told: Sequence[Evidence],
) -> list[Point]:
    """The spine's steps with what it says between them, where that is mere navigation."""
    kept = list(steps[:1])
    for before, after in pairwise(steps):
        first, last = places[before][spine], places[after][spine]
        between = [
            e
            for e in told
            if e.source_id == spine and first < e.place < last and e.instruction is not None
        ]
        if last - first - 1 <= MOST_BETWEEN:
            for evidence in between:
                if read_sentence(evidence.instruction or "").actions <= NAVIGATION:
                    point = Point((evidence,), evidence, 0.0, evidence.position, before.place)
                    places[point] = {spine: evidence.place}
                    kept.append(point)
        kept.append(after)
    return kept


def _strongest_first(point: Point) -> tuple[int, float, int]:
    return (-len(point.requesters), -point.relevance, point.place)


def _places(point: Point) -> dict[str, int]:
    """Where each ticket tells a step; the first time."""
    found: dict[str, int] = {}
    for member in point.members:
        if member.kind == "ticket":
            found[member.source_id] = min(member.place, found.get(member.source_id, member.place))
    return found


def _choose_spine(places: Mapping[Point, Mapping[str, int]]) -> str | None:
    """The ticket whose steps are together the most central and best supported."""
    worth: defaultdict[str, float] = defaultdict(float)
    for point, told in places.items():
        for ticket in told:
            worth[ticket] += point.relevance * math.log1p(len(point.requesters))
    return max(worth, key=lambda t: (round(worth[t], 6), t), default=None)


def _find_slot(
    point: Point, steps: Sequence[Point], places: Mapping[Point, Mapping[str, int]]
) -> int | None:
    """Where a step goes among the steps; None where no ticket tells it beside one of them."""
    slot: int | None = None
    for index, step in enumerate(steps):
        both = set(places[point]) & set(places[step])
        if not both:
            continue
        follows = sum(places[point][t] > places[step][t] for t in both)
        precedes = sum(places[point][t] < places[step][t] for t in both)
        if follows >= precedes:
            slot = index + 1
        elif slot is None:
            slot = index
    return slot
