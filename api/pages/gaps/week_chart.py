"""A topic's whole series as bars with an axis, months and marks on it; pure.

Labels keep their size on a screen only if the drawing is not shrunk, so a chart is drawn for a
width, once for a desk and once for a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HEIGHT = 208
TOP, BOTTOM, LEFT, RIGHT = 30, 24, 30, 6
MOST_WEEKS = 156
MONTH_LETTER, MONTH_SPACE = 7.2, 8.0
"""Mean width of a letter of the months, and what is kept free after them."""
MARK_SPACE = 20.0
MARK_RADIUS = 9.0
WIDEST_BAR = 26.0
MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, to be seen against the tickets."""

    at: datetime
    kind: str
    """"published", "rolled_back", "split" or "merged"."""
    text: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class WeekBar:
    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class DrawnMark:
    number: int
    x: float
    """Of its line."""
    label_x: float
    """Of its number, moved aside where two are close."""
    mark: Mark


@dataclass(frozen=True, slots=True)
class WeekChart:
    width: int
    height: int
    base: float
    """The y of no tickets."""
    bars: tuple[WeekBar, ...]
    lines: tuple[tuple[float, int], ...]
    """y and the count it stands for."""
    months: tuple[tuple[float, str], ...]
    marks: tuple[DrawnMark, ...]
    title: str
    description: str
    left: int = LEFT
    top: int = TOP


def draw_series(
    weeks: Sequence[tuple[datetime, int]], marks: Sequence[Mark], *, width: int
) -> WeekChart | None:
    """Bars for weeks, oldest first, the last three years of them; None without tickets.

    Args:
        weeks: Mondays without a gap, each with its tickets.
        marks: By time; those before the first shown week are left out.
        width: Of the drawing, in the units of its labels.
    """
    shown = list(weeks[-MOST_WEEKS:])
    if not shown or max(count for _, count in shown) <= 0:
        return None
    peak = max(count for _, count in shown)
    step = _round_step(peak)
    ceiling = -(-peak // step) * step
    slot = (width - LEFT - RIGHT) / len(shown)
    base = float(HEIGHT - BOTTOM)
    unit = (base - TOP) / ceiling
    thick = min(slot * 0.78, WIDEST_BAR)
    bars = tuple(
        WeekBar(
            x=round(LEFT + place * slot + (slot - thick) / 2, 2),
            y=round(base - count * unit, 2),
            width=round(thick, 2),
            height=round(count * unit, 2),
            label=f"Week of {day.day} {day:%b %Y}: {count}",
        )
        for place, (day, count) in enumerate(shown)
        if count
    )
    total = sum(count for _, count in shown)
    return WeekChart(
        width=width,
        height=HEIGHT,
        base=base,
        bars=bars,
        lines=tuple(
            (round(base - count * unit, 2), count) for count in range(step, ceiling + 1, step)
        ),
        months=_label_months([day for day, _ in shown], slot, width),
        marks=_draw_marks(marks, shown[0][0], shown[-1][0], slot, width),
        title=f"{total} tickets in {len(shown)} weeks, most in one week: {peak}",
        description="Oldest first: " + ", ".join(str(count) for _, count in shown),
    )


def _round_step(peak: int) -> int:
    """The smallest of 1, 2, 5, 10, 20… that needs at most three lines up to the peak."""
    step, factor = 1, 0
    while -(-peak // step) > MOST_LINES:
        factor += 1
        step = (1, 2, 5)[factor % 3] * 10 ** (factor // 3)
    return step


def _label_months(
    days: Sequence[datetime], slot: float, width: int
) -> tuple[tuple[float, str], ...]:
    """Months where they begin, as many as there is room for; the year with the first of each."""
    labels: list[tuple[float, str]] = []
    year, free = 0, 0.0
    for place, day in enumerate(days):
        begins = place == 0 or days[place - 1].month != day.month
        text = f"{day:%b %Y}" if day.year != year else f"{day:%b}"
        x = LEFT + place * slot
        end = x + len(text) * MONTH_LETTER
        if not begins or x < free or end > width:
            continue
        labels.append((round(x, 2), text))
        year, free = day.year, end + MONTH_SPACE
    return tuple(labels)


def _draw_marks(
    marks: Sequence[Mark], first: datetime, last: datetime, slot: float, width: int
) -> tuple[DrawnMark, ...]:
    drawn: list[DrawnMark] = []
    for mark in marks:
        weeks = (mark.at - first) / timedelta(weeks=1)
        if weeks < 0 or mark.at >= last + timedelta(weeks=2):
            continue
        x = min(LEFT + weeks * slot, width - RIGHT)
        aside = drawn[-1].label_x + MARK_SPACE if drawn else 0.0
        label_x = min(max(x, aside, LEFT), width - MARK_RADIUS)
        drawn.append(DrawnMark(len(drawn) + 1, round(x, 2), round(label_x, 2), mark))
    return tuple(drawn)
