"""Every route of the app and who gets through its door; a route without a row fails.

A row says the least role, at which door: a bearer key, a page's session, or none. The ids asked
for do not exist, so whoever gets through meets a 404, a 400 or a page, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.keys import Caller, create_key
from api.pages.session_store import write_session
from api.people import caller_of, read_person
from api.wiring import Application
from kb.types import Audience, Role
from tests.api.pages.factories import (
    VPN_TICKETS,
    make_application,
    make_person,
    make_tickets,
    store_draft,
    store_gap,
)

ANYONE, READER, AGENT, OWNER, EDITOR, ADMIN = (
    "anyone",
    "reader",
    "agent",
    "owner",
    "editor",
    "admin",
)
KEY, PAGE, OPEN = "key", "page", "open"


@dataclass(frozen=True, slots=True)
class Row:
    """What a route asks of its caller."""

    method: str
    path: str
    door: str
    least: str
    body: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    own_proof: bool = False
    """Open to whoever brings its own proof, a form's token or a link's; here nobody does."""

    @property
    def name(self) -> tuple[str, str]:
        return self.method, self.path

    def address(self, **ids: str) -> str:
        address = self.path.replace("{document_id:path}", "{document_id}")
        names = (
            "gap_id",
            "draft_id",
            "document_id",
            "run_id",
            "topic_id",
            "name",
            "search_id",
            "vector_store_id",
        )
        for name in names:
            address = address.replace(f"{{{name}}}", ids.get(name, "none-such"))
        return address + (f"?{self.query}" if self.query else "")


def key(method: str, path: str, least: str, **more: Any) -> Row:
    return Row(method, path, KEY, least, **more)


def page(method: str, path: str, least: str = OWNER, **more: Any) -> Row:
    return Row(method, path, PAGE, least, **more)


def opened(method: str, path: str, **more: Any) -> Row:
    return Row(method, path, OPEN, ANYONE, **more)


WHY = {"reason": "a reason"}
ROWS = (
    opened("GET", "/openapi.json"),
    opened("GET", "/healthz"),
    opened("GET", "/readyz"),
    opened("GET", "/metrics"),
    opened("GET", "/"),
    opened("GET", "/static/{name}.css"),
    opened("GET", "/static/kbops.svg"),
    opened("GET", "/static/preview.js"),
    opened("GET", "/sign-in"),
    opened("POST", "/sign-in", own_proof=True),
    opened("GET", "/sign-in/setup", query="token=x", own_proof=True),
    opened("POST", "/sign-in/setup", own_proof=True),
    opened("GET", "/sign-in/openid"),
    opened("GET", "/sign-in/openid/callback"),
    key("POST", "/mcp", READER, body={"jsonrpc": "2.0", "id": 1, "method": "ping"},
        headers={"accept": "application/json, text/event-stream"}),
    key("POST", "/v1/search", READER, body={"query": "vpn"}),
    key("POST", "/v1/context", READER, body={"query": "vpn"}),
    key("POST", "/compat/dify/retrieval", READER,
        body={"knowledge_id": "default", "query": "vpn"}),
    key("GET", "/v1/vector_stores", READER),
    key("GET", "/v1/vector_stores/{vector_store_id}", READER),
    key("POST", "/v1/vector_stores/{vector_store_id}/search", READER, body={"query": "vpn"}),
    key("GET", "/v1/searches/{search_id}", READER),
    key("POST", "/v1/searches/{search_id}/replay", READER),
    key("POST", "/v1/outcomes", AGENT, body={"search_id": "none", "outcome": "resolved"}),
    key("POST", "/v1/escalations", AGENT, body={"search_id": "none", "goal": "help"}),
    key("POST", "/v1/gap-signals", AGENT, body={"question": "what is it?", "reason": "missing"}),
    key("GET", "/v1/articles", READER),
    key("GET", "/v1/articles/{document_id:path}", READER),
    key("GET", "/v1/articles/{document_id:path}/versions", READER),
    key("POST", "/v1/articles/{document_id:path}/verify", OWNER, body=WHY),
    key("POST", "/v1/articles/{document_id:path}/rollback", OWNER, body={"version": 1}),
    key("POST", "/v1/tickets", EDITOR),
    key("GET", "/v1/gaps", OWNER),
    key("GET", "/v1/gaps/{gap_id}", OWNER),
    key("POST", "/v1/gaps/{gap_id}/dismiss", OWNER, body=WHY),
    key("POST", "/v1/gaps/{gap_id}/correct", OWNER, body={"kind": "not_a_gap", **WHY}),
    key("GET", "/v1/topics", OWNER),
    key("GET", "/v1/topics/{topic_id}", OWNER),
    key("GET", "/v1/drafts", OWNER),
    key("POST", "/v1/drafts", OWNER, body={"gap_id": "none-such"}),
    key("GET", "/v1/drafts/{draft_id}", OWNER),
    key("POST", "/v1/drafts/{draft_id}/review", OWNER, body={"decision": "approve"},
        headers={"if-match": '"x"'}),
    key("POST", "/v1/drafts/{draft_id}/rollback", OWNER),
    key("POST", "/v1/drafts/{draft_id}/comments", OWNER, body={"text": "x"}),
    key("POST", "/v1/drafts/{draft_id}/snooze", OWNER, body={"until": None},
        headers={"if-match": '"x"'}),
    key("POST", "/v1/drafts/{draft_id}/owner", OWNER, body={"owner": "tom"},
        headers={"if-match": '"x"'}),
    key("POST", "/v1/drafts/{draft_id}/preview", OWNER, body={"markdown": "x"}),
    key("GET", "/v1/actions", OWNER),
    key("GET", "/v1/freshness", OWNER),
    key("GET", "/v1/freshness/{document_id:path}", OWNER),
    key("GET", "/v1/sources", OWNER),
    key("POST", "/v1/sources/{name}/sync", EDITOR),
    key("GET", "/v1/drives", OWNER),
    key("GET", "/v1/jobs", OWNER),
    key("GET", "/v1/jobs/{run_id}", OWNER),
    key("POST", "/v1/jobs/{name}/run", ADMIN),
    key("GET", "/v1/audit", EDITOR),
    page("GET", "/review"),
    page("POST", "/review/bulk"),
    page("POST", "/review/{draft_id}/comment", body={"text": "x"}),
    page("POST", "/review/{draft_id}/later", body={"do": "wake"}),
    page("GET", "/review/{draft_id}"),
    page("POST", "/review/{draft_id}/preview", body={"markdown": "x"}),
    page("POST", "/review/{draft_id}/decision", body={"decision": "approve"}),
    page("GET", "/review/{draft_id}/rollback"),
    page("POST", "/review/{draft_id}/rollback"),
    page("POST", "/review/gaps/{gap_id}/draft"),
    page("GET", "/gaps"),
    page("GET", "/gaps/map"),
    page("GET", "/gaps/{gap_id}"),
    page("POST", "/gaps/{gap_id}/correct", body={"kind": "not_a_gap", **WHY}),
    page("POST", "/gaps/bulk"),
    page("GET", "/search"),
    page("POST", "/search"),
    page("GET", "/search/{search_id}"),
    page("POST", "/search/{search_id}/wrong", body={"document_id": "x"}),
    page("POST", "/search/{search_id}/missing", body={"reason": "missing"}),
    page("GET", "/articles"),
    page("GET", "/articles/{document_id:path}"),
    page("GET", "/articles/{document_id:path}/compare", query="before=1&after=1"),
    page("GET", "/articles/{document_id:path}/audit"),
    page("GET", "/articles/{document_id:path}/rollback", query="version=1"),
    page("POST", "/articles/{document_id:path}/rollback", body={"version": "1"}),
    page("GET", "/freshness"),
    page("POST", "/freshness/bulk"),
    page("GET", "/freshness/{document_id:path}"),
    page("POST", "/freshness/{document_id:path}/verify", body=WHY),
    page("GET", "/autonomy"),
    page("POST", "/autonomy/raise", ADMIN, body={"owner": "ines", "kind": "none", **WHY}),
    page("POST", "/autonomy/withdraw", ADMIN, body={"owner": "ines", "kind": "none", **WHY}),
    page("GET", "/account"),
    page("POST", "/account/password"),
    page("POST", "/account/sign-out-everywhere"),
    page("POST", "/sign-out"),
)  # fmt: skip
OF_A_DRAFT = [row for row in ROWS if "{draft_id}" in row.path]
OF_AN_ARTICLE = [row for row in ROWS if row.door == KEY and "{document_id:path}" in row.path]
ENDING = ("/account/sign-out-everywhere", "/sign-out")
RANK = {ANYONE: 0, READER: 1, AGENT: 2, OWNER: 3, EDITOR: 4, ADMIN: 5}
CALLERS = {
    "nobody": (None, None),
    "reader": (Role.READER, Audience.INTERNAL),
    "agent": (Role.AGENT, Audience.INTERNAL),
    "agent for the public": (Role.AGENT, Audience.PUBLIC),
    "admin for the public": (Role.ADMIN, Audience.PUBLIC),
    "admin for partners": (Role.ADMIN, Audience.PARTNER),
    "owner": (Role.OWNER, Audience.INTERNAL),
    "another owner": (Role.OWNER, Audience.INTERNAL),
    "editor": (Role.EDITOR, Audience.INTERNAL),
    "admin": (Role.ADMIN, Audience.INTERNAL),
}


def gets_through(row: Row, name: str) -> bool:
    """What the table says; the internal audience is needed for all but what agents do."""
    role, audience = CALLERS[name]
    if row.least == ANYONE:
        return True
    if role is None or RANK[role.value] < RANK[row.least]:
        return False
    return row.least in (READER, AGENT) or audience is Audience.INTERNAL


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder: Path = tmp_path_factory.mktemp("routes")
    application = make_application(folder / "kb")
    del application.__dict__["weekly"]
    for number, owner in enumerate(("ines", "tom")):
        gap = store_gap(application, f"gap_{owner}", make_tickets(owner, VPN_TICKETS), owner=owner)
        store_draft(application, f"drf_{owner}", gap, document_id=f"new-{number}")
        make_person(application, owner, owner=owner, password=None)
    make_person(application, "eda", Role.EDITOR, None, password=None)
    make_person(application, "ada", Role.ADMIN, None, password=None)
    yield application
    application.close()


@pytest.fixture(scope="module")
def app(kb: Application) -> FastAPI:
    return create_app(kb)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as opened:
        yield opened


def list_routes(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything that is routed, included routers' own routes, too."""
    found = set()
    for route in app.router.routes:
        inner = getattr(route, "effective_route_contexts", None)
        for one in inner() if inner is not None else [route]:
            methods = set(one.methods or {"POST"}) - {"HEAD"}
            found |= {(method, one.path) for method in methods}
    return found


