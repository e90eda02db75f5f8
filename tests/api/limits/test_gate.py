"""The gate over the whole app: rates by key, early refusals, probes that always answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import gate
from api.wiring import Application
from kb.clock import FixedClock
from kb.encoding.hashing import HashingEncoder
from kb.types import Audience, Role
from tests.api.factories import CONFIG, NOW, bearer, make_key, sync, write_installation

Open = Callable[[str], tuple[Application, TestClient]]
SMALL = "\n[limits]\nsearches_per_minute = 3\nreads_per_minute = 4\nwrites_per_minute = 2\n"
ONE = "\n[limits]\nsearches_at_once = 1\nsearches_waiting = 0\n"
CALL = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "search", "arguments": {"query": "reset"}},
}  # fmt: skip
FOR_MCP = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


@pytest.fixture
def open_kb(tmp_path: Path) -> Iterator[Open]:
    opened: list[Any] = []

    def open_one(limits: str) -> tuple[Application, TestClient]:
        config = write_installation(tmp_path / "kb", CONFIG + limits)
        application = Application.open(config, FixedClock(NOW))
        sync(application)
        client = TestClient(
            create_app(application), base_url="http://127.0.0.1", raise_server_exceptions=False
        )
        client.__enter__()
        opened.append((application, client))
        return application, client

    yield open_one
    for application, client in opened:
        client.__exit__(None, None, None)
        application.close()


def search(client: TestClient, key: str) -> Any:
    return client.post("/v1/search", json={"query": "reset the router"}, headers=bearer(key))


def code_of(answer: Any) -> str:
    said = answer.json()
    assert set(said) == {"error"} and set(said["error"]) == {"code", "message", "details"}
    return str(said["error"]["code"])


def test_a_key_over_its_rate_is_told_when_to_come_back(open_kb: Open) -> None:
    application, client = open_kb(SMALL)
    key = make_key(application)
    left = []
    for _ in range(3):
        answer = search(client, key)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Limit"] == "3"
        left.append(int(answer.headers["RateLimit-Remaining"]))
    assert left == [2, 1, 0]
    refused = search(client, key)
    assert (refused.status_code, code_of(refused)) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert search(client, make_key(application)).status_code == 200


def test_each_kind_of_call_counts_by_itself_and_all_ways_to_search_together(open_kb: Open) -> None:
    application, client = open_kb(SMALL)
    headers = bearer(make_key(application))
    statuses = [
        client.post("/v1/search", json={"query": "x"}, headers=headers).status_code,
        client.post("/v1/context", json={"query": "x"}, headers=headers).status_code,
        client.post("/mcp", json=CALL, headers=headers | FOR_MCP).status_code,
        client.post("/mcp", json=CALL, headers=headers | FOR_MCP).status_code,
        client.post("/compat/dify/retrieval", json={}, headers=headers).status_code,
    ]
    assert statuses == [200, 200, 200, 429, 429]
    reads = [client.get("/v1/articles", headers=headers).status_code for _ in range(5)]
    assert reads == [200, 200, 200, 200, 429]
    body = {"question": "where?", "reason": "missing"}
    writes = [client.post("/v1/gap-signals", json=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in writes] == [200, 200, 429]


def test_a_key_may_have_a_rate_of_its_own(open_kb: Open) -> None:
    application, client = open_kb(SMALL)
    key = make_key(application, per_minute=1)
    assert [search(client, key).status_code for _ in range(2)] == [200, 429]
    more = make_key(application, per_minute=50)
    time.sleep(1.1)  # A new key is known within a second.
    assert [search(client, more).status_code for _ in range(5)] == [200] * 5


def test_probes_and_strangers_are_not_counted_and_learn_nothing(open_kb: Open) -> None:
    application, client = open_kb(SMALL)
    for path in ("/healthz", "/metrics"):
        answers = [client.get(path) for _ in range(9)]
        assert {answer.status_code for answer in answers} == {200}
    forged = make_key(application)[:-1] + "x"
    answers = [search(client, forged) for _ in range(9)]
    assert {answer.status_code for answer in answers} == {401}
    assert "RateLimit-Limit" not in answers[0].headers


class StuckEncoder(HashingEncoder):
    """An encoder that hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def encode(self, texts: Any) -> Any:
        self.reached.set()
        assert self.let_go.wait(30)
        return super().encode(texts)


