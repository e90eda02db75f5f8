from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.wiring import Application
from kb.clock import FixedClock
from tests.api.factories import CONFIG, NOW, write_installation
from tests.api.notices.servers import Mailbox, Receiver, serve_http, serve_mail

SECRET = "s3cret-of-the-team"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with serve_mail() as served:
        yield served


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve_http() as served:
        yield served


@pytest.fixture
def told(
    tmp_path: Path,
    mailbox: tuple[Mailbox, int],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Application]:
    """An installation that tells ana by mail, ben by mail, and programs by a signed webhook."""
    monkeypatch.setenv("KB_WEBHOOK_SECRET", SECRET)
    owners = {
        "ana": 'email = "ana@example.com"\nfallback = "ben"',
        "ben": 'email = "ben@example.com"',
    }
    config = CONFIG
    for name, said in owners.items():
        config = config.replace(f'name = "{name}"\n', f'name = "{name}"\n{said}\n', 1)
    config += f"""
[notices]
base_url = "https://kb.example.com/"
smtp_host = "127.0.0.1"
smtp_port = {mailbox[1]}
smtp_from = "Knowledge base <kb@example.com>"
smtp_security = "none"
allow_hosts = ["127.0.0.1:{receiver.port}"]

[[notices.webhooks]]
kind = "signed"
url = "http://127.0.0.1:{receiver.port}/hook"
owners = ["ana"]
"""
    application = Application.open(write_installation(tmp_path / "kb", config), FixedClock(NOW))
    yield application
    application.close()