def ask(kb: Application, client: TestClient, row: Row, name: str, **ids: str) -> Any:
    """The answer to a caller, at the door the row names."""
    client.cookies.clear()
    headers = dict(row.headers)
    body = row.body
    role, audience = CALLERS[name]
    if row.door == PAGE:
        headers |= {"accept": "text/html"}
        if role is not None and audience is not None:
            cookie, token = _open_session(kb, name, role, audience)
            client.cookies.set("kb_session", cookie)
            body = {**row.body, "csrf_token": token}
        said = {"data": body} if row.method == "POST" else {}
        return client.request(row.method, row.address(**ids), headers=headers, **said)  # type: ignore[arg-type]
    if role is not None and audience is not None:
        headers["authorization"] = f"Bearer {_make_key(kb, name, role, audience)}"
    return client.request(
        row.method, row.address(**ids), headers=headers,
        json=row.body if row.method == "POST" else None,
    )  # fmt: skip


_keys: dict[tuple[int, str], str] = {}


def _owner_of(name: str, role: Role) -> str | None:
    return {"another owner": "tom"}.get(name, "ines") if role is Role.OWNER else None


def _make_key(kb: Application, name: str, role: Role, audience: Audience) -> str:
    held = _keys.get((id(kb), name))
    if held is None:
        with kb.database.write() as connection:
            held = _keys[id(kb), name] = create_key(
                connection, role=role, audience=audience, owner=_owner_of(name, role),
                now=kb.clock.now(), actor="test",
            )[1]  # fmt: skip
    return held


