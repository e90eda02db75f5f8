"""Which circles of the map carry their name, and where; pure.

The largest circle is served first: its name stands inside where it fits, else beside it where
nothing is yet; what finds no room is dropped, and stands in the table below the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from api.pages.gaps.map_layout import Circle

LETTER = 7.3
"""Mean width of a letter at 13 px, semibold; system fonts run to about 7.5 a word."""
LINE = 16.0
EDGE = 2.0
MOST_INSIDE_LINES = 4
OUTSIDE_LETTERS = 20
OUTSIDE_LINES = 2
ICON = 20.0
"""Height of the shapes inside a circle, above its name."""


@dataclass(frozen=True, slots=True)
class Label:
    lines: tuple[tuple[float, float, str], ...]
    """x, y of the baseline, and text."""
    anchor: str
    """"middle", "start" or "end"."""
    is_inside: bool


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        apart = (
            self.right + EDGE < other.left
            or other.right + EDGE < self.left
            or self.bottom + EDGE < other.top
            or other.bottom + EDGE < self.top
        )
        return not apart

    def touches(self, circle: Circle) -> bool:
        dx = max(self.left - circle.x, 0.0, circle.x - self.right)
        dy = max(self.top - circle.y, 0.0, circle.y - self.bottom)
        return dx * dx + dy * dy < (circle.radius + EDGE) ** 2


def place_labels(
    circles: Sequence[Circle], names: Mapping[str, str], width: float, height: float
) -> dict[str, Label]:
    """Labels by key, for the circles that get one.

    Args:
        circles: As laid out.
        names: By key.
        width: Of the drawing.
        height: Of the drawing.
    """
    labels: dict[str, Label] = {}
    taken: list[Box] = []
    ordered = sorted(circles, key=lambda c: (-c.radius, c.key))
    for circle in ordered:
        inside = _inside(circle, names[circle.key])
        if inside is not None:
            labels[circle.key] = inside
    for circle in ordered:
        if circle.key in labels:
            continue
        for label, box in _beside(circle, names[circle.key]):
            fits = box.left >= EDGE and box.right <= width - EDGE
            fits = fits and box.top >= EDGE and box.bottom <= height - EDGE
            if fits and not any(map(box.overlaps, taken)) and not any(map(box.touches, circles)):
                labels[circle.key] = label
                taken.append(box)
                break
    return labels


def wrap(text: str, letters: int, most_lines: int, *, cut: bool) -> list[str] | None:
    """Lines of so many letters; None where a word or the text is too long and may not be cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= letters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most_lines or any(len(line) > letters for line in lines):
        if not cut:
            return None
        lines = [_shorten(line, letters) for line in lines[:most_lines]] or [""]
        if len(" ".join(lines)) < len(" ".join(text.split())) and not lines[-1].endswith("…"):
            lines[-1] = _shorten(f"{lines[-1]} …", letters)
    return lines


def _shorten(line: str, letters: int) -> str:
    return line if len(line) <= letters else f"{line[: max(1, letters - 1)].rstrip()}…"


def _inside(circle: Circle, name: str) -> Label | None:
    for count in range(1, MOST_INSIDE_LINES + 1):
        block = ICON + count * LINE
        half = block / 2
        if half >= circle.radius - 2:
            return None
        chord = 2 * (circle.radius**2 - half**2) ** 0.5 - 8
        lines = wrap(name, int(chord / LETTER), count, cut=False)
        if lines is not None:
            top = circle.y - (ICON + len(lines) * LINE) / 2 + ICON
            placed = tuple(
                (circle.x, round(top + (place + 0.75) * LINE, 1), line)
                for place, line in enumerate(lines)
            )
            return Label(placed, "middle", is_inside=True)
    return None


def _beside(circle: Circle, name: str) -> list[tuple[Label, Box]]:
    """Places around the circle, the better readable first: whole below, … cut to one line."""
    found = []
    for (letters, most), side in product(
        ((OUTSIDE_LETTERS, OUTSIDE_LINES), (OUTSIDE_LETTERS - 6, OUTSIDE_LINES), (12, 1)),
        ("below", "right", "left", "above"),
    ):
        lines = wrap(name, letters, most, cut=True) or [""]
        across, tall = max(map(len, lines)) * LETTER, len(lines) * LINE
        away = circle.radius + 4
        left, top, anchor = {
            "below": (circle.x - across / 2, circle.y + away, "middle"),
            "above": (circle.x - across / 2, circle.y - away - tall, "middle"),
            "right": (circle.x + away, circle.y - tall / 2, "start"),
            "left": (circle.x - away - across, circle.y - tall / 2, "end"),
        }[side]
        x = {"middle": left + across / 2, "start": left, "end": left + across}[anchor]
        placed = tuple(
            (round(x, 1), round(top + (place + 0.75) * LINE, 1), line)
            for place, line in enumerate(lines)
        )
        box = Box(left, top, left + across, top + tall)
        found.append((Label(placed, anchor, is_inside=False), box))
    return found
