"""The figures of a run as one SVG: quality with intervals, latency, throughput, row by row."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

LINE = 26
TOP = 64
LABELS = 210
PANEL = 230
GAP = 40
OURS = "#b4451f"
PEERS = "#44546a"
FAINT = "#d5d9df"
FONT = "font-family='system-ui, sans-serif'"

Place = Callable[[float], float]


def write_plot(figures: dict[str, Any], path: Path) -> None:
    """Three panels side by side; what was not measured is left out."""
    rows = [
        (key, row)
        for key, row in figures["rows"].items()
        if "not_measured" not in row and "ndcg_at_10" in row
    ]
    height = TOP + LINE * len(rows) + 24
    width = LABELS + 3 * (PANEL + GAP)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' {FONT} font-size='12'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        _text(12, 20, f"{figures['questions']} questions, {figures['articles']} articles", "bold"),
    ]
    for place, (key, row) in enumerate(rows):
        colour = _colour(key)
        parts.append(
            f"<text x='{LABELS - 10}' y='{_height(place) + 4}' text-anchor='end' "
            f"fill='{colour}'>{escape(row['label'])}</text>"
        )
    parts += _draw_quality(rows, LABELS)
    p50 = [(key, row["p50_ms"]) for key, row in rows]
    parts += _draw_bars("median ms (less is better)", p50, LABELS + PANEL + GAP)
    rates = [(key, row["callers"].get("8", {}).get("per_second", 0)) for key, row in rows]
    parts += _draw_bars("questions a second, 8 callers", rates, LABELS + 2 * (PANEL + GAP))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _draw_quality(rows: list[tuple[str, dict[str, Any]]], left: float) -> list[str]:
    bounds = [bound for _, row in rows for bound in row["ndcg_at_10"]["interval"]]
    low, high = int(min(bounds) * 20) / 20, (int(max(bounds) * 20) + 1) / 20
    scale = _scale(low, high, left)
    parts = [_text(left, TOP - 24, "nDCG@10, 95% interval", "bold")]
    for step in range(round((high - low) / 0.05) + 1):
        value = low + step * 0.05
        parts += _tick(scale(value), f"{value:.2f}", len(rows))
    for place, (key, row) in enumerate(rows):
        measure, y = row["ndcg_at_10"], _height(place)
        start, end = (scale(bound) for bound in measure["interval"])
        parts.append(
            f"<line x1='{start:.1f}' x2='{end:.1f}' y1='{y}' y2='{y}' "
            f"stroke='{_colour(key)}' stroke-width='2'/>"
        )
        parts.append(
            f"<circle cx='{scale(measure['mean']):.1f}' cy='{y}' r='4' fill='{_colour(key)}'/>"
        )
    return parts


def _draw_bars(title: str, values: list[tuple[str, float]], left: float) -> list[str]:
    scale = _scale(0, max(value for _, value in values) * 1.15, left)
    parts = [_text(left, TOP - 24, title, "bold")]
    for place, (key, value) in enumerate(values):
        y = _height(place)
        parts.append(
            f"<rect x='{left}' y='{y - 7}' width='{max(scale(value) - left, 1):.1f}' height='14' "
            f"fill='{_colour(key)}'/>"
        )
        parts.append(
            _text(scale(value) + 4, y + 4, f"{value:.0f}" if value >= 20 else f"{value:.1f}")
        )
    return parts


def _scale(low: float, high: float, left: float) -> Place:
    return lambda value: left + (value - low) / (high - low) * PANEL


def _tick(x: float, label: str, rows: int) -> list[str]:
    bottom = TOP + LINE * rows
    return [
        f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP - 4}' y2='{bottom}' stroke='{FAINT}'/>",
        f"<text x='{x:.1f}' y='{bottom + 14}' text-anchor='middle' fill='{PEERS}' "
        f"font-size='10'>{label}</text>",
    ]


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' font-weight='{weight}'>{escape(text)}</text>"


def _height(place: int) -> float:
    return TOP + LINE * place + LINE / 2


def _colour(key: str) -> str:
    return OURS if key.startswith("kbops") else PEERS
