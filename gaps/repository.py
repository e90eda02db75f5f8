"""SQL for tickets, gaps and the runs that found them.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, func, insert, select, update

from gaps.ranking.weeks import weekly_rate
from gaps.tables import (
    coverages,
    freshness_terms,
    freshness_tickets,
    freshness_uses,
    gap_runs,
    gaps,
    tickets,
    topic_members,
)
from gaps.types import Gap, GapKind, GapStatus, Reason, Reply, Ticket, TicketStatus
from kb import audit
from kb.clock import format_instant, parse_instant
from kb.errors import ConflictError, NotFoundError
from kb.learning.judgements import delete_judgement
from kb.types import Audience
from kb.vectors import delete_unused_embeddings, hash_text

SELECT_BATCH = 500


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A gap with what only the bookkeeping of runs needs."""

    gap: Gap
    run_id: str
    created_at: datetime
    updated_at: datetime
    dismissed_by: str | None
    dismissed_ticket_count: int | None
    dismissed_weekly: float | None = None
    """Tickets a week when it was dismissed."""
    dismissed_growth: float | None = None
    """Factor its owner named; the team's where None."""


def read_ticket(connection: Connection, ticket_id: str) -> Ticket:
    row = connection.execute(select(tickets).where(tickets.c.id == ticket_id)).first()
    if row is None:
        raise NotFoundError("ticket", ticket_id)
    return _to_ticket(row)


def read_tickets(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[str] | None = None,
) -> list[Ticket]:
    """Tickets created in `since` <= t < `until`, by id; or those of `ids` that exist."""
    query = select(tickets).order_by(tickets.c.id)
    if since is not None:
        query = query.where(tickets.c.created_at >= since)
    if until is not None:
        query = query.where(tickets.c.created_at < until)
    if ids is None:
        return [_to_ticket(row) for row in connection.execute(query)]
    found: list[Ticket] = []
    for batch in _batches(sorted(set(ids))):
        rows = connection.execute(query.where(tickets.c.id.in_(batch)))
        found.extend(_to_ticket(row) for row in rows)
    return found


def read_solved_tickets(connection: Connection, limit: int) -> list[Ticket]:
    """The newest solved or closed tickets that link a document, newest first."""
    query = (
        select(tickets)
        .where(
            tickets.c.status.in_([TicketStatus.SOLVED.value, TicketStatus.CLOSED.value]),
            cast(tickets.c.linked_articles, Text) != "[]",
        )
        .order_by(tickets.c.created_at.desc(), tickets.c.id.desc())
        .limit(limit)
    )
    return [_to_ticket(row) for row in connection.execute(query)]


def count_tickets(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(tickets)).scalar_one())