def _open_session(kb: Application, name: str, role: Role, audience: Audience) -> tuple[str, str]:
    """A session as the store keeps it, for people and for keys that should not have one."""
    from api.pages.session_store import read_session

    people = {"owner": "ines", "another owner": "tom", "editor": "eda", "admin": "ada"}
    held = _make_key(kb, name, role, audience)
    with kb.database.write() as connection:
        if name in people:
            caller = caller_of(read_person(connection, people[name]))
        else:
            caller = Caller(f"key_{held.split('_')[1]}", role, audience, None)
        cookie = write_session(connection, caller, kb.clock.now())
        stored = read_session(connection, cookie, kb.clock.now())
    assert stored is not None
    return cookie, stored.csrf_token


def is_refused(row: Row, answer: Any) -> bool:
    if row.door == PAGE and answer.status_code == 303:
        return str(answer.headers["location"]).startswith("/sign-in") and row.path not in ENDING
    return answer.status_code in (401, 403)


def test_every_route_has_its_row_and_every_row_its_route(app: FastAPI) -> None:
    listed = [row.name for row in ROWS]
    assert len(listed) == len(set(listed))
    assert list_routes(app) - set(listed) == set(), "routes without a row"
    assert set(listed) - list_routes(app) == set(), "rows without a route"


