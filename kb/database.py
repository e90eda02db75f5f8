"""The database that is the truth: engine, transactions, schema version.

Reads and writes are separate transactions: on SQLite a write begins IMMEDIATE, because
upgrading a deferred read to a write fails at once whatever the busy timeout says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from kb.errors import UnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000
_DAMAGE = ("malformed", "not a database")


class Database:
    """One engine and the two kinds of transaction."""

    def __init__(self, url: str, engine: Engine | None = None) -> None:
        self.url = url
        self.engine: Engine = engine or create_engine(
            url, pool_pre_ping=not url.startswith("sqlite")
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot: every statement inside sees the same state.

        Raises:
            UnavailableError: The database cannot be reached.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self, *, patience_ms: int | None = None) -> Iterator[Connection]:
        """Commits when the block ends, rolls back when it raises.

        Args:
            patience_ms: How long to wait for another writer; `BUSY_TIMEOUT_MS` unless given.

        Raises:
            UnavailableError: The database cannot be reached or stays locked.
        """
        with self._transaction("BEGIN IMMEDIATE", patience_ms) as connection:
            yield connection

    @contextmanager
    def _transaction(
        self, sqlite_begin: str, patience_ms: int | None = None
    ) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection, connection.begin():
                if self.is_sqlite:
                    _begin_sqlite(connection, sqlite_begin, patience_ms)
                yield connection
        except OperationalError as error:
            raise UnavailableError(f"database: {error.orig}") from error
        except (DatabaseError, sqlite3.DatabaseError) as error:
            cause = error.orig if isinstance(error, DatabaseError) else error
            if any(sign in str(cause) for sign in _DAMAGE):
                raise UnavailableError(f"database: {cause}", retryable=False) from error
            raise

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """A private copy of everything as it is now, to try a change on; gone when the block ends.

        It is SQLite's unnamed temporary database, a file without a name from the start, so that
        nothing of it stays whatever is killed when. It has one connection: use it in one thread,
        one transaction after the other.

        Raises:
            UnavailableError: The database is not SQLite, or there is no room for the copy.
        """
        if not self.is_sqlite:
            raise UnavailableError("only SQLite can be copied to try a change on", retryable=False)
        with closing(sqlite3.connect("")) as private:
            try:
                with closing(self.engine.raw_connection()) as source:
                    source.driver_connection.backup(private)  # type: ignore[union-attr]
            except (OperationalError, sqlite3.Error) as error:
                raise UnavailableError(f"copy of the database: {error}") from error
            engine = create_engine("sqlite://", creator=lambda: private, poolclass=StaticPool)
            copied = Database("sqlite://", engine)
            try:
                yield copied
            finally:
                copied.close()

    def migrate(self) -> None:
        """Bring the schema to this program's version; safe to call at every start.

        Raises:
            UnavailableError: The database cannot be reached, or a later version made it.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        known = ScriptDirectory.from_config(config)
        with self.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found == known.get_current_head():
            return
        if found is not None and found not in {
            script.revision for script in known.walk_revisions()
        }:
            raise UnavailableError(
                f"database: made by a later version of kb (schema {found}); use that version",
                retryable=False,
            )
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Answer or raise UnavailableError."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def _begin_sqlite(connection: Connection, begin: str, patience_ms: int | None) -> None:
    if patience_ms is None:
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience_ms}")
    try:
        connection.exec_driver_sql(begin)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
