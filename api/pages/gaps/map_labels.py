"""Which circles of the map carry their name, and where; pure.

The largest circle is served first: its name stands inside where it fits, else beside it where
nothing is yet, else cut inside; what finds no room is dropped, and stands in the table below the
map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from api.pages.gaps.map_layout import Circle

LETTER = 0.7
"""Mean width of a semibold letter, in its size: 0.70 measured in DejaVu Sans, the widest system
font; others need 0.55 to 0.6 and leave some room."""
LINE = 1.24
"""Of the letters' size."""
SIZES = ((100.0, 17.0), (66.0, 15.0), (0.0, 13.0))
"""Letters' size by the least radius it is used from."""
EDGE = 2.0
MOST_INSIDE_LINES = 4
LEAST_LETTERS = 4
CUT_FROM = 38.0
"""Radius from which a cut name inside is better than none."""
OUTSIDE_LETTERS = 20
OUTSIDE_LINES = 2


@dataclass(frozen=True, slots=True)
class Label:
    lines: tuple[tuple[float, float, str], ...]
    """x, y of the baseline, and text."""
    anchor: str
    """"middle", "start" or "end"."""
    is_inside: bool
    size: float
    """Of the letters, in the drawing's units."""
    shapes_y: float
    """Middle of the row of shapes."""
    note: tuple[float, float, str] | None = None
    """A smaller line below the name."""


@dataclass(frozen=True, slots=True)
class Name:
    """What is to be written at a circle."""

    text: str
    note: str = ""
    """Shown inside only, where there is room."""
    has_shapes: bool = False


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
    circles: Sequence[Circle], names: Mapping[str, Name], width: float, height: float
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
        for label, box in _beside(circle, names[circle.key].text):
            fits = box.left >= EDGE and box.right <= width - EDGE
            fits = fits and box.top >= EDGE and box.bottom <= height - EDGE
            if fits and not any(map(box.overlaps, taken)) and not any(map(box.touches, circles)):
                labels[circle.key] = label
                taken.append(box)
                break
        else:
            cut = _inside_cut(circle, names[circle.key])
            if cut is not None:
                labels[circle.key] = cut
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
        kept = lines[:most_lines]
        is_cut = len(lines) > most_lines
        lines = [
            _shorten(line, letters, is_cut and place == len(kept) - 1)
            for place, line in enumerate(kept)
        ]
    return lines


def _shorten(line: str, letters: int, is_cut: bool) -> str:
    """The line with an ellipsis where it is too long or goes on."""
    if len(line) <= letters - is_cut:
        return f"{line}…" if is_cut else line
    return f"{line[: letters - 1].rstrip()}…"


def shape_size(size: float) -> float:
    """Of a shape above letters of this size."""
    return round(size * 1.2, 1)


def _inside(circle: Circle, name: Name) -> Label | None:
    """The whole name, as large as the circle lets it be."""
    sizes = [size for least, size in SIZES if circle.radius >= least]
    for size, has_note in product(sizes, [True, False] if name.note else [False]):
        label = _written(circle, name, size, has_note=has_note, cut=False)
        if label is not None:
            return label
    return None


def _inside_cut(circle: Circle, name: Name) -> Label | None:
    """The first words of a name for which there is no other room."""
    if circle.radius < CUT_FROM:
        return None
    return _written(circle, name, SIZES[-1][1], has_note=False, cut=True)


def _written(circle: Circle, name: Name, size: float, *, has_note: bool, cut: bool) -> Label | None:
    """The name in as few lines as fit, or cut in as many as fit."""
    tall = size * LINE
    head = shape_size(size) + 5 if name.has_shapes else 0.0
    counts = range(1, MOST_INSIDE_LINES + 1)
    for count in reversed(counts) if cut else counts:
        half = (head + (count + has_note) * tall) / 2
        if half >= circle.radius - 3:
            continue
        chord = 2 * (circle.radius**2 - half**2) ** 0.5 - 6
        letters = int(chord / (LETTER * size))
        lines = wrap(name.text, letters, count, cut=cut) if letters >= LEAST_LETTERS else None
        if lines is None or (has_note and len(name.note) > letters):
            continue
        if any(line.endswith("…") for line in lines[:-1]) or len(lines[-1]) < LEAST_LETTERS:
            continue
        top = circle.y - (head + (len(lines) + has_note) * tall) / 2
        written = [
            (circle.x, round(top + head + (place + 0.78) * tall, 1), line)
            for place, line in enumerate([*lines, *([name.note] if has_note else [])])
        ]
        return Label(
            tuple(written[: len(lines)]), "middle", True, size,
            round(top + shape_size(size) / 2, 1), written[-1] if has_note else None,
        )  # fmt: skip
    return None


def _beside(circle: Circle, name: str) -> list[tuple[Label, Box]]:
    """Places around the circle, below first: in two wide lines, then in three narrow ones."""
    found = []
    for (letters, most), side in product(
        ((OUTSIDE_LETTERS, OUTSIDE_LINES), (12, 3)),
        ("below", "right", "left", "above"),
    ):
        lines = wrap(name, letters, most, cut=True) or [""]
        size = SIZES[-1][1]
        across, tall = max(map(len, lines)) * LETTER * size, len(lines) * LINE * size
        away = circle.radius + 4
        left, top, anchor = {
            "below": (circle.x - across / 2, circle.y + away, "middle"),
            "above": (circle.x - across / 2, circle.y - away - tall, "middle"),
            "right": (circle.x + away, circle.y - tall / 2, "start"),
            "left": (circle.x - away - across, circle.y - tall / 2, "end"),
        }[side]
        x = {"middle": left + across / 2, "start": left, "end": left + across}[anchor]
        placed = tuple(
            (round(x, 1), round(top + (place + 0.78) * LINE * size, 1), line)
            for place, line in enumerate(lines)
        )
        box = Box(left, top, left + across, top + tall)
        found.append((Label(placed, anchor, False, size, circle.y), box))
    return found