def test_while_all_places_are_stuck_searches_are_shed_in_milliseconds_and_probes_answer(
    open_kb: Open,
) -> None:
    application, client = open_kb(ONE)
    application.rebuild_index(actor="t")
    stuck = StuckEncoder()
    application.__dict__["encoder"] = stuck
    headers = bearer(make_key(application))
    admin = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    search(client, "kb_unknown")
    with ThreadPoolExecutor(1) as executor:
        first = executor.submit(search, client, headers["Authorization"].split()[1])
        assert stuck.reached.wait(20)
        body = b'{"query": "' + b"x" * 500_000 + b'"}'
        seconds = []
        for path in ("/v1/search", "/v1/context", "/mcp", "/compat/dify/retrieval"):
            for _ in range(5):
                started = time.perf_counter()
                shed = client.post(path, content=body, headers=headers)
                seconds.append(time.perf_counter() - started)
                assert (shed.status_code, code_of(shed)) == (503, "overloaded")
                assert int(shed.headers["Retry-After"]) >= 1
        assert sorted(seconds)[len(seconds) // 2] < 0.02
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/articles", headers=headers).status_code == 200
        figures = client.get("/metrics").text
        assert 'kb_requests_in_flight{work="search"} 1.0' in figures
        assert 'kb_shed_total{work="search"} 20.0' in figures
        assert client.get("/v1/audit", headers=admin).status_code == 200
        stuck.let_go.set()
        assert first.result(30).status_code == 200
    assert search(client, headers["Authorization"].split()[1]).status_code == 200


def test_searches_wait_their_turn_where_they_may(open_kb: Open) -> None:
    application, client = open_kb("\n[limits]\nsearches_at_once = 1\nsearches_waiting = 30\n")
    key = make_key(application)
    with ThreadPoolExecutor(20) as executor:
        answers = list(executor.map(lambda _: search(client, key).status_code, range(20)))
    assert answers == [200] * 20


def test_every_place_is_given_back_whatever_comes_of_the_call(
    open_kb: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, client = open_kb(ONE)
    key = make_key(application)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    for _ in range(3):
        assert client.post("/v1/search", content=b"{", headers=bearer(key)).status_code == 422
        assert search(client, "kb_wrong").status_code == 401
    with monkeypatch.context() as patch:
        patch.setattr(type(application.retriever), "search", fail)
        assert [search(client, key).status_code for _ in range(3)] == [500] * 3
    assert search(client, key).status_code == 200
    control: gate.Control = client.app.state.control  # type: ignore[attr-defined]
    assert [line.running for line in control.lines.lines.values()] == [0, 0, 0]


def test_a_body_without_a_stated_length_is_bounded_all_the_same(
    open_kb: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, client = open_kb("")
    headers = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))

    def pieces(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * 65_536

    answer = client.post("/v1/search", content=pieces(40), headers=headers)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")
    monkeypatch.setattr(gate, "MAX_BODY_BYTES", 100_000)
    answer = client.post("/v1/tickets", content=pieces(40), headers=headers)
    assert answer.status_code == 413
    assert client.post("/v1/tickets", content=b"", headers=headers).status_code == 200


@pytest.fixture
def address(open_kb: Open) -> Iterator[tuple[Application, str]]:
    """A real server, for what only sockets can do."""
    application, _ = open_kb(ONE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(create_app(application), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield application, f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


def test_a_slow_sender_keeps_no_place(
    address: tuple[Application, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    application, where = address
    monkeypatch.setattr(gate, "BODY_SECONDS", 1.0)
    headers = bearer(make_key(application))
    host, port = where.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            + f"Authorization: {headers['Authorization']}\r\n\r\n".encode()
            + b'{"query'
        )
        time.sleep(0.2)
        answer = httpx.post(f"http://{where}/v1/search", json={"query": "x"}, headers=headers)
        assert answer.status_code == 200
        assert slow.recv(1_000).startswith(b"HTTP/1.1 408")


def test_a_page_that_is_shed_says_so_as_a_page(open_kb: Open) -> None:
    _, client = open_kb(ONE)
    control: gate.Control = client.app.state.control  # type: ignore[attr-defined]
    line = control.lines.lines[gate.Work.SEARCH]
    line.running = 1
    shed = client.get("/search/se_1", headers={"Accept": "text/html"})
    line.running = 0
    assert shed.status_code == 503
    assert shed.headers["content-type"].startswith("text/html")
    assert int(shed.headers["Retry-After"]) >= 1
