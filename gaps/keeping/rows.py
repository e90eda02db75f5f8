"""SQL for topics, their members and their history; inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select, update

from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.tables import tickets, topic_events, topic_members, topics
from gaps.types import Topic
from kb.errors import NotFoundError
from kb.ports import Vectors

FINE, COARSE, PAIR = "fine", "coarse", "pair"
BATCH = 500


@dataclass(frozen=True, slots=True)
class StoredTopic:
    """A topic as the last run that saw it left it."""

    topic: Topic
    centroid: Vectors
    recipe: str
    created_at: datetime
    updated_at: datetime
    level: str = FINE
    """"fine": what gaps are about; "coarse": an area that holds fine topics; "pair": what two
    articles are given for that say the same."""
    parent_id: str | None = None
    """The area of a fine topic."""
    merged_into: str | None = None
    radius: float = 1.0
    """Cosine to the centroid from which a new ticket belongs to it."""
    place: tuple[float, float] | None = None
    """Where it stands on the map, both 0 to 1."""


def read_topics(
    connection: Connection, *, level: str | None = FINE, merged: bool = False
) -> list[StoredTopic]:
    """Topics by id with all tickets they ever had, most central first.

    Args:
        connection: Any.
        level: Of this level only; None for all.
        merged: Also those that were merged into others.
    """
    query = select(topics).order_by(topics.c.id)
    if level is not None:
        query = query.where(topics.c.level == level)
    if not merged:
        query = query.where(topics.c.merged_into.is_(None))
    members = read_members(connection)
    return [_to_topic(row, members.get(row.id, ())) for row in connection.execute(query)]


def read_topic(connection: Connection, topic_id: str) -> StoredTopic:
    """One topic, whatever became of it.

    Raises:
        NotFoundError: There is none of that id.
    """
    row = connection.execute(select(topics).where(topics.c.id == topic_id)).first()
    if row is None:
        raise NotFoundError("topic", topic_id)
    return _to_topic(row, read_members(connection, topic_id).get(topic_id, ()))


def read_members(connection: Connection, topic_id: str | None = None) -> dict[str, tuple[str, ...]]:
    """Ticket ids by topic, most central first; ties by id."""
    query = select(topic_members.c.topic_id, topic_members.c.ticket_id).order_by(
        topic_members.c.topic_id, topic_members.c.similarity.desc(), topic_members.c.ticket_id
    )
    query = query.where(topic_members.c.topic_id.is_not(None))
    if topic_id is not None:
        query = query.where(topic_members.c.topic_id == topic_id)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.topic_id].append(row.ticket_id)
    return {key: tuple(ids) for key, ids in found.items()}


def write_topic(connection: Connection, stored: StoredTopic) -> None:
    """Insert the topic or replace what is known of it; its members are written apart."""
    columns = {
        "title": stored.topic.title,
        "terms": list(stored.topic.terms),
        "centroid": np.asarray(stored.centroid, np.float32).tobytes(),
        "recipe": stored.recipe,
        "level": stored.level,
        "parent_id": stored.parent_id,
        "merged_into": stored.merged_into,
        "radius": stored.radius,
        "place": list(stored.place) if stored.place is not None else None,
        "updated_at": stored.updated_at,
    }
    key = stored.topic.topic_id
    changed = connection.execute(update(topics).where(topics.c.id == key).values(**columns))
    if changed.rowcount == 0:
        connection.execute(insert(topics).values(id=key, created_at=stored.created_at, **columns))


def write_members(
    connection: Connection,
    topic_id: str | None,
    similarities: Mapping[str, float],
    *,
    now: datetime,
    anew: bool = True,
) -> None:
    """Put tickets into a topic, out of whichever they were in.

    Args:
        connection: In a transaction.
        topic_id: None says that they were looked at and belong to no topic.
        similarities: Cosine with the topic's centroid by ticket id.
        now: When.
        anew: Whether all topics were found anew then, and not only these tickets put into them.
    """
    ids = sorted(similarities)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        connection.execute(delete(topic_members).where(topic_members.c.ticket_id.in_(batch)))
        connection.execute(
            insert(topic_members),
            [
                {
                    "ticket_id": key, "topic_id": topic_id, "at": now, "anew": anew,
                    "similarity": round(float(similarities[key]), 5),
                }
                for key in batch
            ],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a ticket was put when it was looked at."""

    topic_id: str | None
    similarity: float
    anew: bool
    """When all topics were found anew, and not after."""


def read_memberships(connection: Connection, ticket_ids: Sequence[str]) -> dict[str, Membership]:
    """Of those of some tickets that an earlier run has looked at."""
    found: dict[str, Membership] = {}
    ids = sorted(ticket_ids)
    for start in range(0, len(ids), BATCH):
        rows = connection.execute(
            select(topic_members).where(topic_members.c.ticket_id.in_(ids[start : start + BATCH]))
        )
        found |= {row.ticket_id: Membership(row.topic_id, row.similarity, row.anew) for row in rows}
    return found


def move_members(connection: Connection, gone: str, into: str) -> None:
    """All tickets of one topic to another, and the mark that it was merged."""
    connection.execute(
        update(topic_members).where(topic_members.c.topic_id == gone).values(topic_id=into)
    )
    connection.execute(update(topics).where(topics.c.id == gone).values(merged_into=into))


def write_events(
    connection: Connection, events: Sequence[TopicEvent], *, run_id: str | None, now: datetime
) -> None:
    for event in events:
        connection.execute(
            insert(topic_events).values(
                at=now, run_id=run_id, topic_id=event.topic_id, kind=event.kind.value,
                others=list(event.others), ticket_count=event.ticket_count,
            )
        )  # fmt: skip


def read_events(connection: Connection, topic_id: str) -> list[tuple[datetime, TopicEvent]]:
    """What became of a topic, and of others in which it took part; oldest first."""
    rows = connection.execute(select(topic_events).order_by(topic_events.c.id))
    return [
        (row.at, TopicEvent(row.topic_id, EventKind(row.kind), tuple(row.others), row.ticket_count))
        for row in rows
        if row.topic_id == topic_id or topic_id in row.others
    ]


def read_instants(connection: Connection, topic_id: str) -> list[datetime]:
    """When each ticket of a topic was asked, oldest first: its whole series."""
    rows = connection.execute(
        select(tickets.c.created_at)
        .join(topic_members, topic_members.c.ticket_id == tickets.c.id)
        .where(topic_members.c.topic_id == topic_id)
        .order_by(tickets.c.created_at)
    )
    return [row.created_at for row in rows]


def _to_topic(row: Row[Any], ticket_ids: Sequence[str]) -> StoredTopic:
    return StoredTopic(
        topic=Topic(row.id, row.title, tuple(row.terms), tuple(ticket_ids)),
        centroid=np.frombuffer(row.centroid, np.float32),
        recipe=row.recipe,
        created_at=row.created_at,
        updated_at=row.updated_at,
        level=row.level,
        parent_id=row.parent_id,
        merged_into=row.merged_into,
        radius=row.radius,
        place=(row.place[0], row.place[1]) if row.place else None,
    )
