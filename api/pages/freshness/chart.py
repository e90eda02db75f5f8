"""One article's probability over time as a drawing; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.pages.freshness.timeline import CHANGED, CONFIRMED, JUDGED, Moment
from gaps.freshness.verdicts import DUE_PROBABILITY, STALE_PROBABILITY

WIDTH, HEIGHT, EDGE = 720.0, 132.0, 10.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the drawing, with what a pointer is told there."""

    x: float
    y: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """Coordinates in a box of `WIDTH` by `HEIGHT`."""

    width: float
    height: float
    path: str
    due_y: float
    stale_y: float
    judged: tuple[Mark, ...]
    changed: tuple[Mark, ...]
    confirmed: tuple[Mark, ...]
    description: str


def draw_history(moments: Sequence[Moment], now: datetime) -> HistoryChart | None:
    """The probability as steps from verdict to verdict; None with fewer than two moments judged.

    Args:
        moments: Newest first.
        now: Where the drawing ends.
    """
    judged = [m for m in reversed(moments) if m.kind == JUDGED and m.probability is not None]
    if len(judged) < 2:
        return None
    first, last = judged[0].at, max(now, judged[-1].at)
    span = max(1.0, (last - first).total_seconds())

    def x_of(at: datetime) -> float:
        share = min(1.0, max(0.0, (at - first).total_seconds() / span))
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)

    def y_of(probability: float) -> float:
        return round(EDGE + (1.0 - probability) * (HEIGHT - 2 * EDGE), 1)

    marks = tuple(
        Mark(x_of(m.at), y_of(m.probability or 0.0), m.tone,
             f"{m.at:%d %b %Y}: {m.title}, {m.probability or 0.0:.0%}")
        for m in judged
    )  # fmt: skip
    steps = [f"M{marks[0].x} {marks[0].y}"]
    steps += [f"H{mark.x}V{mark.y}" for mark in marks[1:]]
    steps.append(f"H{x_of(last)}")

    def side_marks(kind: str, y: float) -> tuple[Mark, ...]:
        return tuple(
            Mark(x_of(m.at), y, m.tone, f"{m.at:%d %b %Y}: {m.title}")
            for m in moments
            if m.kind == kind and m.at >= first
        )

    return HistoryChart(
        WIDTH, HEIGHT, "".join(steps), y_of(DUE_PROBABILITY), y_of(STALE_PROBABILITY), marks,
        side_marks(CHANGED, HEIGHT - EDGE), side_marks(CONFIRMED, EDGE),
        f"From {judged[0].probability or 0.0:.0%} on {first:%d %b %Y} "
        f"to {judged[-1].probability or 0.0:.0%} on {judged[-1].at:%d %b %Y}.",
    )  # fmt: skip
