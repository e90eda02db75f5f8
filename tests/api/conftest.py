from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.wiring import Application
from kb.clock import FixedClock
from kb.database import Database
from tests.api.factories import NOW, write_installation


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'kb.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """An installation with a few articles, not synced yet, at a fixed present."""
    config = write_installation(tmp_path / "kb")
    application = Application.open(config, FixedClock(NOW))
    yield application
    application.close()
