"""ACC of each system on each set as horizontal bars, one SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTH, LEFT, RIGHT, TOP = 760, 250, 60, 60
BAR, GAP, BETWEEN = 14, 5, 34
COLOURS = {True: "#b4451f", False: "#8a94a3"}
TITLES = {
    "natcs": "NatCS insurance turns, 22 topics",
    "banking77": "BANKING77 test, 77 topics",
    "clinc150": "CLINC150 test, 150 topics",
}


def write_plot(figures: dict[str, Any], names: dict[str, str], path: Path) -> None:
    """Draw the mean over seeds, with a line from one standard deviation below to one above."""
    parts: list[str] = []
    top = TOP
    for name, rows in figures["sets"].items():
        parts.append(f"<text x='{LEFT}' y='{top - 8}' font-weight='bold'>{TITLES[name]}</text>")
        for system, row in rows.items():
            if "failed" not in row:
                parts += _draw_bar(names[system], row, top, ours=system.startswith("kbops"))
                top += BAR + GAP
        top += BETWEEN
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {top}' width='{WIDTH}' "
        f"height='{top}' font-family='system-ui, sans-serif' font-size='12'>"
        f"<rect width='{WIDTH}' height='{top}' fill='white'/>"
        f"<text x='16' y='24' font-weight='bold'>ACC (one to one), %, mean of "
        f"{figures['seeds']} seeds; the number of topics is free except where given</text>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *parts, "</svg>"]) + "\n", encoding="utf-8")


def _draw_bar(label: str, row: dict[str, Any], top: float, *, ours: bool) -> list[str]:
    acc, spread = row["mean"]["acc"], row["spread"]["acc"]
    middle = top + BAR / 2
    return [
        f"<text x='{LEFT - 8}' y='{top + BAR - 3}' text-anchor='end'>{label}</text>",
        f"<rect x='{LEFT}' y='{top}' width='{_x(acc) - LEFT:.1f}' height='{BAR}' "
        f"fill='{COLOURS[ours]}'/>",
        f"<line x1='{_x(acc - spread):.1f}' x2='{_x(acc + spread):.1f}' y1='{middle}' "
        f"y2='{middle}' stroke='black'/>",
        f"<text x='{_x(acc + spread) + 6:.1f}' y='{top + BAR - 3}'>{acc:.1f} "
        f"(K {row['mean']['topics']:.0f})</text>",
    ]


def _x(percent: float) -> float:
    return LEFT + max(percent, 0.0) / 100 * (WIDTH - LEFT - RIGHT)
