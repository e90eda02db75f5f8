"""SQL for the review inbox: drafts with what their gaps say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from api.pages.gaps.wording import count_tickets, interval
from api.pages.inbox_query import WAITING, Line
from gaps.drafting.drafts import REVIEW_WITHIN
from gaps.tables import drafts, gaps
from gaps.types import DraftState, GapStatus


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A draft, or a gap without one, in a line of the inbox."""

    id: str
    title: str
    kind: str
    state: str
    owner: str
    why: str
    probability: float
    ticket_count: int
    requester_count: int
    impact_per_week: float
    interval: str
    """Bounds of what is expected a week, as text; empty where it was not estimated."""
    since: datetime
    document_id: str | None = None
    is_change: bool = False
    """Whether an existing article changes."""
    draft_hash: str = ""
    verdict: str = ""
    due_at: datetime | None = None
    snoozed_until: datetime | None = None


def read_lines(connection: Connection, *, owner: str | None, now: datetime) -> list[Line]:
    """Every draft of an owner, or of all; a refusal counts only until a later try."""
    later = drafts.alias("later")
    superseded = exists().where(
        later.c.gap_id == drafts.c.gap_id, later.c.created_at > drafts.c.created_at
    )
    settled = gaps.c.status.in_([GapStatus.DISMISSED.value, GapStatus.RESOLVED.value])
    query = (
        select(
            drafts.c.id, drafts.c.state, drafts.c.owner, drafts.c.verdict, drafts.c.title,
            drafts.c.document_id, drafts.c.due_at, drafts.c.snoozed_until, drafts.c.created_at,
            gaps.c.kind, gaps.c.impact_per_week, gaps.c.title.label("gap_title"), gaps.c.terms,
        )
        .select_from(drafts.join(gaps, gaps.c.id == drafts.c.gap_id))
        .where(or_(drafts.c.state != DraftState.REFUSED.value, and_(~superseded, ~settled)))
    )  # fmt: skip
    if owner is not None:
        query = query.where(drafts.c.owner == owner)
    return [_to_line(row, now) for row in connection.execute(query)]


def read_rows(connection: Connection, ids: Sequence[str]) -> list[InboxRow]:
    """What the lines of these drafts say, in this order."""
    found = connection.execute(
        select(
            drafts.c.id, drafts.c.title, drafts.c.state, drafts.c.owner, drafts.c.document_id,
            drafts.c.base_version, drafts.c.draft_hash, drafts.c.verdict, drafts.c.due_at,
            drafts.c.snoozed_until, drafts.c.created_at, gaps.c.kind, gaps.c.reasons,
            gaps.c.probability, gaps.c.ticket_ids, gaps.c.requester_count,
            gaps.c.impact_per_week, gaps.c.impact_low, gaps.c.impact_high, gaps.c.first_seen_at,
        )
        .select_from(drafts.join(gaps, gaps.c.id == drafts.c.gap_id))
        .where(drafts.c.id.in_(list(ids)))
    )  # fmt: skip
    rows = {row.id: _to_row(row) for row in found}
    return [rows[key] for key in ids if key in rows]


def read_open_gaps(
    connection: Connection, *, owner: str | None, kind: str, limit: int
) -> tuple[list[InboxRow], int]:
    """Open gaps that have no draft to decide on, by impact a week; and how many there are."""
    undecided = exists().where(
        drafts.c.gap_id == gaps.c.id, drafts.c.state.in_([state.value for state in WAITING])
    )
    conditions = [gaps.c.status == GapStatus.OPEN.value, ~undecided]
    if owner is not None:
        conditions.append(gaps.c.owner == owner)
    if kind:
        conditions.append(gaps.c.kind == kind)
    found = connection.execute(
        select(gaps)
        .where(*conditions)
        .order_by(gaps.c.impact_per_week.desc(), gaps.c.priority.desc(), gaps.c.id)
        .limit(limit)
    )
    count = connection.execute(select(func.count()).select_from(gaps).where(*conditions))
    return [_to_gap_row(row) for row in found], int(count.scalar_one())


def read_owners(connection: Connection) -> list[str]:
    """Everyone who owns a draft or a gap, by name."""
    names = select(drafts.c.owner).union(select(gaps.c.owner))
    return sorted(connection.execute(names).scalars())


def _to_line(row: Any, now: datetime) -> Line:
    words = " ".join((row.title, row.gap_title, *row.terms, row.id, row.document_id or ""))
    return Line(
        id=row.id,
        state=DraftState(row.state),
        kind=row.kind,
        owner=row.owner,
        verdict=row.verdict,
        words=words.lower(),
        impact_per_week=row.impact_per_week,
        due_at=row.due_at or row.created_at + REVIEW_WITHIN,
        snoozed=row.snoozed_until is not None and row.snoozed_until > now,
    )


def _to_row(row: Any) -> InboxRow:
    return InboxRow(
        id=row.id,
        title=row.title,
        state=row.state,
        owner=row.owner,
        document_id=row.document_id,
        is_change=row.base_version is not None,
        draft_hash=row.draft_hash,
        verdict=row.verdict,
        due_at=row.due_at or row.created_at + REVIEW_WITHIN,
        snoozed_until=row.snoozed_until,
        **_gap_facts(row),
    )


def _to_gap_row(row: Any) -> InboxRow:
    return InboxRow(
        id=row.id,
        title=row.title,
        state=row.status,
        owner=row.owner,
        document_id=row.document_ids[0] if row.document_ids else None,
        **_gap_facts(row),
    )


def _gap_facts(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "why": str(row.reasons[0]["text"]) if row.reasons else "",
        "probability": row.probability,
        "ticket_count": count_tickets(row),
        "requester_count": row.requester_count,
        "impact_per_week": row.impact_per_week,
        "interval": interval(row),
        "since": row.first_seen_at,
    }
