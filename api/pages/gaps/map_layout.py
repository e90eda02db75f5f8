"""Where the circles of the map stand: near their places, apart from each other; pure.

Circles are sized by area and pushed apart in small steps, as in Dorling's cartograms (Area
Cartograms, CATMOG 59, 1996). The same circles give the same map whatever order they come in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

FILL = 0.40
"""Of the drawing's area, for all circles together. Above about 0.5 they end far from their
places or do not fit; judged by eye on 5 to 80 circles."""
LEAST_RADIUS = 13.0
"""A mark as wide as WCAG 2.2 asks of a target (24 px), and its line."""
MOST_RADIUS_SHARE = 0.23
"""Of the shorter side."""
SPACE = 7.0
STEPS = 400
SHRINK = 0.94
MOST_SHRINKS = 12
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class Spot:
    """What is to stand on the map."""

    key: str
    weight: float
    """Tickets; a circle's area follows it."""
    place: tuple[float, float] | None
    """Where it belongs, both 0 to 1; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Circle:
    key: str
    x: float
    y: float
    radius: float


def lay_out(spots: Sequence[Spot], width: float, height: float) -> list[Circle]:
    """Circles inside the drawing that do not overlap, largest first; ties by key.

    Args:
        spots: Keys unique.
        width: Of the drawing.
        height: Of the drawing.
    """
    ordered = sorted(spots, key=lambda spot: (-spot.weight, spot.key))
    if not ordered:
        return []
    radii = _choose_radii(ordered, width, height)
    wanted = _choose_places(ordered, radii, width, height)
    for _ in range(MOST_SHRINKS):
        points = _push_apart(wanted, radii, width, height)
        if _deepest_overlap(points, radii) <= 0.5:
            break
        radii = radii * SHRINK
    return [
        Circle(spot.key, round(float(x), 1), round(float(y), 1), round(float(radius), 1))
        for spot, (x, y), radius in zip(ordered, points, radii, strict=True)
    ]


def _choose_radii(spots: Sequence[Spot], width: float, height: float) -> Points:
    weights = np.array([max(spot.weight, 0.0) for spot in spots], dtype=np.float64)
    scale = math.sqrt(FILL * width * height / (math.pi * max(float(weights.sum()), 1.0)))
    most = MOST_RADIUS_SHARE * min(width, height)
    return np.clip(scale * np.sqrt(weights), min(LEAST_RADIUS, most), most)


def _choose_places(spots: Sequence[Spot], radii: Points, width: float, height: float) -> Points:
    """The known places spread over the drawing; the others on a spiral around its middle."""
    known = np.array([spot.place for spot in spots if spot.place is not None], dtype=np.float64)
    low = known.min(axis=0) if len(known) else np.zeros(2)
    span = known.max(axis=0) - low if len(known) else np.ones(2)
    span = np.where(span > 1e-9, span, 1.0)
    places = np.empty((len(spots), 2))
    for number, spot in enumerate(spots):
        if spot.place is not None:
            share = (np.asarray(spot.place, dtype=np.float64) - low) / span
            share = np.where(known.max(axis=0) - low > 1e-9, share, 0.5)
        else:
            reach, turn = 0.48 * math.sqrt((number + 0.5) / len(spots)), number * GOLDEN_ANGLE
            share = np.array([0.5 + reach * math.cos(turn), 0.5 + reach * math.sin(turn)])
        room = np.array([width, height]) - 2 * (radii[number] + SPACE)
        places[number] = radii[number] + SPACE + share * room
    return places


def _push_apart(wanted: Points, radii: Points, width: float, height: float) -> Points:
    """Each step moves overlapping circles half of their overlap away from each other."""
    # Two circles at one point have no direction to part in: give each its own.
    turns = np.arange(len(radii)) * GOLDEN_ANGLE
    points = wanted + 0.01 * np.column_stack([np.cos(turns), np.sin(turns)])
    reach = radii[:, None] + radii[None, :] + SPACE
    np.fill_diagonal(reach, 0.0)
    low = radii[:, None] + SPACE / 2
    high = np.array([[width, height]]) - low
    for _ in range(STEPS):
        apart = points[:, None, :] - points[None, :, :]
        distance = np.sqrt((apart**2).sum(axis=2))
        overlap = np.clip(reach - distance, 0.0, None)
        if float(overlap.max()) < 0.05:
            break
        unit = apart / np.maximum(distance, 1e-9)[:, :, None]
        points = points + 0.5 * (unit * overlap[:, :, None]).sum(axis=1)
        points = np.clip(points, low, np.maximum(low, high))
    return points


def _deepest_overlap(points: Points, radii: Points) -> float:
    apart = points[:, None, :] - points[None, :, :]
    distance = np.sqrt((apart**2).sum(axis=2))
    overlap = radii[:, None] + radii[None, :] - distance
    np.fill_diagonal(overlap, -np.inf)
    return float(overlap.max())
