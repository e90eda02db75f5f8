"""What agents tell about gaps: signals and bad outcomes, kept, and read as evidence beside tickets.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from gaps.tables import signals, tickets
from gaps.types import OUTCOME, SIGNAL, GapKind, Ticket, TicketStatus
from kb.redaction import mask_personal_data
from kb.tables import outcomes, searches
from kb.types import Audience

REASONS = (
    GapKind.MISSING, GapKind.WRONG, GapKind.UNFINDABLE, GapKind.NEEDS_ACTION, GapKind.RESTRICTED,
)  # fmt: skip
"""What an agent can tell; the rest takes a look at several documents."""
FAILED_OUTCOMES = ("not_resolved", "escalated", "wrong")


@dataclass(frozen=True, slots=True)
class Signal:
    """One agent's word that something lacks."""

    question: str
    reason: GapKind
    searched: tuple[str, ...] = ()
    """What it searched for."""
    found: tuple[str, ...] = ()
    """Ids of documents it found, and that did not do."""
    ticket_id: str | None = None


def write_signal(
    connection: Connection,
    signal: Signal,
    *,
    key_id: str | None,
    audience: Audience,
    now: datetime,
) -> str:
    """Keep a signal, personal data masked; said again by the same key it is the same signal.

    Returns:
        Its id.
    """
    question, _ = mask_personal_data(signal.question)
    searched = [mask_personal_data(text)[0] for text in signal.searched]
    told = [key_id, question, signal.reason.value, searched, signal.found, signal.ticket_id]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    known = connection.execute(select(signals.c.id).where(signals.c.content_hash == digest))
    if (signal_id := known.scalar()) is not None:
        return str(signal_id)
    signal_id = f"gs_{secrets.token_hex(10)}"
    connection.execute(
        insert(signals).values(
            id=signal_id, content_hash=digest, at=now, key_id=key_id, audience=audience.value,
            question=question, reason=signal.reason.value, searched=searched,
            found=list(signal.found), ticket_id=signal.ticket_id,
        )
    )  # fmt: skip
    return signal_id


def read_evidence(connection: Connection, *, since: datetime, until: datetime) -> list[Ticket]:
    """Signals and failed outcomes of `since` <= t < `until` in the shape of tickets, by id.

    They count for the requester of the ticket they name. Else a conversation is a requester, and
    without one a key is one a day: what a single agent repeats is not many people's.
    """
    told = connection.execute(
        select(signals).where(signals.c.at >= since, signals.c.at < until).order_by(signals.c.id)
    ).all()
    failed = connection.execute(
        select(outcomes, searches.c.query, searches.c.audience, searches.c.conversation_id)
        .join(searches, searches.c.id == outcomes.c.search_id)
        .where(
            outcomes.c.outcome.in_(FAILED_OUTCOMES),
            outcomes.c.at >= since,
            outcomes.c.at < until,
        )
        .order_by(outcomes.c.id)
    ).all()
    requesters = _read_requesters(connection, [row.ticket_id for row in (*told, *failed)])
    found = [_from_signal(row, requesters) for row in told]
    found += [_from_outcome(row, requesters) for row in failed]
    return sorted(found, key=lambda ticket: ticket.ticket_id)


def read_told(connection: Connection, ids: Sequence[str]) -> list[Ticket]:
    """What agents told, of some ids of evidence, in the shape of tickets."""
    wanted = [key.removeprefix(SIGNAL) for key in ids if key.startswith(SIGNAL)]
    failed = [key.removeprefix(OUTCOME) for key in ids if key.startswith(OUTCOME)]
    told = connection.execute(select(signals).where(signals.c.id.in_(wanted))).all()
    rows = connection.execute(
        select(outcomes, searches.c.query, searches.c.audience, searches.c.conversation_id)
        .join(searches, searches.c.id == outcomes.c.search_id)
        .where(outcomes.c.id.in_(failed))
    ).all()
    requesters = _read_requesters(connection, [row.ticket_id for row in (*told, *rows)])
    found = [_from_signal(row, requesters) for row in told]
    return [*found, *(_from_outcome(row, requesters) for row in rows)]


def _read_requesters(
    connection: Connection, ticket_ids: Sequence[str | None]
) -> dict[str, str | None]:
    wanted = sorted({key for key in ticket_ids if key is not None})
    found: dict[str, str | None] = {}
    for start in range(0, len(wanted), 500):
        rows = connection.execute(
            select(tickets.c.id, tickets.c.requester).where(
                tickets.c.id.in_(wanted[start : start + 500])
            )
        )
        found |= {row.id: row.requester for row in rows}
    return found


def _from_signal(row: Row[Any], requesters: dict[str, str | None]) -> Ticket:
    wrong = row.reason == GapKind.WRONG.value
    return Ticket(
        ticket_id=f"{SIGNAL}{row.id}",
        created_at=row.at,
        subject="",
        body=row.question,
        status=TicketStatus.OPEN,
        audience=Audience(row.audience),
        linked_articles=tuple(row.found) if wrong else (),
        helpful=False if wrong else None,
        tags=(row.reason,),
        requester=_requester(row, requesters, None),
    )


def _from_outcome(row: Row[Any], requesters: dict[str, str | None]) -> Ticket:
    wrong = row.outcome == "wrong"
    return Ticket(
        ticket_id=f"{OUTCOME}{row.id}",
        created_at=row.at,
        subject="",
        body=row.query,
        status=TicketStatus.OPEN,
        audience=Audience(row.audience),
        linked_articles=tuple(row.document_ids),
        helpful=False,
        escalated=row.outcome == "escalated",
        tags=(GapKind.WRONG.value,) if wrong else (),
        requester=_requester(row, requesters, row.conversation_id),
    )


def _requester(row: Row[Any], requesters: dict[str, str | None], conversation: str | None) -> str:
    if row.ticket_id in requesters:
        return requesters[row.ticket_id] or f"ticket {row.ticket_id}"
    if conversation is not None:
        return f"conversation {conversation} of key {row.key_id}"
    return f"key {row.key_id} on {row.at.date().isoformat()}"