def read_ticket_hashes(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Content hashes of the tickets that are stored, by id."""
    found: dict[str, str] = {}
    for batch in _batches(sorted(set(ids))):
        rows = connection.execute(
            select(tickets.c.id, tickets.c.content_hash).where(tickets.c.id.in_(batch))
        )
        found |= {row.id: row.content_hash for row in rows}
    return found


def write_ticket(
    connection: Connection, ticket: Ticket, content_hash: str, *, exists: bool, now: datetime
) -> None:
    """Insert a ticket, or take its new state where `exists`."""
    columns = {
        "content_hash": content_hash,
        "created_at": ticket.created_at,
        "subject": ticket.subject,
        "body": ticket.body,
        "status": ticket.status.value,
        "solved_at": ticket.solved_at,
        "resolution": ticket.resolution,
        "replies": [
            {
                "author_role": reply.author_role,
                "created_at": format_instant(reply.created_at),
                "body": reply.body,
            }
            for reply in ticket.replies
        ],
        "linked_articles": list(ticket.linked_articles),
        "helpful": ticket.helpful,
        "reopened": ticket.reopened,
        "escalated": ticket.escalated,
        "channel": ticket.channel,
        "product": ticket.product,
        "tags": list(ticket.tags),
        "requester": ticket.requester,
        "error_code": ticket.error_code,
        "audience": ticket.audience.value,
        "masked": ticket.masked,
        "imported_at": now,
    }
    if exists:
        connection.execute(
            update(tickets).where(tickets.c.id == ticket.ticket_id).values(**columns)
        )
    else:
        connection.execute(insert(tickets).values(id=ticket.ticket_id, **columns))


def delete_ticket(connection: Connection, ticket_id: str, *, actor: str, now: datetime) -> None:
    """Forget a ticket: its text, what it taught, and vectors that no other text uses; audited.

    Gaps keep its id, drafts the sentences they quote from it.

    Raises:
        NotFoundError: There is none of that id.
    """
    ticket = read_ticket(connection, ticket_id)
    hashes = delete_judgement(connection, judgement_ref(ticket_id))
    hashes |= {hash_text(ticket.question), hash_text(ticket.resolution or "")}
    connection.execute(delete(topic_members).where(topic_members.c.ticket_id == ticket_id))
    for table in (coverages, freshness_uses, freshness_terms, freshness_tickets):
        connection.execute(delete(table).where(table.c.ticket_id == ticket_id))
    connection.execute(delete(tickets).where(tickets.c.id == ticket_id))
    audit.write_entry(
        connection, at=now, actor=actor, action="ticket.delete", subject=ticket_id,
        details={"vectors": delete_unused_embeddings(connection, hashes)},
    )  # fmt: skip


def judgement_ref(ticket_id: str) -> str:
    """What a ticket is called among the judgements."""
    return f"ticket:{ticket_id}"


def _to_ticket(row: Row[Any]) -> Ticket:
    return Ticket(
        ticket_id=row.id,
        created_at=row.created_at,
        subject=row.subject,
        body=row.body,
        status=TicketStatus(row.status),
        audience=Audience(row.audience),
        solved_at=row.solved_at,
        resolution=row.resolution,
        replies=tuple(
            Reply(r["author_role"], parse_instant(r["created_at"]), r["body"]) for r in row.replies
        ),
        linked_articles=tuple(row.linked_articles),
        helpful=row.helpful,
        reopened=row.reopened,
        escalated=row.escalated,
        channel=row.channel,
        product=row.product,
        tags=tuple(row.tags),
        requester=row.requester,
        error_code=row.error_code,
        masked=row.masked,
    )


def read_gap(connection: Connection, gap_id: str) -> Gap:
    """One gap.

    Raises:
        NotFoundError: There is none of that id.
    """
    return read_stored_gap(connection, gap_id).gap


def read_stored_gap(connection: Connection, gap_id: str) -> StoredGap:
    row = connection.execute(select(gaps).where(gaps.c.id == gap_id)).first()
    if row is None:
        raise NotFoundError("gap", gap_id)
    return _to_gap(row)


def read_gaps(
    connection: Connection,
    *,
    status: GapStatus | None = None,
    kind: GapKind | None = None,
    owner: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Gap]:
    """Gaps, highest priority first; ties by id."""
    query = select(gaps).order_by(gaps.c.priority.desc(), gaps.c.id)
    for column, wanted in ((gaps.c.status, status), (gaps.c.kind, kind), (gaps.c.owner, owner)):
        if wanted is not None:
            query = query.where(column == str(wanted))
    if limit is not None or offset:
        query = query.limit(-1 if limit is None else limit).offset(offset)
    return [_to_gap(row).gap for row in connection.execute(query)]


def read_stored_gaps(connection: Connection) -> list[StoredGap]:
    """Every gap, by id."""
    return [_to_gap(row) for row in connection.execute(select(gaps).order_by(gaps.c.id))]


def write_gap(connection: Connection, gap: Gap, *, run_id: str, now: datetime) -> None:
    """Insert the gap or bring it up to date; who dismissed it stays as it was."""
    columns = {
        "topic_id": gap.topic_id,
        "kind": gap.kind.value,
        "status": gap.status.value,
        "title": gap.title,
        "terms": list(gap.terms),
        "priority": gap.priority,
        "probability": gap.probability,
        "impact_per_week": gap.impact_per_week,
        "impact_low": gap.impact_low,
        "impact_high": gap.impact_high,
        "requester_count": gap.requester_count,
        "needs_look": gap.needs_look,
        "audience": gap.audience.value,
        "owner": gap.owner,
        "ticket_ids": list(gap.ticket_ids),
        "document_ids": list(gap.document_ids),
        "reasons": [asdict(reason) for reason in gap.reasons],
        "weekly_counts": list(gap.weekly_counts),
        "first_seen_at": gap.first_seen_at,
        "last_seen_at": gap.last_seen_at,
        "updated_at": now,
        "run_id": run_id,
    }
    changed = connection.execute(update(gaps).where(gaps.c.id == gap.gap_id).values(**columns))
    if changed.rowcount == 0:
        connection.execute(insert(gaps).values(id=gap.gap_id, created_at=now, **columns))


def write_gap_status(
    connection: Connection, gap_id: str, status: GapStatus, *, now: datetime
) -> None:
    """Move a gap on; whether the step is allowed is the caller's to know.

    Raises:
        NotFoundError: There is none of that id.
    """
    changed = connection.execute(
        update(gaps).where(gaps.c.id == gap_id).values(status=status.value, updated_at=now)
    )
    if changed.rowcount == 0:
        raise NotFoundError("gap", gap_id)


def dismiss_gap(
    connection: Connection,
    gap_id: str,
    *,
    reason: str,
    by: str,
    now: datetime,
    growth: float | None = None,
) -> Gap:
    """Take a gap off the list until its topic has grown; audited.

    Dismissing again for the same reason changes nothing.

    Args:
        connection: In a transaction.
        gap_id: Which.
        reason: For whoever asks why.
        by: Who decided.
        now: When.
        growth: Factor of its weekly tickets that opens it again; the team's unless given.

    Raises:
        NotFoundError: There is none of that id.
        ConflictError: It is being drafted, published or resolved, or dismissed for another reason.
    """
    stored = read_stored_gap(connection, gap_id)
    if stored.gap.status is GapStatus.DISMISSED and stored.gap.dismissed_reason == reason:
        return stored.gap
    if stored.gap.status is not GapStatus.OPEN:
        raise ConflictError(
            f"gap {gap_id} is {stored.gap.status}, only an open one can be dismissed",
            id=gap_id,
            status=stored.gap.status.value,
        )
    connection.execute(
        update(gaps)
        .where(gaps.c.id == gap_id)
        .values(
            status=GapStatus.DISMISSED.value,
            dismissed_by=by,
            dismissed_reason=reason,
            dismissed_ticket_count=len(stored.gap.ticket_ids),
            dismissed_weekly=weekly_rate(stored.gap.weekly_counts),
            dismissed_growth=growth,
            updated_at=now,
        )
    )
    audit.write_entry(
        connection, at=now, actor=by, action="gap.dismiss", subject=gap_id,
        details={"reason": reason, "tickets": len(stored.gap.ticket_ids), "growth": growth},
    )  # fmt: skip
    return read_gap(connection, gap_id)


def _to_gap(row: Row[Any]) -> StoredGap:
    gap = Gap(
        gap_id=row.id,
        topic_id=row.topic_id,
        kind=GapKind(row.kind),
        status=GapStatus(row.status),
        title=row.title,
        terms=tuple(row.terms),
        priority=row.priority,
        probability=row.probability,
        impact_per_week=row.impact_per_week,
        audience=Audience(row.audience),
        owner=row.owner,
        ticket_ids=tuple(row.ticket_ids),
        document_ids=tuple(row.document_ids),
        reasons=tuple(Reason(r["signal"], r["text"], tuple(r["evidence"])) for r in row.reasons),
        weekly_counts=tuple(row.weekly_counts),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        dismissed_reason=row.dismissed_reason,
        impact_low=row.impact_low,
        impact_high=row.impact_high,
        requester_count=row.requester_count,
        needs_look=row.needs_look,
    )
    return StoredGap(
        gap, row.run_id, row.created_at, row.updated_at, row.dismissed_by,
        row.dismissed_ticket_count, row.dismissed_weekly, row.dismissed_growth,
    )  # fmt: skip


def write_gap_run(
    connection: Connection,
    run_id: str,
    *,
    at: datetime,
    since: datetime | None,
    until: datetime | None,
    report: dict[str, Any],
) -> None:
    connection.execute(
        insert(gap_runs).values(id=run_id, at=at, since=since, until=until, report=report)
    )


def write_gap_run_report(connection: Connection, run_id: str, report: dict[str, Any]) -> None:
    connection.execute(update(gap_runs).where(gap_runs.c.id == run_id).values(report=report))


def read_gap_runs(connection: Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """Runs, newest first."""
    rows = connection.execute(
        select(gap_runs).order_by(gap_runs.c.at.desc(), gap_runs.c.id.desc()).limit(limit)
    )
    return [dict(row._mapping) for row in rows]


def _batches(values: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(values), SELECT_BATCH):
        yield values[start : start + SELECT_BATCH]
