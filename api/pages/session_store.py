"""SQL for the sessions of people: a random id goes into the cookie, only its digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from api.keys import Caller, read_caller_by_id
from api.people import caller_of, read_person_by_id
from kb.tables import sessions

SESSION_LIFE = timedelta(hours=12)
"""Absolute, whatever somebody does; `[sign_in] absolute_hours` in kb.toml."""
IDLE_LIFE = timedelta(minutes=120)
SEEN_RESOLUTION = timedelta(minutes=1)
"""A page view writes at most so often that it happened."""
ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredSession:
    id_hash: str
    key_id: str | None
    person_id: str | None
    csrf_token: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


def write_session(
    connection: Connection,
    caller: Caller,
    now: datetime,
    *,
    life: timedelta = SESSION_LIFE,
    idle: timedelta = IDLE_LIFE,
) -> str:
    """Begin a session and clear out the ones that ended.

    Returns:
        The session id for the cookie; it is not kept and cannot be read again.
    """
    connection.execute(
        delete(sessions).where(or_(sessions.c.expires_at <= now, sessions.c.seen_at <= now - idle))
    )
    session_id = secrets.token_urlsafe(ID_BYTES)
    connection.execute(
        insert(sessions).values(
            id_hash=_hash(session_id),
            key_id=None if caller.person else caller.key_id,
            person_id=caller.key_id if caller.person else None,
            csrf_token=secrets.token_urlsafe(ID_BYTES),
            created_at=now,
            seen_at=now,
            expires_at=now + life,
        )
    )
    return session_id


def read_session(
    connection: Connection, session_id: str, now: datetime, *, idle: timedelta = IDLE_LIFE
) -> StoredSession | None:
    """The session behind a cookie; None where it is unknown, over, or was left alone too long."""
    row = connection.execute(
        select(sessions).where(
            sessions.c.id_hash == _hash(session_id),
            sessions.c.expires_at > now,
            sessions.c.seen_at > now - idle,
        )
    ).first()
    return None if row is None else StoredSession(**row._mapping)


def read_session_caller(connection: Connection, stored: StoredSession, now: datetime) -> Caller:
    """Who a session is for, as they stand now.

    Raises:
        UnauthenticatedError: Their key or they themselves may not come in any more.
    """
    if stored.person_id is not None:
        return caller_of(read_person_by_id(connection, stored.person_id))
    return read_caller_by_id(connection, stored.key_id or "", now)


def read_own_sessions(connection: Connection, caller: Caller) -> list[StoredSession]:
    """Every session of whoever this is, last used first."""
    rows = connection.execute(
        select(sessions).where(_is_of(caller)).order_by(sessions.c.seen_at.desc())
    )
    return [StoredSession(**row._mapping) for row in rows]


def write_seen(connection: Connection, id_hash: str, now: datetime) -> None:
    connection.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(seen_at=now))


def delete_session(connection: Connection, session_id: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.id_hash == _hash(session_id)))


def delete_own_sessions(connection: Connection, caller: Caller) -> int:
    """End every session of whoever this is; returns how many there were."""
    count = connection.execute(
        select(func.count()).select_from(sessions).where(_is_of(caller))
    ).scalar_one()
    connection.execute(delete(sessions).where(_is_of(caller)))
    return count


def _is_of(caller: Caller) -> ColumnElement[bool]:
    column = sessions.c.person_id if caller.person else sessions.c.key_id
    return column == caller.key_id


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
