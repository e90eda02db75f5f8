"""Writes the topics of a run: members, history, areas and the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from gaps.keeping import rows
from gaps.keeping.areas import gather_areas, lay_out
from gaps.keeping.lineage import EventKind, TopicEvent, name_topic, trace_lineage
from gaps.keeping.rows import COARSE, StoredTopic
from gaps.types import Topic
from kb.ports import Vectors

AREA_TERMS = 5


def write_topics(
    connection: Connection,
    found: Sequence[tuple[StoredTopic, Mapping[str, float]]],
    events: Sequence[TopicEvent],
    looked_at: Sequence[str],
    *,
    anew: bool,
    run_id: str,
    now: datetime,
) -> None:
    """Store topics with the closeness of their tickets, and what became of others.

    Args:
        connection: In a transaction.
        found: Topics with cosines by ticket id.
        events: What happened to whom.
        looked_at: All tickets of the run that could be in a topic.
        anew: Whether all topics were found anew.
        run_id: The run.
        now: When.
    """
    held = rows.read_memberships(connection, looked_at)
    placed: set[str] = set()
    for topic, closeness in found:
        rows.write_topic(connection, topic)
        key = topic.topic.topic_id
        fresh = {
            ticket: cosine
            for ticket, cosine in closeness.items()
            if anew or ticket not in held or held[ticket].topic_id != key
        }
        rows.write_members(connection, key, fresh, now=now, anew=anew)
        placed |= set(closeness)
    dissolved = {event.topic_id for event in events if event.kind is EventKind.DISSOLVED}
    left = [
        ticket
        for ticket in looked_at
        if ticket not in placed
        # Who dissolved may come back: its tickets say who it was.
        and (ticket not in held or (anew and held[ticket].topic_id not in dissolved))
    ]
    rows.write_members(connection, None, dict.fromkeys(left, 0.0), now=now, anew=anew)
    rows.write_events(connection, events, run_id=run_id, now=now)


def write_atlas(
    connection: Connection, coarse_of: Mapping[str, int], recipe: str, *, now: datetime
) -> None:
    """Put every topic into an area and both on the map.

    Args:
        connection: In a transaction.
        coarse_of: Coarse topic by ticket id; empty where the areas stand: then only topics without
            one are put into the nearest.
        recipe: Of the vectors.
        now: When.
    """
    every = [s for s in rows.read_topics(connection, level=None) if s.recipe == recipe]
    fine = {s.topic.topic_id: s for s in every if s.level == rows.FINE and s.topic.ticket_ids}
    areas = {s.topic.topic_id: s for s in every if s.level == COARSE}
    if not fine:
        return
    home = _find_homes(fine, areas, coarse_of)
    sizes = {key: len(stored.topic.ticket_ids) for key, stored in fine.items()}
    places = lay_out({key: stored.centroid for key, stored in fine.items()}, home, sizes)
    for area_id in sorted(set(home.values())):
        members = sorted(
            (fine[key] for key, area in home.items() if area == area_id),
            key=lambda stored: (-sizes[stored.topic.topic_id], stored.topic.topic_id),
        )
        rows.write_topic(
            connection, _describe_area(area_id, members, areas.get(area_id), places[area_id], now)
        )
    for key, stored in sorted(fine.items()):
        rows.write_topic(connection, replace(stored, parent_id=home[key], place=places[key]))


def _find_homes(
    fine: Mapping[str, StoredTopic],
    areas: Mapping[str, StoredTopic],
    coarse_of: Mapping[str, int],
) -> dict[str, str]:
    """Area id by topic id; areas keep their ids as topics do, by the topics they share."""
    before = {
        area: tuple(key for key, stored in fine.items() if stored.parent_id == area)
        for area in areas
    }
    if coarse_of or not areas:
        members = {key: stored.topic.ticket_ids for key, stored in fine.items()}
        lineage = trace_lineage(
            gather_areas(members, coarse_of),
            {area: keys for area, keys in before.items() if keys},
            alike=lambda _one, _two: 0.0,
            taken=[*fine, *areas],
        )
        return {key: area for area, group in lineage.topics for key in group}
    home: dict[str, str] = {}
    for key, stored in sorted(fine.items()):
        home[key] = (
            stored.parent_id or _nearest_area(stored, fine) or name_topic([key], fine, areas)
        )
    return home


def _nearest_area(stored: StoredTopic, fine: Mapping[str, StoredTopic]) -> str | None:
    placed = [other for _, other in sorted(fine.items()) if other.parent_id is not None]
    if not placed:
        return None
    cosines = np.stack([other.centroid for other in placed]) @ stored.centroid
    return placed[int(np.argmax(np.round(cosines, 5)))].parent_id


def _describe_area(
    area_id: str,
    members: Sequence[StoredTopic],
    before: StoredTopic | None,
    place: tuple[float, float],
    now: datetime,
) -> StoredTopic:
    """Called by the first terms of its topics, largest topic first."""
    terms = list(dict.fromkeys(term for stored in members for term in stored.topic.terms[:2]))
    total: Vectors = np.sum(
        [stored.centroid * len(stored.topic.ticket_ids) for stored in members], axis=0
    )
    length = float(np.linalg.norm(total))
    title = ", ".join(terms[:3]) or members[0].topic.title
    return StoredTopic(
        topic=Topic(area_id, title, tuple(terms[:AREA_TERMS]), ()),
        centroid=np.asarray(total / length if length else total, np.float32),
        recipe=members[0].recipe,
        created_at=before.created_at if before is not None else now,
        updated_at=now,
        level=COARSE,
        place=place,
    )
