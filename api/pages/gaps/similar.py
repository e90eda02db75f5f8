"""Which gaps another one could be part of, the most alike first; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaps.types import Gap
from kb.ports import Vectors

MOST = 200


@dataclass(frozen=True, slots=True)
class Placed:
    """A topic by where it stands among the others."""

    title: str
    area_id: str | None
    centroid: bytes
    recipe: str


@dataclass(frozen=True, slots=True)
class Candidate:
    gap_id: str
    title: str
    in_area: bool
    likeness: float
    """Cosine of the two topics; 0 where they cannot be compared."""


def order_candidates(
    gap: Gap, placed: Mapping[str, Placed], others: Sequence[Gap]
) -> tuple[Candidate, ...]:
    """Gaps of the same area first, each part by likeness, highest first; ties by id.

    Args:
        gap: The one to be merged.
        placed: Topics by id.
        others: Gaps that may take it.
    """
    own = placed.get(gap.topic_id)
    found = []
    for other in others:
        theirs = placed.get(other.topic_id)
        if other.gap_id == gap.gap_id or own is None or theirs is None:
            continue
        in_area = own.area_id is not None and own.area_id == theirs.area_id
        found.append(Candidate(other.gap_id, other.title, in_area, _likeness(own, theirs)))
    found.sort(key=lambda one: (not one.in_area, -one.likeness, one.gap_id))
    return tuple(found[:MOST])


def _likeness(left: Placed, right: Placed) -> float:
    if left.recipe != right.recipe or len(left.centroid) != len(right.centroid):
        return 0.0
    one, two = (_unit(side.centroid) for side in (left, right))
    return 0.0 if one is None or two is None else round(float(one @ two), 4)


def _unit(stored: bytes) -> Vectors | None:
    vector = np.frombuffer(stored, np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else None
