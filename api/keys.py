"""API keys: a prefix, a random secret and a checksum; only a hash is stored."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kb import audit
from kb.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from kb.tables import api_keys
from kb.types import Audience, Role

PREFIX = "kb"
SECRET_BYTES = 24
"""192 random bits: beyond guessing, so an unsalted SHA-256 is enough to keep."""
USE_RESOLUTION_SECONDS = 60
MOST_PER_MINUTE = 10_000_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as their key or their session proves."""

    key_id: str
    """Of the key, or of the person."""
    role: Role
    audience: Audience
    owner: str | None
    """Whose documents they decide on."""
    person: str | None = None
    """The name of somebody who signed in as themselves."""

    @property
    def name(self) -> str:
        """Who the audit log says did it."""
        return self.person or self.owner or self.key_id


def create_key(
    connection: Connection,
    *,
    role: Role,
    audience: Audience,
    owner: str | None,
    now: datetime,
    expires_at: datetime | None = None,
    per_minute: int | None = None,
    actor: str,
) -> tuple[str, str]:
    """Make a key.

    Returns:
        Key id, and the key itself: it is not kept and cannot be shown again.
    """
    if per_minute is not None and not 1 <= per_minute <= MOST_PER_MINUTE:
        raise InvalidInputError(f"expected 1 to {MOST_PER_MINUTE:,}", where="--per-minute")
    if role is Role.OWNER and not owner:
        raise InvalidInputError("a key of role owner needs --owner")
    key_id = "key_" + secrets.token_hex(6)
    body = f"{PREFIX}_{key_id.removeprefix('key_')}_{secrets.token_hex(SECRET_BYTES)}"
    key = f"{body}_{_checksum(body)}"
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            key_hash=_hash(key),
            role=role.value,
            audience=audience.value,
            owner=owner,
            created_at=now,
            expires_at=expires_at,
            per_minute=per_minute,
        )
    )
    audit.write_entry(
        connection,
        at=now,
        actor=actor,
        action="key.create",
        subject=key_id,
        details={"role": role.value, "audience": audience.value, "owner": owner},
    )
    return key_id, key


def revoke_key(connection: Connection, key_id: str, *, now: datetime, actor: str) -> None:
    """Take a key out of use from the next request on."""
    changed = connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if changed.rowcount == 0:
        raise NotFoundError("key in use", key_id)
    audit.write_entry(connection, at=now, actor=actor, action="key.revoke", subject=key_id)


def read_keys(connection: Connection) -> list[dict[str, Any]]:
    """All keys, without anything a key could be made from."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at))
    return [{k: v for k, v in row._mapping.items() if k != "key_hash"} for row in rows]


def read_caller(connection: Connection, key: str, now: datetime) -> Caller:
    """Who a key belongs to.

    Raises:
        UnauthenticatedError: Malformed, unknown, expired or revoked; never says which.
    """
    body, _, checksum = key.rpartition("_")
    if not body.startswith(PREFIX + "_") or _checksum(body) != checksum:
        raise UnauthenticatedError("not a valid key")
    row = connection.execute(select(api_keys).where(api_keys.c.key_hash == _hash(key))).first()
    return _to_caller(row, now)


def read_caller_by_id(connection: Connection, key_id: str, now: datetime) -> Caller:
    """The caller behind a session; revoking the key ends the session."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    return _to_caller(row, now)


def write_last_used(connection: Connection, key_id: str, now: datetime) -> None:
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now))


def _to_caller(row: Any, now: datetime) -> Caller:
    expired = row is not None and row.expires_at is not None and row.expires_at <= now
    if row is None or row.revoked_at is not None or expired:
        raise UnauthenticatedError("not a valid key")
    return Caller(row.id, Role(row.role), Audience(row.audience), row.owner)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
