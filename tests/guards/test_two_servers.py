"""One server a data folder: the second ends at once and says why; a killed one leaves no lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CONFIG = """\
[encoder]
kind = "hashing"

[[owners]]
name = "ines"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ines"
"""
READY_SECONDS = 60
Spawn = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    (tmp_path / "kb.toml").write_text(CONFIG)
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "a.md").write_text("# Reset the router\n\nHold the pin.\n")
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--no-schedule"]
        process = subprocess.Popen(
            [*command, "--config", str(tmp_path / "kb.toml")], stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read_until_serving(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        if "serving on" in line or not line:
            return line
    return ""


def test_the_second_server_ends_within_a_second_and_says_why(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn()
    assert "serving on" in read_until_serving(first)
    before = os.times()
    second = spawn()
    _, said = second.communicate(timeout=30)
    after = os.times()
    assert second.returncode == 1
    assert str(tmp_path / ".kb") in said
    assert f"pid {first.pid}" in said
    assert len(said.strip().splitlines()) == 1
    # Its processor time: the wall clock of a busy machine is not its doing.
    spent = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    assert spent < 1.0
    assert first.poll() is None


def test_a_killed_server_leaves_the_folder_free(spawn: Spawn) -> None:
    first = spawn()
    assert "serving on" in read_until_serving(first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert "serving on" in read_until_serving(spawn())


def test_little_is_loaded_before_the_lock_is_looked_at(spawn: Spawn, tmp_path: Path) -> None:
    """What the time measured above depends on: no library that takes long to load."""
    program = (
        "import sys, api.cli.main, api.server\n"
        "from api.cli.session import set_globals\n"
        f"set_globals({str(tmp_path / 'kb.toml')!r}, None)\n"
        "with api.server.hold_data_folder(api.server.read_data_folder()):\n"
        "    print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    slow = {
        "alembic", "apscheduler", "chromadb", "fastapi", "llama_index", "numpy", "scipy", "sklearn",
        "sqlalchemy", "torch", "transformers", "uvicorn",
    }  # fmt: skip
    assert slow & set(done.stdout.split()) == set()