@pytest.mark.parametrize("name", list(CALLERS))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.name))
def test_who_gets_through(kb: Application, client: TestClient, row: Row, name: str) -> None:
    answer = ask(kb, client, row, name)
    assert answer.status_code < 500 or row.path == "/readyz", answer.text
    if row.path in ENDING and not gets_through(row, name):
        # They lead to the sign-in page either way; what matters is that nothing was entered.
        assert answer.status_code == 303
        return
    expected = not gets_through(row, name) or row.own_proof
    assert is_refused(row, answer) == expected, answer.text


@pytest.mark.parametrize("row", [r for r in ROWS if r.door == PAGE and r.method == "POST"],
                         ids=lambda row: row.path)  # fmt: skip
def test_no_form_is_taken_without_its_token_or_from_another_site(
    kb: Application, client: TestClient, row: Row
) -> None:
    cookie, token = _open_session(kb, "admin", Role.ADMIN, Audience.INTERNAL)
    for body, headers in (
        ({**row.body}, {}),
        ({**row.body, "csrf_token": "forged"}, {}),
        ({**row.body, "csrf_token": token}, {"origin": "https://evil.example"}),
        ({**row.body, "csrf_token": token}, {"sec-fetch-site": "cross-site"}),
    ):
        client.cookies.clear()
        client.cookies.set("kb_session", cookie)
        said = {"accept": "text/html", **headers}
        answer = client.post(row.address(), data=body, headers=said)
        assert answer.status_code == 403, (body, headers)


@pytest.mark.parametrize("row", OF_A_DRAFT, ids=lambda row: " ".join(row.name))
def test_anothers_draft_answers_like_a_missing_one(
    kb: Application, client: TestClient, row: Row
) -> None:
    missing = ask(kb, client, row, "another owner", draft_id="drf_none")
    foreign = ask(kb, client, row, "another owner", draft_id="drf_ines")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace("drf_ines", "drf_none") == missing.text
    own = ask(kb, client, row, "owner", draft_id="drf_ines")
    assert own.status_code != 404 or "publication" in own.text, own.text


@pytest.mark.parametrize("row", OF_AN_ARTICLE, ids=lambda row: " ".join(row.name))
def test_an_article_of_another_audience_answers_like_a_missing_one(
    kb: Application, client: TestClient, row: Row
) -> None:
    from sqlalchemy import update

    from kb.tables import documents

    with kb.database.write() as connection:
        connection.execute(
            update(documents).where(documents.c.id == "refunds").values(audience="internal")
        )
    for name in ("agent for the public", "admin for the public"):
        missing = ask(kb, client, row, name, document_id="nothing")
        foreign = ask(kb, client, row, name, document_id="refunds")
        assert foreign.status_code == missing.status_code
        assert foreign.text.replace("refunds", "nothing") == missing.text


def test_the_table_would_notice_a_route_that_lets_too_many_in(kb: Application) -> None:
    """The guard's own guard: the same question to an app with one unguarded route."""
    bare = create_app(kb)

    @bare.get("/v1/leak")
    def leak() -> dict[str, str]:
        return {}

    assert list_routes(bare) - {row.name for row in ROWS} == {("GET", "/v1/leak")}
    row = key("GET", "/v1/leak", OWNER)
    with TestClient(bare, base_url="http://127.0.0.1") as opened:
        assert not is_refused(row, ask(kb, opened, row, "nobody"))
