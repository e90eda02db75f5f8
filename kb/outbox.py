"""SQL for notices: what people are to be told, written together with what it tells of.

A notice is claimed before it is sent and marked after: whoever is killed in between leaves a claim
that runs out, and the notice is sent again under the same id. So every notice is sent at least
once, and a receiver that keeps ids sees it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kb.tables import notices

CLAIM = timedelta(minutes=10)
"""How long a claimed notice is nobody else's; longer than any sending takes."""
RETRY_MINUTES = (1, 5, 15, 60, 180, 360, 720, 1440, 1440, 1440)
MAX_ATTEMPTS = len(RETRY_MINUTES) + 1
"""Almost four days of trying: a weekend without mail is outlasted."""
EXPIRES = timedelta(days=7)
"""Older news is no news: it is not sent when a way to send is first set up."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing one person is told."""

    notice_id: str
    kind: str
    recipient: str
    """An owner's name."""
    subject: str
    body: str
    payload: dict[str, Any]
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None
    attempts: int
    last_error: str | None
    dedupe_key: str

    @property
    def status(self) -> str:
        """ "sent", "given up" or "waiting"."""
        if self.sent_at is not None:
            return "sent"
        return "given up" if self.attempts >= MAX_ATTEMPTS else "waiting"


def write_notice(
    connection: Connection,
    *,
    kind: str,
    recipient: str,
    subject: str,
    body: str,
    payload: Mapping[str, Any],
    dedupe_key: str,
    now: datetime,
) -> bool:
    """Add a notice inside the transaction that does what it tells of.

    Returns:
        False where one with this key is there already, sent or not.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = connection.execute(
        dialect.insert(notices)
        .values(
            id=f"note_{uuid4().hex[:20]}",
            kind=kind,
            recipient=recipient,
            subject=subject,
            body=body,
            payload=dict(payload),
            created_at=now,
            not_before=now,
            attempts=0,
            dedupe_key=dedupe_key,
        )
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
    )
    return added.rowcount > 0


def claim_notice(connection: Connection, *, now: datetime) -> Notice | None:
    """Take the oldest notice that is due; it is due again when the claim runs out."""
    row = connection.execute(
        select(notices)
        .where(
            notices.c.sent_at.is_(None),
            notices.c.not_before <= now,
            notices.c.attempts < MAX_ATTEMPTS,
        )
        .order_by(notices.c.created_at, notices.c.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    taken = connection.execute(
        update(notices)
        .where(notices.c.id == row.id, notices.c.attempts == row.attempts)
        .values(attempts=row.attempts + 1, not_before=now + CLAIM)
    )
    return _to_notice(row, attempts=row.attempts + 1) if taken.rowcount else None


def write_delivered(connection: Connection, notice: Notice, channels: Iterable[str]) -> None:
    """Note the channels that have taken a notice; those are not asked again."""
    payload = notice.payload | {"delivered": sorted(channels)}
    connection.execute(
        update(notices).where(notices.c.id == notice.notice_id).values(payload=payload)
    )


def write_sent(connection: Connection, notice_id: str, *, now: datetime) -> None:
    connection.execute(
        update(notices).where(notices.c.id == notice_id).values(sent_at=now, last_error=None)
    )


def write_failed(
    connection: Connection,
    notice: Notice,
    error: str,
    *,
    now: datetime,
    wait: timedelta = timedelta(0),
    for_good: bool = False,
) -> None:
    """Note why a notice could not be sent, and when it is tried again.

    Args:
        connection: In a write transaction.
        notice: As claimed.
        error: One line.
        now: The moment.
        wait: What the receiver asked for, where that is longer than ours.
        for_good: Never try again.
    """
    minutes = RETRY_MINUTES[min(notice.attempts, len(RETRY_MINUTES)) - 1]
    connection.execute(
        update(notices)
        .where(notices.c.id == notice.notice_id, notices.c.sent_at.is_(None))
        .values(
            last_error=error[:500],
            not_before=now + max(wait, timedelta(minutes=minutes)),
            attempts=MAX_ATTEMPTS if for_good else notice.attempts,
        )
    )


def write_again(connection: Connection, *, now: datetime) -> int:
    """Try those that were given up once more; returns how many."""
    changed = connection.execute(
        update(notices)
        .where(notices.c.sent_at.is_(None), notices.c.attempts >= MAX_ATTEMPTS)
        .values(attempts=0, not_before=now, created_at=now)
    )
    return changed.rowcount


def read_notices(
    connection: Connection,
    *,
    kinds: Iterable[str] = (),
    recipient: str | None = None,
    unsent_only: bool = False,
    limit: int = 100,
) -> list[Notice]:
    """Notices, newest first; no kinds means all."""
    query = select(notices).order_by(notices.c.created_at.desc(), notices.c.id).limit(limit)
    wanted = list(kinds)
    if wanted:
        query = query.where(notices.c.kind.in_(wanted))
    if recipient is not None:
        query = query.where(notices.c.recipient == recipient)
    if unsent_only:
        query = query.where(notices.c.sent_at.is_(None))
    return [_to_notice(row) for row in connection.execute(query)]


def _to_notice(row: Any, **changed: Any) -> Notice:
    facts = dict(row._mapping)
    facts["notice_id"] = facts.pop("id")
    return Notice(**facts | changed)
