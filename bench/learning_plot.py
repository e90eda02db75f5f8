"""nDCG@10 over all questions asked so far, week by week, as one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 56, 130, 52, 44
STEP = 0.05
"""Between grid lines, nDCG."""
WEEKS_A_LABEL = 4
FIRST_SHOWN = 4
"""Weeks before it rest on a handful of questions and are left out."""
LINES = {
    "weekly": ("learned weekly", "#b4451f"),
    "frozen": ("learned once", "#2f6f8f"),
    "unlearned": ("unlearned", "#44546a"),
}
FAINT = "#d5d9df"


def write_plot(figures: dict[str, Any], path: Path) -> None:
    """Draw the weekly replay's three rankings."""
    rows = figures["weeks"]
    asked = list(accumulate(row["questions"] for row in rows))
    lines = {
        name: [
            total / max(count, 1)
            for total, count in zip(accumulate(row[name] for row in rows), asked, strict=True)
        ][FIRST_SHOWN - 1 :]
        for name in LINES
    }
    mondays = [row["monday"] for row in rows][FIRST_SHOWN - 1 :]
    values = [value for line in lines.values() for value in line]
    low = int(min(values) / STEP) * STEP
    high = (int(max(values) / STEP) + 1) * STEP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' "
        f"height='{HEIGHT}' font-family='system-ui, sans-serif' font-size='12'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        f"<text x='{LEFT}' y='24' font-weight='bold'>nDCG@10 of the {asked[-1]} Thunderbird "
        "questions asked so far, by week</text>",
        *_draw_grid(low, high, mondays),
    ]
    for name, line in lines.items():
        parts += _draw_line(name, line, low, high)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _draw_grid(low: float, high: float, mondays: Sequence[str]) -> list[str]:
    parts = []
    for step in range(round((high - low) / STEP) + 1):
        y = _y(low + step * STEP, low, high)
        parts.append(
            f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{FAINT}'/>"
            f"<text x='{LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{low + step * STEP:.2f}</text>"
        )
    for place in range(0, len(mondays), WEEKS_A_LABEL):
        parts.append(
            f"<text x='{_x(place, len(mondays)):.1f}' y='{HEIGHT - BOTTOM + 20}' "
            f"text-anchor='middle'>{mondays[place][5:]}</text>"
        )
    return parts


def _draw_line(name: str, line: Sequence[float], low: float, high: float) -> list[str]:
    label, colour = LINES[name]
    points = " ".join(
        f"{_x(place, len(line)):.1f},{_y(value, low, high):.1f}" for place, value in enumerate(line)
    )
    return [
        f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>",
        f"<text x='{WIDTH - RIGHT + 8}' y='{_y(line[-1], low, high) + 4:.1f}' fill='{colour}'>"
        f"{label} {line[-1]:.3f}</text>",
    ]


def _x(place: int, count: int) -> float:
    return LEFT + place / max(count - 1, 1) * (WIDTH - RIGHT - LEFT)


def _y(value: float, low: float, high: float) -> float:
    return TOP + (high - value) / (high - low) * (HEIGHT - BOTTOM - TOP)
