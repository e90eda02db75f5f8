"""SQL for the sessions of people: a random id goes into the cookie, only its digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from kb.tables import sessions

SESSION_LIFE = timedelta(hours=12)
ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredSession:
    id_hash: str
    key_id: str
    csrf_token: str


def write_session(connection: Connection, key_id: str, now: datetime) -> str:
    """Begin a session and clear out the ones that ended.

    Returns:
        The session id for the cookie; it is not kept and cannot be read again.
    """
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    session_id = secrets.token_urlsafe(ID_BYTES)
    connection.execute(
        insert(sessions).values(
            id_hash=_hash(session_id),
            key_id=key_id,
            csrf_token=secrets.token_urlsafe(ID_BYTES),
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
    )
    return session_id


def read_session(connection: Connection, session_id: str, now: datetime) -> StoredSession | None:
    """The session behind a cookie; None where it is unknown or over."""
    row = connection.execute(
        select(sessions).where(sessions.c.id_hash == _hash(session_id), sessions.c.expires_at > now)
    ).first()
    return None if row is None else StoredSession(row.id_hash, row.key_id, row.csrf_token)


def delete_session(connection: Connection, session_id: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.id_hash == _hash(session_id)))


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
