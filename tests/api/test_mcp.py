"""The official MCP client over both transports: the ranking, the verdicts and the refusals of HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from sqlalchemy import insert

from api.keys import revoke_key
from api.wiring import Application
from kb import intake
from kb.clock import FixedClock
from kb.tables import conflicts
from kb.types import Audience, Role
from tests.api.factories import (
    CONFIG,
    NOW,
    bearer,
    make_key,
    sync,
    write_article,
    write_installation,
)
from tests.api.serving import TRANSPORTS, Served, call, drive, fail, serve, stdio_parameters

QUESTIONS = (
    "reset the router",
    "how long do refunds take",
    "Which way to reset the router number 2?",
    "returns by post",
    "zebra quantum pancake",
    "return of a valve; <b>& 10% \N{SNOWMAN}",
)
DOCS = Path(__file__).parents[2] / "docs" / "agents.md"
MCP_CONFIG = (
    CONFIG + '\n[mcp]\nhosts = ["kb.example.org"]\norigins = ["https://agents.example.org"]\n'
)
READING = {"search", "fetch", "search_knowledge", "get_context"}
TELLING = {"report_outcome", "signal_gap", "escalate"}
MODES = ("auto", "legacy")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = write_installation(tmp_path_factory.mktemp("kb"), MCP_CONFIG)
    folder = config.parent
    write_article(
        folder / "articles" / "returns.md", "Returns are free within 14 days.", title="Returns",
        url="https://help.example.org/returns",
    )  # fmt: skip
    write_article(
        folder / "policies" / "returns-rule.md", "Returns are free within 30 days.",
        title="Rule on returns", audience="public",
    )  # fmt: skip
    write_article(
        folder / "articles" / "sale.md", "In the sale, returns cost 5.", title="Sale returns",
        effective_until="2026-10-01",
    )  # fmt: skip
    application = Application.open(config, FixedClock(NOW))
    sync(application)
    contradict(application, "returns-rule", "returns", "within 30 days", "within 14 days")
    contradict(application, "refunds", "help-0", "Refunds", "reset")
    with serve(application) as url:
        yield Served(application, config, url)
    application.close()


def contradict(application: Application, winner: str, loser: str, won: str, lost: str) -> None:
    with application.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(conflicts).values(
                winner_id=winner, loser_id=loser, winner_version=1, loser_version=1,
                winner_statement=f"Returns are free {won}.",
                loser_statement=f"Returns are free {lost}.",
                similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.INTERNAL])
def test_both_transports_find_what_the_http_api_finds_in_the_same_order(
    served: Served, transport: str, mode: str, audience: Audience
) -> None:
    key = make_key(served.application, audience=audience)
    asked = 0

    async def compare(client: Client) -> None:
        nonlocal asked
        for question in QUESTIONS:
            answer = served.post("/v1/search", key, json={"query": question}).json()
            wanted = [hit["document_id"] for hit in answer["hits"]]
            found = await call(client, "search", query=question)
            assert [result["id"] for result in found["results"]] == wanted
            known = await call(client, "search_knowledge", query=question)
            for volatile in ("search_id", "took_ms"):
                answer.pop(volatile), known.pop(volatile)
            assert known == answer
            packed = served.post("/v1/context", key, json={"query": question}).json()
            context = await call(client, "get_context", query=question)
            assert {**context, "search_id": ""} == {**packed, "search_id": ""}
            asked += bool(wanted)

    drive(served, key, compare, transport, mode)
    assert asked >= 4


@pytest.mark.parametrize("mode", MODES)
def test_search_and_fetch_are_announced_as_research_connectors_demand(
    served: Served, mode: str
) -> None:
    async def look(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == READING | TELLING
        for name in READING:
            hints = tools[name].annotations
            assert hints is not None and hints.read_only_hint and not hints.destructive_hint
        for name in TELLING:
            hints = tools[name].annotations
            assert hints is not None and hints.read_only_hint is False
        assert list(tools["search"].input_schema["properties"]) == ["query"]
        assert list(tools["fetch"].input_schema["properties"]) == ["id"]
        answers = {name: tools[name].output_schema or {} for name in tools}
        assert list(answers["search"]["properties"]) == ["results"]
        assert list(answers["fetch"]["properties"]) == ["id", "title", "text", "url", "metadata"]
        assert all(schema["type"] == "object" for schema in answers.values())

    drive(served, make_key(served.application), look, mode=mode)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_fetch_gives_the_text_with_what_it_is_worth(served: Served, transport: str) -> None:
    async def look(client: Client) -> None:
        found = await call(client, "search", query="Returns are free within 14 days")
        assert all(set(result) == {"id", "title", "url"} for result in found["results"])
        urls = {result["id"]: result["url"] for result in found["results"]}
        assert urls["returns-rule"] == "kb://documents/returns-rule"
        weak = await call(client, "fetch", id="returns")
        assert set(weak) == {"id", "title", "text", "url", "metadata"}
        assert weak["url"] == "https://help.example.org/returns"
        assert "Returns are free within 14 days." in weak["text"]
        said = weak["metadata"]
        assert (said["owner"], said["authority"], said["version"]) == ("ana", "help_article", 1)
        assert [ruling["document_id"] for ruling in said["overruled_by"]] == ["returns-rule"]
        assert said["freshness"]["verdict"] == "stale"
        strong = (await call(client, "fetch", id="returns-rule"))["metadata"]
        assert strong["overruled_by"] == [] and strong["in_force"]
        over = (await call(client, "fetch", id="sale"))["metadata"]
        assert over["freshness"]["verdict"] == "superseded" and not over["in_force"]
        assert over["not_in_force_because"].startswith("ended on 2026-10")

    drive(served, make_key(served.application), look, transport)


def test_search_knowledge_shows_what_is_overruled_and_what_cannot_be_answered(
    served: Served,
) -> None:
    async def look(client: Client) -> None:
        said = await call(
            client, "search_knowledge", query="Returns are free within 14 days",
            include_overruled=True, explain=True,
        )  # fmt: skip
        overruled = {hit["document_id"]: hit["overruled_by"] for hit in said["hits"]}
        assert overruled["returns"]["document_id"] == "returns-rule"
        assert overruled["returns-rule"] is None
        assert all(hit["why"] for hit in said["hits"])
        plain = await call(client, "search_knowledge", query="Returns are free within 14 days")
        assert not any(hit["overruled_by"] for hit in plain["hits"])
        unknown = await call(client, "search_knowledge", query="zebra quantum pancake")
        assert unknown["answerable"] is False and unknown["why_not"]["reason"]

    drive(served, make_key(served.application), look)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_lower_audience_sees_nothing_internal(served: Served, transport: str) -> None:
    async def look(client: Client) -> None:
        hidden = await fail(client, "fetch", id="refunds")
        absent = await fail(client, "fetch", id="refundz")
        assert hidden["code"] == absent["code"] == "not_found"
        assert hidden["message"].replace("refunds", "refundz") == absent["message"]
        for question in ("Refunds", "Refunds take 14 days.", "how long do refunds take"):
            found = await call(client, "search", query=question)
            assert "refunds" not in [result["id"] for result in found["results"]]
            known = await call(client, "search_knowledge", query=question, include_overruled=True)
            packed = await call(client, "get_context", query=question)
            told = json.dumps([{**known, "query": "", "why_not": None}, packed])
            assert "Refunds take" not in told and '"refunds"' not in told
        # An internal document overrules this one; who may not read that is not told.
        open_one = await call(client, "fetch", id="help-0")
        assert open_one["metadata"]["overruled_by"] == []
        assert "refunds" not in json.dumps(open_one)
        # The audience is the key's, whatever the call says.
        assert (await fail(client, "fetch", id="refunds", audience="internal"))[
            "code"
        ] == "malformed"

    drive(served, make_key(served.application), look, transport)

    async def trusted(client: Client) -> None:
        assert "Refunds take 14 days." in (await call(client, "fetch", id="refunds"))["text"]
        overruled = (await call(client, "fetch", id="help-0"))["metadata"]["overruled_by"]
        assert [ruling["document_id"] for ruling in overruled] == ["refunds"]

    key = make_key(served.application, audience=Audience.INTERNAL)
    drive(served, key, trusted, transport)


def test_outcomes_and_signals_count_as_over_http(served: Served) -> None:
    key = make_key(served.application)

    async def tell(client: Client) -> None:
        search_id = (await call(client, "search_knowledge", query="reset"))["search_id"]
        first = await call(client, "report_outcome", search_id=search_id, outcome="wrong")
        again = await call(client, "report_outcome", search_id=search_id, outcome="resolved")
        assert first == again
        body = {"search_id": search_id, "outcome": "resolved"}
        assert served.post("/v1/outcomes", key, json=body).json() == first
        signal = await call(client, "signal_gap", question="Which lever?", reason="missing")
        body = {"question": "Which lever?", "reason": "missing"}
        assert served.post("/v1/gap-signals", key, json=body).json() == signal
        goal = {"search_id": search_id, "goal": "A working router", "attempted": ["the pin"]}
        packet = await call(client, "escalate", **goal)
        assert served.post("/v1/escalations", key, json=goal).json() == packet
        assert packet["escalation_id"] == first["outcome_id"]
        foreign = served.post(
            "/v1/search", make_key(served.application), json={"query": "reset"}
        ).json()["search_id"]
        refused = await fail(client, "report_outcome", search_id=foreign, outcome="wrong")
        assert refused["code"] == "not_found"
        refused = await fail(client, "escalate", search_id=foreign, goal="x")
        assert refused["code"] == "not_found"

    drive(served, key, tell)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_key_that_may_only_read_has_only_the_tools_that_read(
    served: Served, transport: str
) -> None:
    key = make_key(served.application, Role.READER)

    async def look(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        search_id = (await call(client, "search_knowledge", query="reset"))["search_id"]
        for tool, arguments in (
            ("report_outcome", {"search_id": search_id, "outcome": "wrong"}),
            ("signal_gap", {"question": "Which lever?", "reason": "missing"}),
            ("escalate", {"search_id": search_id, "goal": "x"}),
        ):
            refused = await fail(client, tool, **arguments)
            assert refused["code"] == "forbidden" and "reader" in refused["message"]
        body = {"search_id": search_id, "outcome": "wrong"}
        assert served.post("/v1/outcomes", key, json=body).status_code == 403

    drive(served, key, look, transport)
    for path, body in (
        ("/v1/gap-signals", {"question": "x", "reason": "missing"}),
        ("/v1/escalations", {"search_id": "se_1", "goal": "x"}),
    ):
        assert served.post(path, key, json=body).status_code == 403
        assert served.post(path, make_key(served.application), json=body).status_code in (200, 404)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {}),
        ("search", {"query": ""}),
        ("search", {"query": 7}),
        ("search", {"query": "x" * 20_001}),
        ("search", {"query": "x", "top_k": 3}),
        ("fetch", {"id": ""}),
        ("fetch", {"query": "x"}),
        ("search_knowledge", {"query": "x", "top_k": 1_000}),
        ("report_outcome", {"search_id": "se_1", "outcome": "great"}),
        ("signal_gap", {"question": "x", "reason": "boredom"}),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    served: Served, tool: str, arguments: dict[str, Any]
) -> None:
    async def ask(client: Client) -> None:
        refused = await fail(client, tool, **arguments)
        assert refused["code"] == "malformed" and "\n" not in refused["message"]

    drive(served, make_key(served.application), ask)


def test_an_unknown_tool_is_an_error_of_the_protocol(served: Served) -> None:
    async def ask(client: Client) -> None:
        with pytest.raises(MCPError, match="no tool"):
            await client.call_tool("delete_everything", {})

    drive(served, make_key(served.application), ask)


def test_a_fault_of_ours_is_told_without_its_insides(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr("api.mcp.tools.read_standing", fault)

    async def ask(client: Client) -> None:
        refused = await fail(client, "fetch", id="returns")
        assert refused == {"code": "internal", "message": "internal error", "details": {}}

    drive(served, make_key(served.application), ask)


@pytest.mark.parametrize(
    ("transport", "end"), [("http", "revoked"), ("http", "expired"), ("stdio", "revoked")]
)
def test_a_key_that_ended_fails_at_the_next_call(
    served: Served, transport: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(served.application, expires_at=NOW + timedelta(hours=1))
    key_id = f"key_{key.split('_')[1]}"

    async def ask(client: Client) -> None:
        await call(client, "search", query="reset the router")
        if end == "revoked":
            with served.application.database.write() as connection:
                revoke_key(connection, key_id, now=NOW, actor="t")
        else:
            late = FixedClock(NOW + timedelta(hours=2))
            monkeypatch.setattr(served.application, "clock", late)
        if transport == "stdio":
            assert (await fail(client, "search", query="x"))["code"] == "unauthenticated"
            return
        with pytest.raises(MCPError):
            await client.call_tool("search", {"query": "x"})
        assert knock(served, key).status_code == 401

    drive(served, key, ask, transport)


def knock(served: Served, key: str | None, **headers: str) -> httpx.Response:
    """A call as any program could send it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "search", "arguments": {"query": "reset the router"}}}  # fmt: skip
    accept = {"Accept": "application/json, text/event-stream"}
    return served.post("/mcp", key, json=message, headers={**accept, **headers})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "evil.example:8000",
        "kb.example.org.evil.example", "", "127.0.0.2", "10.0.0.1", "[::2]", "localhost:port",
        "user@localhost", "localhost, evil.example",
    ],
)  # fmt: skip
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    answer = knock(served, make_key(served.application), Host=host)
    assert answer.status_code in (400, 403) and "result" not in answer.text
    assert answer.status_code == 403 or not host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:80", "kb.example.org"]
)
def test_its_own_hosts_are_served(served: Served, host: str) -> None:
    assert knock(served, make_key(served.application), Host=host).json()["result"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "", "http://localhost.evil.example", "http://localhost:1",
        "https://agents.example.org.evil.example", "https://agents.example.org:444",
        "http://agents.example.org", "https://kb.example.org@evil.example", "file://localhost:9",
    ],
)  # fmt: skip
def test_a_foreign_origin_is_refused_whatever_its_key(served: Served, origin: str) -> None:
    for key in (make_key(served.application), None):
        answer = knock(served, key, Host="localhost:9", Origin=origin)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"


