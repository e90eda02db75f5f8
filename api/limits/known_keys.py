"""Which keys there are, for counting only: who may do what is decided by the route, every time.

Read from the database now and then, never for each call, so that a refusal costs no query. A key
that is revoked meanwhile is counted for a few seconds more, and refused by its route all the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from kb.errors import KbError
from kb.tables import api_keys

if TYPE_CHECKING:
    from datetime import datetime

    from api.wiring import Application

FRESH_SECONDS = 5.0
RETRY_SECONDS = 1.0
"""How often an unknown key may have the table read again: a key just made is not unknown long."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    key_id: str
    per_minute: int | None
    """Its own limit, None where the installation's holds."""


class KnownKeys:
    """The keys in use by their hash."""

    def __init__(
        self,
        application: Application,
        executor: Executor,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where they are, and what reads them beside the event loop."""
        self._application = application
        self._executor = executor
        self._monotonic = monotonic
        self._known: dict[str, KnownKey] = {}
        self._read_at: float | None = None
        self._reading = False

    async def find(self, authorization: str) -> KnownKey | None:
        """The key a header names; None where it names none that is in use."""
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return None
        hashed = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()
        age = self._age()
        known = self._known.get(hashed)
        if known is None and age > RETRY_SECONDS:
            await self._read()
            return self._known.get(hashed)
        if age > FRESH_SECONDS and not self._reading:
            await self._read()
            known = self._known.get(hashed)
        return known

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._monotonic() - self._read_at

    async def _read(self) -> None:
        if self._reading:
            return
        self._reading = True
        try:
            loop = asyncio.get_running_loop()
            self._known = await loop.run_in_executor(self._executor, self._read_known)
        except KbError:
            # Without the database the route answers 503; what was known still counts.
            pass
        finally:
            self._read_at = self._monotonic()
            self._reading = False

    def _read_known(self) -> dict[str, KnownKey]:
        with self._application.database.read() as connection:
            return read_known_keys(connection, self._application.clock.now())


def read_known_keys(connection: Connection, now: datetime) -> dict[str, KnownKey]:
    """Keys in use, by hash."""
    rows = connection.execute(
        select(api_keys.c.key_hash, api_keys.c.id, api_keys.c.per_minute).where(
            api_keys.c.revoked_at.is_(None),
            api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now),
        )
    )
    return {row.key_hash: KnownKey(row.id, row.per_minute) for row in rows}
