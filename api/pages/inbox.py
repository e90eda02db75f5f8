"""SQL for the review inbox: drafts with what their gaps say about them, strongest impact first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from gaps.tables import drafts, gaps
from gaps.types import DraftState, GapStatus

WAITING = (
    DraftState.IN_REVIEW,
    DraftState.CHANGES_ASKED,
    DraftState.APPROVED,
    DraftState.REFUSED,
)
DECIDED = (DraftState.PUBLISHED, DraftState.REJECTED, DraftState.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What of the inbox is asked for; None means all."""

    owner: str | None = None
    state: DraftState | None = None
    kind: str | None = None


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
    impact_per_week: float
    since: datetime
    document_id: str | None


def read_inbox(
    connection: Connection,
    states: Sequence[DraftState],
    asked: InboxFilter,
    *,
    limit: int,
    offset: int = 0,
) -> list[InboxRow]:
    """Drafts in one of the states, by impact a week, highest first; ties by age, then id."""
    query = (
        _chosen(
            select(
                drafts.c.id, drafts.c.title, drafts.c.state, drafts.c.owner, drafts.c.document_id,
                gaps.c.kind, gaps.c.reasons, gaps.c.probability, gaps.c.ticket_ids,
                gaps.c.impact_per_week, gaps.c.first_seen_at,
            ),
            states,
            asked,
        )
        .order_by(gaps.c.impact_per_week.desc(), drafts.c.created_at, drafts.c.id)
        .limit(limit)
        .offset(offset)
    )  # fmt: skip
    return [_to_row(row) for row in connection.execute(query)]


def count_inbox(
    connection: Connection, states: Sequence[DraftState], asked: InboxFilter
) -> dict[str, int]:
    """Drafts by state."""
    query = _chosen(select(drafts.c.state, func.count()), states, asked).group_by(drafts.c.state)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def read_open_gaps(
    connection: Connection, asked: InboxFilter, *, limit: int
) -> tuple[list[InboxRow], int]:
    """Open gaps that have no draft to decide on, by impact a week; and how many there are."""
    undecided = exists().where(drafts.c.gap_id == gaps.c.id, drafts.c.state.in_(WAITING))
    conditions = [gaps.c.status == GapStatus.OPEN.value, ~undecided]
    if asked.owner is not None:
        conditions.append(gaps.c.owner == asked.owner)
    if asked.kind is not None:
        conditions.append(gaps.c.kind == asked.kind)
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


def _chosen(query: Select[Any], states: Sequence[DraftState], asked: InboxFilter) -> Select[Any]:
    """Drafts of these states and this filter; a refusal counts only until a later try."""
    later = drafts.alias("later")
    superseded = exists().where(
        later.c.gap_id == drafts.c.gap_id, later.c.created_at > drafts.c.created_at
    )
    settled = gaps.c.status.in_([GapStatus.DISMISSED.value, GapStatus.RESOLVED.value])
    wanted = [asked.state] if asked.state is not None else list(states)
    query = (
        query.select_from(drafts.join(gaps, gaps.c.id == drafts.c.gap_id))
        .where(drafts.c.state.in_([state.value for state in wanted]))
        .where(
            or_(
                drafts.c.state != DraftState.REFUSED.value,
                and_(~superseded, ~settled),
            )
        )
    )
    if asked.owner is not None:
        query = query.where(drafts.c.owner == asked.owner)
    if asked.kind is not None:
        query = query.where(gaps.c.kind == asked.kind)
    return query


def _to_row(row: Any) -> InboxRow:
    return InboxRow(
        id=row.id,
        title=row.title,
        kind=row.kind,
        state=row.state,
        owner=row.owner,
        why=_first_reason(row.reasons),
        probability=row.probability,
        ticket_count=len(row.ticket_ids),
        impact_per_week=row.impact_per_week,
        since=row.first_seen_at,
        document_id=row.document_id,
    )


def _to_gap_row(row: Any) -> InboxRow:
    return InboxRow(
        id=row.id,
        title=row.title,
        kind=row.kind,
        state=row.status,
        owner=row.owner,
        why=_first_reason(row.reasons),
        probability=row.probability,
        ticket_count=len(row.ticket_ids),
        impact_per_week=row.impact_per_week,
        since=row.first_seen_at,
        document_id=row.document_ids[0] if row.document_ids else None,
    )


def _first_reason(reasons: Sequence[dict[str, Any]]) -> str:
    return str(reasons[0]["text"]) if reasons else ""
