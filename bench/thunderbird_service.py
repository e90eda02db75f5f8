"""The product as its users meet it: the `kb` command and the HTTP API of a served instance."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

READY_SECONDS = 600.0
REQUEST_SECONDS = 120.0
STOP_SECONDS = 30.0


class CommandError(Exception):
    """A command of the product ended otherwise than promised."""


@dataclass(frozen=True, slots=True)
class Product:
    """One knowledge base, worked on through its commands, at a fixed present."""

    config: Path
    now: str

    def run(self, *arguments: str) -> tuple[dict[str, Any], float]:
        """Run a `kb` command with `--json`.

        Returns:
            The document it prints and the seconds it took.

        Raises:
            CommandError: It failed, or printed something else than one JSON document.
        """
        started = time.perf_counter()
        done = subprocess.run(
            [*self.command(*arguments), "--json"],
            capture_output=True, text=True, check=False, env=product_environment(),
        )  # fmt: skip
        seconds = time.perf_counter() - started
        name = f"kb {' '.join(arguments)}"
        if done.returncode != 0:
            raise CommandError(f"{name}: exit {done.returncode}: {_last_words(done.stderr)}")
        try:
            return cast(dict[str, Any], json.loads(done.stdout)), seconds
        except ValueError as error:
            raise CommandError(f"{name} printed no JSON document: {error}") from error

    @contextmanager
    def serve(self) -> Iterator[httpx.Client]:
        """A client of `kb serve` with an agent's key for public texts; stopped at the end.

        Raises:
            CommandError: It ended, or was not ready in time.
        """
        answer, _ = self.run(
            "keys", "create", "--role", "agent", "--audience", "public", "--per-minute", "1000000"
        )
        port = free_port()
        log_path = self.config.parent / "serve.log"
        with log_path.open("w", encoding="utf-8") as log:
            command = self.command("serve", "--port", str(port), "--no-schedule")
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=product_environment()
            )
            headers = {"Authorization": f"Bearer {answer['key']}"}
            base = f"http://127.0.0.1:{port}"
            try:
                with httpx.Client(
                    base_url=base, headers=headers, timeout=REQUEST_SECONDS
                ) as client:
                    _wait_until_ready(client, process, log_path)
                    yield client
            finally:
                stop(process)

    def command(self, *arguments: str) -> list[str]:
        place = ["--config", str(self.config), "--now", self.now]
        return [sys.executable, "-m", "api.cli.main", *arguments, *place]


def _last_words(said: str) -> str:
    """The last line that says something; usage errors come in a box."""
    lines = [line.strip(" │") for line in said.splitlines()]
    return next((line for line in reversed(lines) if re.search(r"\w", line)), "no reason given")


def product_environment() -> dict[str, str]:
    """Without the KB_ variables of whoever runs the benchmark: only the work folder counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KB_")}
    root = str(Path(__file__).resolve().parent.parent)
    return kept | {"PYTHONPATH": root}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8").strip().splitlines() or ["nothing said"]
            raise CommandError(f"kb serve ended with {process.returncode}: {said[-1]}")
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise CommandError(f"kb serve was not ready after {READY_SECONDS:.0f} s; see {log}")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
