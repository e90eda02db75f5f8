from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.wiring import Application
from kb.clock import FixedClock
from tests.api.compat.factories import write_knowledge
from tests.api.factories import NOW, sync
from tests.api.serving import Served, serve


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Documents with labels, dates and two audiences, behind a real socket."""
    config = write_knowledge(tmp_path_factory.mktemp("kb"))
    application = Application.open(config, FixedClock(NOW))
    sync(application)
    with serve(application) as url:
        yield Served(application, config, url)
    application.close()