def test_its_own_and_named_origins_are_served(served: Served) -> None:
    key = make_key(served.application)
    for origin in ("http://localhost:9", "https://agents.example.org"):
        assert knock(served, key, Host="localhost:9", Origin=origin).json()["result"]


def test_two_of_a_header_are_refused(served: Served) -> None:
    key = make_key(served.application)
    for name, values in (
        ("Origin", ("http://localhost:9", "https://evil.example")),
        ("Authorization", (f"Bearer {key}", "Bearer x")),
    ):
        headers = [("Host", "localhost:9"), *((name, value) for value in values)]
        answer = httpx.post(f"{served.url}/mcp", headers=headers, json={})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic abc", "Bearer kb_a_b_c", "Bearer eyJhbGciOiJub25lIn0.e30."],
)
def test_a_token_that_is_not_a_key_of_ours_is_refused(
    served: Served, authorization: str | None
) -> None:
    said = {} if authorization is None else {"Authorization": authorization}
    answer = knock(served, None, **said)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthenticated"
    if authorization is None:
        key = make_key(served.application)
        assert httpx.post(f"{served.url}/mcp?key={key}&access_token={key}").status_code == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_there_is_no_session_to_open_or_end(served: Served, method: str) -> None:
    headers = bearer(make_key(served.application))
    answer = httpx.request(method, f"{served.url}/mcp", headers=headers)
    assert answer.status_code == 405 and answer.headers["Allow"] == "POST"
    foreign = {**headers, "Origin": "https://evil.example"}
    assert httpx.request(method, f"{served.url}/mcp", headers=foreign).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"7", b"\xff", b"{}" * 9, b"[" * 90_000, b"x" * 2_000_000]
)
def test_a_malformed_body_is_refused_and_the_next_call_served(served: Served, body: bytes) -> None:
    key = make_key(served.application)
    headers = {
        "Accept": "application/json, text/event-stream", "Content-Type": "application/json",
    }  # fmt: skip
    answer = served.post("/mcp", key, content=body, headers=headers)
    assert 400 <= answer.status_code < 500 and "Traceback" not in answer.text
    assert knock(served, key).json()["result"]


@pytest.mark.parametrize(
    ("key", "told"),
    [(None, "AGENT_KEY is not set"), ("kb_a_b_c", "not a valid key"), ("x y", "not a valid key")],
)
def test_stdio_does_not_start_without_a_valid_key(
    served: Served, key: str | None, told: str
) -> None:
    parameters = stdio_parameters(served, key or "")
    ended = subprocess.run(
        [parameters.command, *parameters.args], env=parameters.env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1 and ended.stdout == ""
    assert told in ended.stderr and len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, None])
def test_stdio_survives_garbage_and_ends_when_told_to(
    served: Served, end: signal.Signals | None
) -> None:
    parameters = stdio_parameters(served, make_key(served.application))
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }  # fmt: skip
    with subprocess.Popen(
        [parameters.command, *parameters.args], env=parameters.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b'not json\n\x00\xff\n[]\n{"jsonrpc":"2.0"}\n')
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        if end is None:
            process.stdin.close()
        else:
            process.send_signal(end)
        try:
            assert process.wait(20) == (0 if end is None else -end)
        finally:
            process.kill()
        assert process.stdout.read() == b""
