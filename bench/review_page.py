"""How long do the review pages take with 200 drafts, a 2,000-line article and 500 tickets?

    python bench/review_page.py [--readers 8] [--requests 25] [--drafts 200] [--json FILE]

The service runs in a process of its own over made-up data. Each page is asked for once by one
reader (first), then by all readers at the same time; besides what a reader waits, the processor
time the server spends on one answer is given, which other work on the machine does not change.
Method and figures: bench/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import re
import socket
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from review_world import BIG, ReviewWorld


@dataclass(frozen=True)
class PageTimes:
    """What one page took, in milliseconds."""

    page: str
    kilobytes: float
    first_ms: float
    p50_ms: float
    p95_ms: float
    server_ms: float
    """Processor time of the server for one answer, all readers' answers averaged."""


def serve(config: str, port: int, spent: Any) -> None:
    """Run the service, and keep in `spent` the processor seconds it has used."""
    import uvicorn

    from api.app import create_app
    from api.wiring import Application

    def note() -> None:
        while True:
            spent.value = time.process_time()
            time.sleep(0.02)

    threading.Thread(target=note, daemon=True).start()
    app = create_app(Application.open(Path(config)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


class Reader:
    """A signed-in person's browser, as far as the server can tell."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        token = self._token(self.ask("GET", "/sign-in"))
        self.ask("POST", "/sign-in", key=key, next="/review", csrf_token=token)
        self.token = self._token(self.ask("GET", "/review"))

    @staticmethod
    def _token(page: bytes) -> str:
        found = re.search(rb'name="csrf_token" value="([^"]+)"', page)
        assert found is not None, page[:200]
        return found.group(1).decode()

    def ask(self, method: str, path: str, **form: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Accept": "text/html", "Host": f"127.0.0.1:{self.port}"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        body = urlencode(form) if form else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        for value in answer.headers.get_all("Set-Cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        said = answer.read()
        connection.close()
        assert answer.status in (200, 303), (answer.status, path, said[:300])
        return said


def time_page(
    readers: list[Reader], requests: int, spent: Any, page: str, method: str, path: str,
    **form: str,
) -> PageTimes:  # fmt: skip
    def ask(reader: Reader) -> tuple[float, int]:
        more = form | {"csrf_token": reader.token} if form else {}
        begin = time.perf_counter()
        said = reader.ask(method, path, **more)
        return (time.perf_counter() - begin) * 1000, len(said)

    first, size = ask(readers[0])
    waits: list[float] = []

    def read(reader: Reader) -> None:
        for _ in range(requests):
            waits.append(ask(reader)[0])

    time.sleep(0.1)
    before = spent.value
    threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.1)
    server = (spent.value - before) * 1000 / len(waits)
    p50, p95 = np.percentile(waits, [50, 95])
    return PageTimes(page, size / 1000, first, float(p50), float(p95), server)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--requests", type=int, default=25, help="of each reader for each page")
    parser.add_argument("--drafts", type=int, default=200)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = ReviewWorld(Path(folder) / "kb")
        world.add_drafts(said.drafts)
        big = world.add_big_draft()
        key = world.make_key()
        world.application.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        context = multiprocessing.get_context("spawn")
        spent = context.Value("d", 0.0)
        config = str(Path(folder) / "kb" / "kb.toml")
        server = context.Process(target=serve, args=(config, port, spent), daemon=True)
        server.start()
        try:
            rows = measure(port, key, said.readers, said.requests, spent, big.markdown)
        finally:
            server.terminate()
            server.join()
    print(f"{said.readers} readers, {said.drafts} drafts waiting; milliseconds")
    print(f"{'page':34} {'kB':>6} {'first':>7} {'p50':>7} {'p95':>7} {'server':>7}")
    for row in rows:
        print(
            f"{row.page:34} {row.kilobytes:6.0f} {row.first_ms:7.0f} {row.p50_ms:7.0f} "
            f"{row.p95_ms:7.0f} {row.server_ms:7.1f}"
        )
    if said.json is not None:
        said.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def measure(
    port: int, key: str, count: int, requests: int, spent: Any, markdown: str
) -> list[PageTimes]:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            if time.monotonic() > deadline:
                sys.exit("review_page: the server did not start")
            time.sleep(0.1)
    readers = [Reader(port, key) for _ in range(count)]
    edited = markdown.replace("restart", "start again", 40)
    pages: list[tuple[str, str, str, dict[str, str]]] = [
        ("inbox", "GET", "/review", {}),
        ("inbox, filtered by words", "GET", "/review?text=press", {}),
        ("draft, 8 steps, 12 tickets", "GET", "/review/drf_0001", {}),
        ("draft, 2,000 lines, 500 tickets", "GET", f"/review/{BIG}", {}),
        ("its live preview", "POST", f"/review/{BIG}/preview", {"live": "1", "markdown": edited}),
    ]
    return [
        time_page(readers, requests, spent, name, method, path, **form)
        for name, method, path, form in pages
    ]


if __name__ == "__main__":
    main()
