"""What the map shows: areas, their topics and the open gaps among them, read in one snapshot."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from gaps.keeping.rows import COARSE
from gaps.repository import read_gaps
from gaps.tables import topic_members, topics
from gaps.types import Gap, GapStatus
from kb.errors import NotFoundError

OPEN = (GapStatus.OPEN, GapStatus.DRAFTING)
NO_AREA = "none"
"""Stands in addresses for the topics that lie in no area."""


@dataclass(frozen=True, slots=True)
class MapTopic:
    topic_id: str
    title: str
    tickets: int
    place: tuple[float, float] | None
    gap: Gap | None
    """Its gap, whatever its state."""

    @property
    def open_gap(self) -> Gap | None:
        return self.gap if self.gap is not None and self.gap.status in OPEN else None


@dataclass(frozen=True, slots=True)
class MapArea:
    area_id: str
    title: str
    place: tuple[float, float] | None
    topics: tuple[MapTopic, ...]
    """Most tickets first."""

    @property
    def tickets(self) -> int:
        return sum(topic.tickets for topic in self.topics)

    @property
    def open_gaps(self) -> tuple[Gap, ...]:
        """Strongest first."""
        found = [topic.open_gap for topic in self.topics if topic.open_gap is not None]
        return tuple(sorted(found, key=lambda gap: (-gap.priority, gap.gap_id)))

    @property
    def impact_per_week(self) -> float:
        return sum(gap.impact_per_week for gap in self.open_gaps)


def read_areas(connection: Connection) -> list[MapArea]:
    """Areas that hold topics, most tickets first; topics without an area come as one more."""
    gaps = {gap.topic_id: gap for gap in read_gaps(connection)}
    counts = _count_members(connection)
    areas: dict[str, tuple[str, tuple[float, float] | None]] = {}
    held: defaultdict[str, list[MapTopic]] = defaultdict(list)
    found = connection.execute(
        select(topics.c.id, topics.c.title, topics.c.level, topics.c.parent_id, topics.c.place)
        .where(topics.c.merged_into.is_(None))
        .order_by(topics.c.id)
    ).all()
    for row in found:
        if row.level == COARSE:
            areas[row.id] = (row.title, _to_place(row.place))
    for row in found:
        tickets = counts.get(row.id, 0)
        if row.level != COARSE and (tickets or row.id in gaps):
            topic = MapTopic(row.id, row.title, tickets, _to_place(row.place), gaps.get(row.id))
            held[row.parent_id if row.parent_id in areas else NO_AREA].append(topic)
    areas[NO_AREA] = ("In no area", None)
    result = [
        MapArea(key, title, place, tuple(sorted(held[key], key=lambda t: (-t.tickets, t.topic_id))))
        for key, (title, place) in areas.items()
        if key in held
    ]
    return sorted(result, key=lambda area: (-area.tickets, area.area_id))


def _count_members(connection: Connection) -> dict[str, int]:
    """Tickets by topic."""
    members = select(topic_members.c.topic_id, func.count()).group_by(topic_members.c.topic_id)
    found = connection.execute(members.where(topic_members.c.topic_id.is_not(None)))
    return {key: int(count) for key, count in found}


def find_area(areas: list[MapArea], area_id: str) -> MapArea:
    """Raises NotFoundError where no such area holds topics."""
    for area in areas:
        if area.area_id == area_id:
            return area
    raise NotFoundError("area", area_id)


def _to_place(stored: object) -> tuple[float, float] | None:
    if not isinstance(stored, list) or len(stored) != 2:
        return None
    return float(stored[0]), float(stored[1])
