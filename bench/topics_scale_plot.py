"""Seconds by number of tickets on two logarithmic axes, one SVG."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 210, 52, 48
LOW, HIGH = 0, 3
"""Powers of ten of the seconds shown."""
LINES = {"kbops-fine": ("kbops", "#b4451f"), "bertopic": ("BERTopic", "#44546a")}
FAINT = "#d5d9df"


def write_plot(figures: dict[str, Any], path: Path) -> None:
    """Draw what finished; a run that did not is named at the side."""
    counts = sorted({row["tickets"] for row in figures["rows"]})
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' "
        f"height='{HEIGHT}' font-family='system-ui, sans-serif' font-size='12'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        f"<text x='{LEFT}' y='24' font-weight='bold'>Seconds to topics, by tickets "
        "(after embedding, both axes logarithmic)</text>",
    ]
    for power in range(LOW, HIGH + 1):
        y = _y(10.0**power)
        parts.append(
            f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{FAINT}'/>"
            f"<text x='{LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{10**power:,}</text>"
        )
    for count in counts:
        parts.append(
            f"<text x='{_x(count, counts):.1f}' y='{HEIGHT - BOTTOM + 20}' "
            f"text-anchor='middle'>{count:,}</text>"
        )
    for system in LINES:
        parts += _draw_line(system, figures["rows"], counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _draw_line(system: str, rows: list[dict[str, Any]], counts: list[int]) -> list[str]:
    label, colour = LINES[system]
    mine = [row for row in rows if row["system"] == system]
    done = [(row["tickets"], row["seconds"], row["nmi"]) for row in mine if "seconds" in row]
    if not done:
        return []
    points = [(_x(count, counts), _y(seconds)) for count, seconds, _ in done]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"]
    for (x, y), (_, seconds, nmi) in zip(points, done, strict=True):
        parts.append(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{colour}'/>"
            f"<text x='{x + 8:.1f}' y='{y + 20:.1f}' fill='{colour}'>{label} {seconds:.0f} s, "
            f"NMI {nmi:.0f}</text>"
        )
    failed = [row for row in mine if "failed" in row]
    if failed:
        x, y = points[-1]
        parts.append(
            f"<text x='{x + 8:.1f}' y='{y + 36:.1f}' fill='{colour}'>"
            f"{failed[0]['tickets']:,}: {failed[0]['failed']}</text>"
        )
    return parts


def _x(count: int, counts: list[int]) -> float:
    low, high = math.log10(counts[0]), math.log10(max(counts[-1], counts[0] + 1))
    return LEFT + (math.log10(count) - low) / (high - low) * (WIDTH - RIGHT - LEFT)


def _y(seconds: float) -> float:
    power = min(max(math.log10(max(seconds, 1e-9)), LOW), HIGH)
    return TOP + (HIGH - power) / (HIGH - LOW) * (HEIGHT - BOTTOM - TOP)
