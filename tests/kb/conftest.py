from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kb.database import Database
from tests.kb.factories import Knowledge


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'kb.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    knowledge = Knowledge(tmp_path)
    yield knowledge
    knowledge.close()
