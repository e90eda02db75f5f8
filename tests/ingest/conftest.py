from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kb import lexical, tables
from kb.clock import FixedClock
from kb.database import Database
from kb.encoding.hashing import HashingEncoder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'kb.sqlite'}")
    with database.write() as connection:
        tables.metadata.create_all(connection)
        lexical.create_tables(connection)
    yield database
    database.close()


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder(32)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 21, 9, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    return folder
