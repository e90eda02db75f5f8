"""Tickets a week as bars: coordinates for an SVG without styles or scripts; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 320
HEIGHT = 96
SPARK_WIDTH, SPARK_HEIGHT, SPARK_WEEKS = 104, 30, 13
GAP_SHARE = 0.25
FLOOR = 2.0
"""Height of a week without tickets: a bar that is there and says none."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    is_peak: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    bars: tuple[Bar, ...]
    title: str
    description: str
    peak: int
    width: int = WIDTH
    height: int = HEIGHT


def draw_spark(counts: Sequence[int]) -> BarChart | None:
    """The last quarter's weeks, small enough for a line of a list."""
    return draw_weeks(counts[-SPARK_WEEKS:], width=SPARK_WIDTH, height=SPARK_HEIGHT)


def draw_weeks(
    counts: Sequence[int], *, width: int = WIDTH, height: int = HEIGHT
) -> BarChart | None:
    """Bars for weekly counts, oldest first; None where there is nothing to draw."""
    if not counts or max(counts) <= 0:
        return None
    peak, slot = max(counts), width / len(counts)
    thick = min(slot * (1 - GAP_SHARE), 28.0)
    bars = []
    for place, count in enumerate(counts):
        tall = max(FLOOR, count / peak * height)
        bars.append(
            Bar(
                x=round(place * slot + (slot - thick) / 2, 2),
                y=round(height - tall, 2),
                width=round(thick, 2),
                height=round(tall, 2),
                label=f"{_when(len(counts) - 1 - place)}: {count}",
                is_peak=count == peak,
            )
        )
    total = sum(counts)
    return BarChart(
        tuple(bars),
        f"{total} tickets over {len(counts)} weeks, most in one week: {peak}",
        "Oldest first: " + ", ".join(str(count) for count in counts),
        peak,
        width,
        height,
    )


def _when(weeks_before_last: int) -> str:
    if weeks_before_last == 0:
        return "Last week"
    return f"{weeks_before_last} week{'s' if weeks_before_last > 1 else ''} before the last"
