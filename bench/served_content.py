"""The made-up company of content/, served by a real `kb serve`, with keys of every role."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
NOW = "2026-11-09T08:00:00Z"
READY_SECONDS = 240.0
ROLES = {
    "agent": ("agent", "public"),
    "agent_internal": ("agent", "internal"),
    "owner": ("owner", "internal"),
    "editor": ("editor", "internal"),
    "admin": ("admin", "internal"),
}
PER_MINUTE = "10000000"


class ServedContent:
    """A copy of content/ in a folder of its own."""

    def __init__(self, folder: Path, more_settings: str = "") -> None:
        """Copy it.

        Args:
            folder: Must not be there.
            more_settings: Put at the end of its kb.toml.
        """
        shutil.copytree(ROOT / "content", folder)
        self.folder = folder
        self.config = folder / "kb.toml"
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text + more_settings, encoding="utf-8")

    def run(self, *arguments: str) -> Any:
        """A `kb` command's JSON.

        Raises:
            RuntimeError: It failed.
        """
        return json.loads(self.run_plain(*arguments, "--json"))

    def run_plain(self, *arguments: str) -> str:
        """What a `kb` command prints; raises as `run` does."""
        done = subprocess.run(
            self._command(*arguments), capture_output=True, text=True, env=_environment(),
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"kb {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def import_tickets(self) -> None:
        for path in sorted((self.folder / "tickets").glob("*.jsonl")):
            self.run("tickets", "import", str(path))

    def make_keys(self) -> dict[str, str]:
        """A key a role, none limited."""
        made = {}
        for name, (role, audience) in ROLES.items():
            owned = ("--owner", "jonas") if role == "owner" else ()
            made[name] = str(self.run(
                "keys", "create", "--role", role, "--audience", audience,
                "--per-minute", PER_MINUTE, *owned,
            )["key"])  # fmt: skip
        return made

    @contextmanager
    def serve(self) -> Iterator[tuple[str, int]]:
        """Where it is served, and by which process; stopped at the end.

        Raises:
            RuntimeError: It ended, or was not ready in time.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        log_path = self.folder / "serve.log"
        with log_path.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                self._command("serve", "--port", str(port), "--no-schedule"),
                stdout=log, stderr=subprocess.STDOUT, env=_environment(),
            )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(address, process, log_path)
            yield address, process.pid
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _command(self, *arguments: str) -> list[str]:
        place = ["--config", str(self.config), "--now", NOW]
        return [sys.executable, "-m", "api.cli.main", *arguments, *place]


def _environment() -> Mapping[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KB_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"kb serve ended: {log.read_text(encoding='utf-8')[-500:]}")
        try:
            if httpx.get(f"{address}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"kb serve was not ready after {READY_SECONDS:.0f} s; see {log}")


def read_questions(folder: Path) -> list[str]:
    """What content/'s frozen question set asks."""
    lines = (folder / "evaluation" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines if line.strip()]
