"""kbops over HTTP: `kb serve` on a copy of what `kb sync` built, and `POST /v1/search` with a key.

Memory is the server's; the time includes HTTP, the key's check and keeping the search in the log.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve import DEPTH, first_articles
from thunderbird_service import CommandError, Product, free_port, product_environment, stop

READY_SECONDS = 120.0
CALLERS = 64
"""Connections kept; more than the most callers asked with."""


class KbopsHttpSystem:
    def __init__(self) -> None:
        self._client: Any = None
        self._process: Any = None

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        product = Product(Path(options["config"]), options["now"])
        answer, _ = product.run(
            "keys", "create", "--role", "agent", "--audience", "public", "--per-minute", "1000000"
        )
        Path(options["store"], "key.json").write_text(json.dumps(answer["key"]))
        return {}

    def open(self, options: dict[str, Any]) -> None:
        import httpx

        product = Product(Path(options["config"]), options["now"])
        key = json.loads(Path(options["store"], "key.json").read_text())
        port = free_port()
        with Path(options["store"], "serve.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                product.command("serve", "--port", str(port), "--no-schedule"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=product_environment(),
            )  # fmt: skip
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=READY_SECONDS,
            limits=httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS),
        )
        self._wait()

    def _wait(self) -> None:
        import httpx

        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self._client.get("/readyz").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise CommandError("kb serve was not ready")

    def search(self, query: str) -> list[str]:
        response = self._client.post("/v1/search", json={"query": query, "top_k": DEPTH})
        if response.is_error:
            raise CommandError(f"POST /v1/search: {response.status_code} {response.text:.200}")
        answer = response.json()
        if answer["degraded"]:
            raise CommandError(f"degraded: {', '.join(answer['degraded'])}")
        return first_articles(hit["document_id"] for hit in answer["hits"])

    def processes(self) -> Sequence[int]:
        return [self._process.pid]

    def close(self) -> None:
        if self._process is not None:
            self._client.close()
            stop(self._process)


SYSTEM = KbopsHttpSystem()
