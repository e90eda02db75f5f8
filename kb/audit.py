"""Hash-chained audit log: every entry carries the digest of the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from kb.clock import format_instant
from kb.errors import IntegrityError
from kb.tables import audit

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous_hash: str
    hash: str


def write_entry(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append an entry inside the transaction that does what it tells of."""
    last = connection.execute(
        select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    facts = json.loads(json.dumps(details or {}, default=str))
    entry = AuditEntry(
        seq, at, actor, action, subject, facts, previous,
        _digest(seq, at, actor, action, subject, facts, previous),
    )  # fmt: skip
    connection.execute(
        insert(audit).values(
            seq=seq,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            details=facts,
            previous_hash=previous,
            hash=entry.hash,
        )
    )
    return entry


def read_entries(
    connection: Connection, *, subject: str | None = None, limit: int = 100, offset: int = 0
) -> list[AuditEntry]:
    """Entries, newest first."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit).offset(offset)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return [AuditEntry(**row._mapping) for row in connection.execute(query)]


def verify_chain(connection: Connection) -> tuple[int, str]:
    """Recompute every digest.

    A cut-off end cannot show in the chain itself: compare the returned head with one kept
    elsewhere.

    Returns:
        Number of entries and the last digest.

    Raises:
        IntegrityError: An entry was changed, removed from the middle or reordered; says which.
    """
    previous, count = GENESIS, 0
    for entry in _entries_in_order(connection):
        count += 1
        expected = _digest(
            entry.seq, entry.at, entry.actor, entry.action, entry.subject, entry.details, previous
        )
        if entry.seq != count or entry.previous_hash != previous or entry.hash != expected:
            raise IntegrityError(f"audit entry {entry.seq} does not follow from the one before")
        previous = entry.hash
    return count, previous


def _entries_in_order(connection: Connection) -> Iterator[AuditEntry]:
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        yield AuditEntry(**row._mapping)


def _digest(
    seq: int,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    details: dict[str, Any],
    previous: str,
) -> str:
    facts = [seq, format_instant(at), actor, action, subject, details, previous]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
