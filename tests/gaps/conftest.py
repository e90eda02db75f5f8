from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gaps.finding.factories import Helpdesk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Helpdesk]:
    desk = Helpdesk(tmp_path)
    yield desk
    desk.close()
