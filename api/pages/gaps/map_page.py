"""The map of topics: areas first, then the topics of one; drawn here, without a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.auth import Kb
from api.pages.gaps import wording
from api.pages.gaps.map_facts import NO_AREA, MapArea, MapTopic, find_area, read_areas
from api.pages.gaps.map_labels import Label, Name, place_labels, shape_size
from api.pages.gaps.map_layout import Circle, Spot, lay_out
from api.pages.layout import render_page
from api.pages.session import PageCaller
from api.pages.wording import figure, label, plural
from gaps.types import Gap, GapKind

DESK, PHONE = (1040.0, 600.0), (320.0, 600.0)
"""Sizes that the map is drawn for: a shrunk drawing would have unreadable names."""
MOST_DRAWN = {DESK: 80, PHONE: 30}
MOST_SHAPES = 3
SHAPE_ROOM = 2.0
"""A shape and its number, in sizes of the shape."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """An area or a topic, as a mark of the map and a line of its table."""

    key: str
    title: str
    href: str
    tickets: int
    kinds: tuple[tuple[str, int], ...]
    """Of its open gaps, the strongest kind first, with how many."""
    impact_per_week: float
    place: tuple[float, float] | None

    @property
    def told(self) -> str:
        """What a mark says to those who point at it or have it read to them."""
        gaps = ", ".join(
            f"{count} {label(kind).lower()}" if count > 1 else label(kind).lower()
            for kind, count in self.kinds
        )
        saved = f", {figure(self.impact_per_week)} tickets a week to be saved" if gaps else ""
        return f"{self.title}: {plural(self.tickets, 'ticket')}; {gaps or 'no open gap'}{saved}"


@dataclass(frozen=True, slots=True)
class Shape:
    kind: str
    x: float
    y: float
    size: float
    count: int
    """Written beside it; 0 where there is only one thing to show."""


@dataclass(frozen=True, slots=True)
class DrawnEntry:
    entry: Entry
    circle: Circle
    label: Label | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class DrawnMap:
    width: float
    height: float
    marks: tuple[DrawnEntry, ...]
    left_out: int


@router.get("/gaps/map")
def show_map(
    kb: Kb, page: PageCaller, area: Annotated[str, Query(max_length=60)] = ""
) -> HTMLResponse:
    """All areas, or the topics of one; the topics themselves where there is only one area."""
    with kb.database.read() as connection:
        areas = read_areas(connection)
    chosen = find_area(areas, area) if area else areas[0] if len(areas) == 1 else None
    entries = (
        [_topic_entry(topic) for topic in chosen.topics]
        if chosen
        else [_area_entry(found) for found in areas]
    )
    present = Counter(
        kind for entry in entries for kind, count in entry.kinds for _ in range(count)
    )
    return render_page(
        "gap_map.html",
        viewer=page,
        chosen=chosen,
        no_area=NO_AREA,
        areas=areas,
        entries=entries,
        maps=[("wide", draw_map(entries, DESK)), ("narrow", draw_map(entries, PHONE))],
        legend=[(kind.value, present[kind.value]) for kind in GapKind if present[kind.value]],
        meanings={kind.value: text.meaning for kind, text in wording.KINDS.items()},
    )


def draw_map(entries: Sequence[Entry], size: tuple[float, float]) -> DrawnMap:
    """The largest entries as circles with shapes and names, largest first.

    Args:
        entries: Keys unique.
        size: DESK or PHONE.
    """
    width, height = size
    ordered = sorted(entries, key=lambda entry: (-entry.tickets, entry.key))[: MOST_DRAWN[size]]
    by_key = {entry.key: entry for entry in ordered}
    circles = lay_out([Spot(e.key, e.tickets, e.place) for e in ordered], width, height)
    labels = place_labels(
        circles,
        {e.key: Name(e.title, plural(e.tickets, "ticket"), bool(e.kinds)) for e in ordered},
        width,
        height,
    )
    marks = tuple(
        DrawnEntry(
            by_key[circle.key], circle, labels.get(circle.key),
            place_shapes(by_key[circle.key].kinds, circle, labels.get(circle.key)),
        )
        for circle in circles
    )  # fmt: skip
    return DrawnMap(width, height, marks, len(entries) - len(ordered))


def place_shapes(
    kinds: Sequence[tuple[str, int]], circle: Circle, text: Label | None
) -> tuple[Shape, ...]:
    """The shapes of an entry's kinds in a row, above its name or in the middle of its circle."""
    is_inside = text is not None and text.is_inside
    middle = text.shapes_y if text is not None else circle.y
    size = shape_size(text.size) if text is not None and is_inside else 15.0
    room = SHAPE_ROOM * size
    if sum(count for _, count in kinds) == 1 or (not is_inside and circle.radius < room):
        size = size if is_inside else min(22.0, round(circle.radius * 1.05, 1))
        x, y = circle.x - size / 2, middle - size / 2
        return tuple(Shape(kind, round(x, 1), round(y, 1), size, 0) for kind, _ in kinds[:1])
    half = (circle.radius**2 - (abs(middle - circle.y) + size / 2) ** 2) ** 0.5
    shown = kinds[: max(1, min(MOST_SHAPES, int((2 * half - 4) / room)))]
    left = circle.x - len(shown) * room / 2 + size / 8
    return tuple(
        Shape(kind, round(left + place * room, 1), round(middle - size / 2, 1), size, count)
        for place, (kind, count) in enumerate(shown)
    )


def _area_entry(area: MapArea) -> Entry:
    return Entry(
        area.area_id, area.title, f"/gaps/map?area={quote(area.area_id, safe='')}", area.tickets,
        _count_kinds(area.open_gaps), area.impact_per_week, area.place,
    )  # fmt: skip


def _topic_entry(topic: MapTopic) -> Entry:
    """Leads to the topic's gap; where it has none, to its line of the table."""
    gap = topic.open_gap
    href = f"/gaps/{quote(topic.gap.gap_id, safe='')}" if topic.gap else f"#{quote(topic.topic_id)}"
    return Entry(
        topic.topic_id, topic.title, href, topic.tickets, ((gap.kind.value, 1),) if gap else (),
        gap.impact_per_week if gap else 0.0, topic.place,
    )  # fmt: skip


def _count_kinds(gaps: Sequence[Gap]) -> tuple[tuple[str, int], ...]:
    """Kinds by the tickets they would save together, most first."""
    counts: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    for gap in gaps:
        counts[gap.kind.value] += 1
        saved[gap.kind.value] += round(1000 * gap.impact_per_week)
    return tuple((kind, counts[kind]) for kind in sorted(counts, key=lambda k: (-saved[k], k)))
