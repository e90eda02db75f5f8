"""The HTTP edge: who is let in, what an error says, and what a repeated call does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import SECURITY_HEADERS, create_app
from api.keys import revoke_key
from api.wiring import Application
from ingest.chunking import chunk_document
from kb import articles, intake
from kb.database import Database
from kb.types import Audience, Role
from tests.api.factories import NOW, bearer, make_draft, make_key, sync, write_article


@pytest.fixture
def client(application: Application) -> Iterator[TestClient]:
    sync(application)
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


def error_of(answer: Any) -> dict[str, Any]:
    said: dict[str, Any] = answer.json()
    assert set(said) == {"error"} and set(said["error"]) == {"code", "message", "details"}
    return said["error"]  # type: ignore[no-any-return]


def search(client: TestClient, key: str, query: Any = "reset the router", **more: Any) -> Any:
    return client.post(
        "/v1/search", json={"query": query, **more.pop("body", {})}, headers=bearer(key) | more
    )


def test_a_search_answers_in_the_promised_shape(
    client: TestClient, application: Application
) -> None:
    said = search(client, make_key(application), body={"explain": True}).json()
    assert {
        "search_id", "query", "answerable", "confidence", "degraded", "generation", "took_ms", "hits",
    } <= set(said)  # fmt: skip
    hit = said["hits"][0]
    assert {
        "chunk_id", "document_id", "version", "title", "heading_path", "text", "url", "score",
        "source", "authority", "audience", "owner", "confidence_state", "freshness",
        "action_class", "overrules", "overruled_by", "why",
    } <= set(hit)  # fmt: skip
    assert {"verdict", "reasons", "last_verified_at", "age_days"} == set(hit["freshness"])


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer kb_a_b_c"])
def test_without_a_valid_key_nothing_is_answered(client: TestClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for answer in (
        client.post("/v1/search", json={"query": "x"}, headers=headers),
        client.get("/v1/articles", headers=headers),
        client.post("/v1/tickets", content=b"{}", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert error_of(answer)["code"] == "unauthenticated"


def test_every_route_but_the_probes_and_pages_refuses_callers_without_a_key(
    client: TestClient,
) -> None:
    tried = 0
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if not path.startswith("/v1"):
            continue
        for method in methods:
            answer = client.request(method, path.replace("{", "").replace("}", ""), json={})
            assert answer.status_code == 401, f"{method} {path}"
            tried += 1
    assert tried >= 20


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.CUSTOMER, Audience.PARTNER])
def test_what_owners_run_is_closed_to_every_lower_audience_whatever_its_role(
    client: TestClient, application: Application, role: Role, audience: Audience
) -> None:
    headers = bearer(make_key(application, role, audience))
    for method, path in (
        ("GET", "/v1/gaps"), ("GET", "/v1/gaps/x"), ("POST", "/v1/gaps/x/dismiss"),
        ("POST", "/v1/gaps/x/correct"), ("GET", "/v1/topics"), ("GET", "/v1/topics/x"),
        ("GET", "/v1/drafts"), ("GET", "/v1/drafts/x"), ("POST", "/v1/drafts"),
        ("POST", "/v1/drafts/x/review"), ("POST", "/v1/drafts/x/rollback"),
        ("GET", "/v1/sources"), ("POST", "/v1/sources/help/sync"), ("GET", "/v1/drives"),
        ("GET", "/v1/jobs"), ("POST", "/v1/jobs/sync/run"), ("GET", "/v1/audit"),
        ("POST", "/v1/tickets"), ("POST", "/v1/articles/help-0/verify"),
        ("POST", "/v1/articles/help-0/rollback"),
    ):  # fmt: skip
        body = {"reason": "r", "decision": "approve", "gap_id": "x"}
        answer = client.request(method, path, headers=headers, json=body)
        assert answer.status_code in (403, 422), f"{method} {path}: {answer.text}"
        if answer.status_code == 422:
            answer = client.request(method, path, headers=headers, json={})
            assert answer.status_code in (403, 422)


def test_a_revoked_key_is_refused_from_the_next_request_on_even_for_what_it_did_before(
    client: TestClient, application: Application
) -> None:
    key = make_key(application, Role.ADMIN, Audience.INTERNAL)
    again = {"Idempotency-Key": "once"}
    body = {"reason": "read it"}
    path = "/v1/articles/help-0/verify"
    assert client.post(path, json=body, headers=bearer(key) | again).status_code == 200
    with application.database.write() as connection:
        revoke_key(connection, f"key_{key.split('_')[1]}", now=NOW, actor="t")
    assert client.post(path, json=body, headers=bearer(key) | again).status_code == 401
    assert client.get("/v1/articles", headers=bearer(key)).status_code == 401


def test_a_repeated_call_answers_the_same_and_does_nothing_twice(
    client: TestClient, application: Application
) -> None:
    headers = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    draft = make_draft(application)
    call = {"json": {"decision": "approve"}, "url": f"/v1/drafts/{draft.draft_id}/review"}
    headers |= {"Idempotency-Key": "k", "If-Match": f'"{draft.draft_hash}"'}
    first = client.post(**call, headers=headers)
    second = client.post(**call, headers=headers)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    with application.database.read() as connection:
        count = connection.execute(text("SELECT count(*) FROM publications")).scalar()
    assert count == 1


def test_an_idempotency_key_belongs_to_one_call_and_one_caller(
    client: TestClient, application: Application
) -> None:
    owner = bearer(make_key(application, Role.OWNER, Audience.INTERNAL))
    admin = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    path, once = "/v1/articles/help-0/verify", {"Idempotency-Key": "k"}
    assert client.post(path, json={"reason": "a"}, headers=owner | once).status_code == 200
    other = client.post(path, json={"reason": "b"}, headers=owner | once)
    assert other.status_code == 409 and error_of(other)["code"] == "conflict"
    mine = client.post(path, json={"reason": "b"}, headers=admin | once)
    assert mine.status_code == 200 and mine.json()["verified_by"] != "ana"
    long = client.post(path, json={"reason": "a"}, headers=owner | {"Idempotency-Key": "k" * 201})
    assert long.status_code == 400


def test_a_repeated_search_shows_what_may_be_shown_now(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    assert len(search(client, key, **{"Idempotency-Key": "k"}).json()["hits"]) == 3
    path = application.root / "articles" / "help-0.md"
    write_article(path, "How to reset the router, way 0.", title="R", audience="internal")
    sync(application)
    assert len(search(client, key, **{"Idempotency-Key": "k"}).json()["hits"]) == 2


def test_errors_have_one_shape_and_the_right_status(
    client: TestClient, application: Application
) -> None:
    admin = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    for status, code, answer in (
        (404, "not_found", client.get("/v1/articles/unheard", headers=admin)),
        (404, "not_found", client.get("/v1/gaps/unheard", headers=admin)),
        (404, "not_found", client.get("/v1/drafts/unheard", headers=admin)),
        (404, "not_found", client.get("/v1/jobs/unheard", headers=admin)),
        (404, "not_found", client.post("/v1/jobs/unheard/run", headers=admin)),
        (404, "http", client.get("/v1/unheard", headers=admin)),
        (405, "http", client.delete("/v1/articles", headers=admin)),
        (400, "invalid_input", client.get("/v1/gaps?status=unheard", headers=admin)),
        (422, "malformed", client.post("/v1/search", json={}, headers=admin)),
        (422, "malformed", client.post("/v1/search", content=b"{", headers=admin)),
        (422, "malformed", client.get("/v1/articles?limit=0", headers=admin)),
        (422, "malformed", client.post("/v1/search", json={"query": "x", "topk": 3}, headers=admin)),
        (428, "precondition_required",
         client.post("/v1/drafts/x/review", json={"decision": "approve"}, headers=admin)),
        (404, "not_found",
         client.post("/v1/outcomes", json={"search_id": "x", "outcome": "wrong"}, headers=admin)),
    ):  # fmt: skip
        assert answer.status_code == status, answer.text
        assert error_of(answer)["code"] == code
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value


def test_a_stale_review_is_refused_and_changes_nothing(
    client: TestClient, application: Application
) -> None:
    headers = bearer(make_key(application, Role.OWNER, Audience.INTERNAL))
    draft = make_draft(application)
    answer = client.post(
        f"/v1/drafts/{draft.draft_id}/review", json={"decision": "approve"},
        headers=headers | {"If-Match": '"another"'},
    )  # fmt: skip
    assert answer.status_code == 412 and error_of(answer)["code"] == "stale"
    shown = client.get(f"/v1/drafts/{draft.draft_id}", headers=headers)
    assert shown.json()["state"] == "in_review"
    assert shown.headers["ETag"] == f'"{draft.draft_hash}"'


@pytest.mark.parametrize("query", ["\ud800", "\udfff abc", "", "x" * 20_001, 5, None, ["a"]])
def test_a_query_that_is_no_text_is_malformed(
    client: TestClient, application: Application, query: Any
) -> None:
    answer = client.post(
        "/v1/search",
        content=__import__("json").dumps({"query": query}).encode(),
        headers=bearer(make_key(application)) | {"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    error_of(answer)


def test_a_body_over_the_limit_is_refused_before_it_is_read(
    client: TestClient, application: Application
) -> None:
    for length in (str(65 * 1024 * 1024), "-1", "many"):
        answer = client.post(
            "/v1/search", content=b"{}",
            headers=bearer(make_key(application)) | {"Content-Length": length},
        )  # fmt: skip
        assert answer.status_code == 413


def test_a_fault_of_ours_says_nothing_of_our_insides(
    client: TestClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(application)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret path /srv/kb")

    monkeypatch.setattr(articles, "read_documents", fail)
    answer = client.get("/v1/articles", headers=bearer(key))
    assert answer.status_code == 500
    assert error_of(answer) == {"code": "internal", "message": "internal error", "details": {}}


def test_while_the_database_is_away_nobody_s_permission_can_be_proved(
    client: TestClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(application)
    monkeypatch.setattr(application, "database", Database("sqlite:////nowhere/at/all.db"))
    answer = client.get("/v1/articles", headers=bearer(key))
    assert answer.status_code == 503 and error_of(answer)["details"] == {"retryable": True}
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").json() == {"status": "alive"}


def test_ready_only_with_a_generation_and_telling_nothing_of_hidden_changes(
    client: TestClient, application: Application
) -> None:
    assert client.get("/readyz").status_code == 503
    application.rebuild_index(actor="t")
    before = client.get("/readyz")
    write_article(application.root / "policies" / "new.md", "A secret.", title="S")
    sync(application)
    assert before.status_code == 200
    assert client.get("/readyz").json() == before.json()


def test_an_earlier_version_is_shown_only_to_those_who_might_have_read_it(
    client: TestClient, application: Application
) -> None:
    path = application.root / "articles" / "moved.md"
    write_article(path, "Canary body.", title="Canary title", audience="internal")
    sync(application)
    write_article(path, "Open words.", title="Open title", audience="public")
    sync(application)
    for role in (Role.AGENT, Role.OWNER, Role.ADMIN):
        key = make_key(application, role, Audience.PARTNER)
        answer = client.get("/v1/articles/moved/versions", headers=bearer(key))
        assert answer.status_code == 200 and "Canary" not in answer.text
        assert [v["version"] for v in answer.json()["items"]] == [2, 1]
        assert answer.json()["items"][0]["markdown"] == "Open words."
    key = make_key(application, Role.OWNER, Audience.INTERNAL)
    answer = client.get("/v1/articles/moved/versions", headers=bearer(key))
    assert answer.json()["items"][1]["markdown"] == "Canary body."


def test_a_document_names_of_those_it_replaces_only_what_the_reader_may_know(
    client: TestClient, application: Application
) -> None:
    write_article(application.root / "policies" / "canary-7.md", "Old.", title="Old")
    write_article(
        application.root / "articles" / "new.md", "New.", title="New",
        supersedes="[canary-7, help-1, never-was]",
    )  # fmt: skip
    sync(application)
    for path in ("/v1/articles", "/v1/articles/new"):
        answer = client.get(path, headers=bearer(make_key(application)))
        assert "canary-7" not in answer.text and "help-1" in answer.text
    key = make_key(application, audience=Audience.INTERNAL)
    shown = client.get("/v1/articles/new", headers=bearer(key)).json()
    assert shown["supersedes"] == ["canary-7", "help-1"]


def test_an_outcome_is_taken_once_a_search_from_the_key_that_searched(
    client: TestClient, application: Application
) -> None:
    mine, other = make_key(application), make_key(application)
    search_id = search(client, mine).json()["search_id"]
    body = {"search_id": search_id, "outcome": "resolved"}
    assert client.post("/v1/outcomes", json=body, headers=bearer(other)).status_code == 404
    first = client.post("/v1/outcomes", json=body, headers=bearer(mine)).json()
    again = client.post("/v1/outcomes", json=body | {"outcome": "wrong"}, headers=bearer(mine))
    assert again.json() == first


def test_lists_come_in_pages_that_join(client: TestClient, application: Application) -> None:
    headers = bearer(make_key(application, audience=Audience.INTERNAL))
    found, offset = [], 0
    while offset is not None:
        page = client.get(f"/v1/articles?limit=3&offset={offset}", headers=headers).json()
        found += [item["document_id"] for item in page["items"]]
        offset = page["next_offset"]
    assert found == ["help-0", "help-1", "help-2", "refunds"]


def test_a_document_id_with_slashes_and_odd_letters_is_reached(
    client: TestClient, application: Application
) -> None:
    write_article(application.root / "articles" / "a" / "b.md", "Deep.", title="D", id="x/y:z.1")
    sync(application)
    headers = bearer(make_key(application))
    assert client.get("/v1/articles/x/y:z.1", headers=headers).json()["title"] == "D"
    assert client.get("/v1/articles/x/y:z.1/versions", headers=headers).status_code == 200


def test_a_published_answer_is_served_by_the_next_search_and_gone_after_rollback(
    client: TestClient, application: Application
) -> None:
    headers = bearer(make_key(application, Role.OWNER, Audience.INTERNAL))
    key = make_key(application)
    draft = make_draft(application)
    review = f"/v1/drafts/{draft.draft_id}/review"
    answer = client.post(
        review, json={"decision": "approve"}, headers=headers | {"If-Match": draft.draft_hash}
    )
    assert answer.json()["state"] == "published"
    first = search(client, key, "press the green lever").json()["hits"][0]
    assert first["document_id"] == draft.document_id
    assert client.post(f"/v1/drafts/{draft.draft_id}/rollback", headers=headers).status_code == 200
    hits = search(client, key, "press the green lever").json()["hits"]
    assert draft.document_id not in [hit["document_id"] for hit in hits]


def test_while_another_process_writes_for_long_search_answers_unlogged(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    write_article(application.root / "articles" / "new.md", "Reset the zeppelin.", title="Zeppelin")
    sync(application)
    with closing(sqlite3.connect(application.data_folder / "kb.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = search(client, key, "zeppelin").json()
        context = client.post(
            "/v1/context", json={"query": "zeppelin", "token_budget": 500}, headers=bearer(key)
        ).json()
    assert said["hits"][0]["document_id"] == "new"
    assert (said["degraded"], said["search_id"]) == (["log"], None)
    assert (context["degraded"], context["search_id"]) == (["log"], None)
    assert search(client, key, "zeppelin").json()["degraded"] == []


def test_the_search_log_masks_personal_data(client: TestClient, application: Application) -> None:
    search(client, make_key(application), "reset for jane.roe@example.org please")
    with application.database.read() as connection:
        stored = connection.execute(text("SELECT query FROM searches")).scalar()
    assert "jane.roe" not in str(stored)


def test_an_unreadable_file_keeps_its_last_good_version_served(
    client: TestClient, application: Application
) -> None:
    path = application.root / "articles" / "help-0.md"
    path.write_text("---\ntitle: [\n---\nbroken")
    report = sync(application)[0]
    assert report["refused"][0]["path"] == "help-0.md"
    answer = client.get("/v1/articles/help-0", headers=bearer(make_key(application)))
    assert answer.json()["markdown"] == "How to reset the router, way 0."


def test_a_version_is_never_rewritten(client: TestClient, application: Application) -> None:
    with application.database.read() as connection:
        before = articles.read_version(connection, "help-0", 1)
    folder = application.markdown_folder(application.settings.sources[0])
    parsed = folder.read_documents().documents[0]
    changed = replace(parsed, markdown="Other.", content_hash="0" * 64)
    with application.database.write() as connection:
        intake.write_version(
            connection, changed, chunk_document(changed), now=NOW, author="t", reason="t"
        )
        assert articles.read_version(connection, "help-0", 1) == before
