"""Writes what a person says about a topic; it is felt at once and binds every later run."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, update

from gaps import repository
from gaps.keeping import rows
from gaps.keeping.corrections import Correction, CorrectionKind
from gaps.keeping.lineage import EventKind, TopicEvent, name_topic
from gaps.tables import gaps, topic_corrections, topics
from gaps.types import Gap, GapKind, GapStatus
from kb import audit
from kb.errors import ConflictError, InvalidInputError

LONGEST_TITLE = 90
MOVABLE = frozenset({GapStatus.OPEN, GapStatus.DISMISSED, GapStatus.RESOLVED})
"""A gap somebody drafts for or has published for stays where the draft says it is."""


def read_corrections(connection: Connection, topic_id: str | None = None) -> list[Correction]:
    """Of one topic or of all, oldest first."""
    query = select(topic_corrections).order_by(topic_corrections.c.at, topic_corrections.c.id)
    if topic_id is not None:
        query = query.where(topic_corrections.c.topic_id == topic_id)
    return [
        Correction(
            row.id, row.at, row.by, row.topic_id, CorrectionKind(row.kind), row.value,
            tuple(row.ticket_ids), row.reason, row.judged,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def correct_kind(
    connection: Connection, gap: Gap, kind: GapKind, *, by: str, now: datetime, reason: str | None
) -> None:
    """ "This is not a missing article, it is one that needs an action." """
    connection.execute(
        update(gaps).where(gaps.c.id == gap.gap_id).values(
            kind=kind.value, probability=1.0, needs_look=False, updated_at=now
        )
    )  # fmt: skip
    _write(connection, gap, CorrectionKind.KIND_IS, kind.value, (), by=by, now=now, reason=reason)


def assign_owner(
    connection: Connection, gap: Gap, owner: str, *, by: str, now: datetime, reason: str | None
) -> None:
    """Hand a gap to another owner, now and in later runs."""
    connection.execute(
        update(gaps).where(gaps.c.id == gap.gap_id).values(owner=owner, updated_at=now)
    )
    _write(connection, gap, CorrectionKind.ASSIGN, owner, (), by=by, now=now, reason=reason)


def name_gap(
    connection: Connection, gap: Gap, title: str, *, by: str, now: datetime, reason: str | None
) -> None:
    """Give a topic a title of a person's own.

    Raises:
        InvalidInputError: The title is empty, longer than 90 characters or not one line.
    """
    clean = " ".join(title.split())
    if not clean or len(clean) > LONGEST_TITLE or not clean.isprintable():
        raise InvalidInputError(
            f"expected one line of 1 to {LONGEST_TITLE} characters", where="title"
        )
    for table, key in ((gaps, gap.gap_id), (topics, gap.topic_id)):
        connection.execute(
            update(table).where(table.c.id == key).values(title=clean, updated_at=now)
        )
    _write(connection, gap, CorrectionKind.TITLE_IS, clean, (), by=by, now=now, reason=reason)


def merge_gaps(
    connection: Connection, gone: Gap, into: Gap, *, by: str, now: datetime, reason: str | None
) -> None:
    """Say that two gaps are one; the first is resolved into the second.

    Raises:
        InvalidInputError: They are the same gap.
        ConflictError: The first is being drafted or has been published.
    """
    if gone.gap_id == into.gap_id:
        raise InvalidInputError("a gap cannot be merged into itself", where="into")
    if gone.status not in MOVABLE:
        raise ConflictError(
            f"gap {gone.gap_id} is {gone.status}; decide its draft first",
            id=gone.gap_id, status=gone.status.value,
        )  # fmt: skip
    both = tuple(dict.fromkeys((*into.ticket_ids, *gone.ticket_ids)))
    weeks = _add_weeks(into.weekly_counts, gone.weekly_counts)
    connection.execute(
        update(gaps).where(gaps.c.id == into.gap_id).values(
            ticket_ids=list(both), weekly_counts=weeks, updated_at=now,
            first_seen_at=min(into.first_seen_at, gone.first_seen_at),
            last_seen_at=max(into.last_seen_at, gone.last_seen_at),
        )
    )  # fmt: skip
    repository.write_gap_status(connection, gone.gap_id, GapStatus.RESOLVED, now=now)
    rows.move_members(connection, gone.topic_id, into.topic_id)
    event = TopicEvent(gone.topic_id, EventKind.MERGED, (into.topic_id,), len(gone.ticket_ids))
    rows.write_events(connection, [event], run_id=None, now=now)
    _write(
        connection, gone, CorrectionKind.MERGE, into.topic_id, gone.ticket_ids,
        by=by, now=now, reason=reason,
    )  # fmt: skip


def split_gap(
    connection: Connection,
    gap: Gap,
    ticket_ids: Sequence[str],
    *,
    by: str,
    now: datetime,
    reason: str | None,
) -> str:
    """Take tickets out of a gap into a gap of their own, of the same kind until the next run.

    Returns:
        Id of the new gap.

    Raises:
        InvalidInputError: The tickets are not the gap's, or all of them.
        ConflictError: The gap is being drafted or has been published.
    """
    chosen = tuple(dict.fromkeys(ticket_ids))
    strange = sorted(set(chosen) - set(gap.ticket_ids))
    if strange or not chosen or len(chosen) == len(gap.ticket_ids):
        told = f"not its tickets: {', '.join(strange[:5])}" if strange else "some, not all"
        raise InvalidInputError(f"expected some of the gap's tickets ({told})", where="tickets")
    if gap.status not in MOVABLE:
        raise ConflictError(
            f"gap {gap.gap_id} is {gap.status}; decide its draft first",
            id=gap.gap_id, status=gap.status.value,
        )  # fmt: skip
    stored = rows.read_topic(connection, gap.topic_id)
    new_id = name_topic(chosen, [s.topic.topic_id for s in rows.read_topics(connection)])
    topic = replace(stored.topic, topic_id=new_id, ticket_ids=chosen)
    fresh = replace(stored, topic=topic, created_at=now, updated_at=now, centroid=stored.centroid)
    rows.write_topic(connection, fresh)
    rows.write_members(connection, new_id, dict.fromkeys(chosen, 1.0), now=now)
    left = tuple(key for key in gap.ticket_ids if key not in set(chosen))
    run_id = repository.read_stored_gap(connection, gap.gap_id).run_id
    new = replace(
        gap, gap_id=new_id.replace("top_", "gap_"), topic_id=new_id, ticket_ids=chosen,
        status=GapStatus.OPEN,
    )  # fmt: skip
    repository.write_gap(connection, new, run_id=run_id, now=now)
    repository.write_gap(connection, replace(gap, ticket_ids=left), run_id=run_id, now=now)
    event = TopicEvent(new_id, EventKind.SPLIT, (gap.topic_id,), len(chosen))
    rows.write_events(connection, [event], run_id=None, now=now)
    _write(connection, gap, CorrectionKind.SPLIT, new_id, chosen, by=by, now=now, reason=reason)
    return new.gap_id


def note_dismissal(
    connection: Connection, gap: Gap, *, by: str, now: datetime, reason: str
) -> None:
    """Keep a dismissal as training: this was judged a gap and is none."""
    _write(connection, gap, CorrectionKind.NOT_A_GAP, None, (), by=by, now=now, reason=reason)


def _write(
    connection: Connection,
    gap: Gap,
    kind: CorrectionKind,
    value: str | None,
    ticket_ids: Sequence[str],
    *,
    by: str,
    now: datetime,
    reason: str | None,
) -> None:
    connection.execute(
        insert(topic_corrections).values(
            id=f"co_{secrets.token_hex(10)}", at=now, by=by, topic_id=gap.topic_id,
            kind=kind.value, value=value, ticket_ids=list(ticket_ids), reason=reason,
            judged=_judged(gap),
        )
    )  # fmt: skip
    audit.write_entry(
        connection, at=now, actor=by, action=f"gap.{kind.value}", subject=gap.gap_id,
        details={"value": value, "reason": reason, "tickets": len(ticket_ids)},
    )  # fmt: skip


def _judged(gap: Gap) -> dict[str, Any]:
    return {
        "kind": gap.kind.value,
        "probability": gap.probability,
        "needs_look": gap.needs_look,
        "signals": sorted(reason.signal for reason in gap.reasons),
        "tickets": len(gap.ticket_ids),
        "requesters": gap.requester_count,
        "impact_per_week": gap.impact_per_week,
    }


def _add_weeks(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Two series that end in the same week."""
    length = max(len(left), len(right))
    padded = [np.pad(np.asarray(s, int), (length - len(s), 0)) for s in (left, right)]
    return [int(count) for count in padded[0] + padded[1]]
