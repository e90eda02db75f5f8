"""Backup and restore of the database; the index is derived and is built again."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.server import hold_data_folder
from kb.errors import ConflictError, InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from api.wiring import Application


def write_backup(application: Application, target: Path) -> int:
    """Write a consistent copy, complete or not at all.

    Returns:
        Its size in bytes.

    Raises:
        InvalidInputError: The target is there already, or the database is not SQLite.
    """
    if not application.database.is_sqlite:
        raise InvalidInputError("kb backup copies SQLite; use your database's own tools")
    if target.exists():
        raise InvalidInputError("is there already", where=str(target))
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(_database_file(application))) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.rename(target)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise UnavailableError(f"backup to {target}: {error}", retryable=False) from error
    return target.stat().st_size


def restore_backup(application: Application, source: Path) -> Path | None:
    """Put a backup in the database's place.

    Returns:
        Where the database that it replaced is kept, if there was one.

    Raises:
        InvalidInputError: The file is not a sound backup.
        ConflictError: A server holds the data folder.
    """
    _check_backup(source)
    target = _database_file(application)
    with hold_data_folder(application.data_folder):
        application.database.close()
        staged = target.with_name("restore.partial")
        with (
            closing(sqlite3.connect(source)) as backup,
            closing(sqlite3.connect(staged)) as copy,
        ):
            backup.backup(copy)
            copy.execute("UPDATE index_state SET active_generation = NULL")
            copy.execute("DELETE FROM generations")
            copy.commit()
        with staged.open("rb") as handle:
            os.fsync(handle.fileno())
        kept = _keep_former(target)
        # One step: whatever is killed when, there is a database of this name.
        staged.replace(target)
    return kept


def _keep_former(target: Path) -> Path | None:
    """A second name for the database about to be replaced, with its log folded in."""
    if not target.exists():
        return None
    try:
        with closing(sqlite3.connect(target)) as former:
            former.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise ConflictError(f"{target} is in use by another command: {error}") from error
    kept = target.with_name(f"kb-before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.db")
    os.link(target, kept)
    return kept


def _check_backup(source: Path) -> None:
    if not source.is_file():
        raise InvalidInputError("no such file", where=str(source))
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as backup:
            sound = backup.execute("PRAGMA integrity_check").fetchone()[0]
            backup.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise InvalidInputError(f"not a kb backup: {error}", where=str(source)) from error
    if sound != "ok":
        raise InvalidInputError(f"damaged: {sound}", where=str(source))


def _database_file(application: Application) -> Path:
    name = application.database.engine.url.database
    if not name:
        raise InvalidInputError("the database is not a file")
    return Path(name)
