"""A search looked at again: what was served then, and what is different today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update

from api.app import create_app
from api.cli.main import main
from api.wiring import Application
from kb.tables import searches
from kb.types import Audience, Role
from tests.api.factories import NOW, bearer, make_key, sync, write_article


@pytest.fixture
def client(application: Application) -> Iterator[TestClient]:
    sync(application)
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, key: str, query: str = "reset the router", **body: Any) -> Any:
    return client.post("/v1/search", json={"query": query, **body}, headers=bearer(key)).json()


def show(client: TestClient, key: str, search_id: str) -> Any:
    return client.get(f"/v1/searches/{search_id}", headers=bearer(key))


def replay(client: TestClient, key: str, search_id: str) -> Any:
    return client.post(f"/v1/searches/{search_id}/replay", headers=bearer(key))


def test_everything_served_is_there_again(client: TestClient, application: Application) -> None:
    application.rebuild_index(actor="t")
    key = make_key(application)
    served = ask(client, key, top_k=2, conversation_id="c-1")
    body = {"search_id": served["search_id"], "outcome": "resolved", "ticket_id": "t-1"}
    client.post("/v1/outcomes", json=body, headers=bearer(key))
    admin = make_key(application, Role.ADMIN, Audience.INTERNAL)
    said = show(client, admin, served["search_id"]).json()
    assert said["key_id"] == f"key_{key.split('_')[1]}"
    assert (said["query"], said["audience"], said["conversation_id"]) == (
        "reset the router", "public", "c-1",
    )  # fmt: skip
    assert said["generation"] == served["generation"] is not None
    assert said["encoder"] == application.encoder.recipe
    assert said["weights"] == application.settings.retrieval.weights
    assert said["request"]["top_k"] == 2
    for then, hit in zip(said["hits"], served["hits"], strict=True):
        for name in ("document_id", "version", "chunk_id", "score", "title", "owner"):
            assert then[name] == hit[name]
        assert then["freshness"] == hit["freshness"]["verdict"]
    assert said["outcomes"][0]["outcome"] == "resolved"


def test_only_who_asked_and_owners_inside_may_look(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    search_id = ask(client, key)["search_id"]
    assert show(client, key, search_id).status_code == 200
    for role, audience in (
        (Role.AGENT, Audience.PUBLIC), (Role.AGENT, Audience.INTERNAL),
        (Role.OWNER, Audience.PARTNER), (Role.ADMIN, Audience.CUSTOMER),
    ):  # fmt: skip
        other = make_key(application, role, audience)
        assert show(client, other, search_id).status_code == 404
        assert replay(client, other, search_id).status_code == 404
    for role in (Role.OWNER, Role.EDITOR, Role.ADMIN):
        assert show(client, make_key(application, role, Audience.INTERNAL), search_id).is_success
    assert show(client, key, "se_0").status_code == 404


def test_a_key_learns_nothing_of_changes_it_may_not_see(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    search_id = ask(client, key)["search_id"]
    before = (
        show(client, key, search_id).json(),
        replay(client, key, search_id).json()["difference"],
    )
    write_article(application.root / "policies" / "secret.md", "Reset the router.", title="Secret")
    sync(application)
    after = show(client, key, search_id).json(), replay(client, key, search_id).json()["difference"]
    assert before == after
    assert "index_sequence" not in json.dumps(after)
    admin = make_key(application, Role.ADMIN, Audience.INTERNAL)
    said = replay(client, admin, search_id).json()["difference"]
    assert set(said["answer"]) == {"index_sequence"}
    assert said["same_hits"]


def test_a_title_is_not_shown_again_to_a_key_that_may_no_longer_read_it(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    search_id = ask(client, key, top_k=3)["search_id"]
    write_article(
        application.root / "articles" / "help-0.md", "Now internal.", title="Secret plan",
        audience="internal",
    )  # fmt: skip
    sync(application)
    hits = {hit["document_id"]: hit for hit in show(client, key, search_id).json()["hits"]}
    assert hits["help-0"]["title"] is None and hits["help-1"]["title"] == "Reset the router 1"
    changed = replay(client, key, search_id).json()["difference"]["hits"]
    assert next(c for c in changed if c["hit"] == "help-0")["kind"] == "gone"


def test_a_replay_says_what_is_different_and_keeps_nothing(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    search_id = ask(client, key, "reset the router way", top_k=3)["search_id"]
    same = replay(client, key, search_id).json()
    assert same["difference"]["same_hits"] and same["difference"]["answer"] == {}
    folder = application.root / "articles"
    write_article(
        folder / "help-1.md", "How to reset the router, way 1, anew.", title="Reset the router 1"
    )
    write_article(
        folder / "help-9.md", "How to reset the router, way 9.", title="Reset the router 9"
    )
    (folder / "help-2.md").unlink()
    sync(application)
    said = replay(client, key, search_id).json()
    kinds = {(c["kind"], c["hit"]) for c in said["difference"]["hits"]}
    assert {("version_changed", "help-1"), ("gone", "help-2"), ("new", "help-9")} <= kinds
    assert said["then"]["hits"][0]["document_id"]
    with application.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM searches")).scalar() == 1


def test_a_search_of_before_these_were_kept_is_shown_and_asked_again(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    search_id = ask(client, key)["search_id"]
    old = [
        {"chunk_id": "c", "document_id": "help-0", "version": 1, "score": 0.5,
         "freshness": "fresh", "overruled_by": None, "why": {}}
    ]  # fmt: skip
    with application.database.write() as connection:
        connection.execute(
            update(searches).values(served=None, hits=old, request={"top_k": 1, "odd": 3})
        )
    assert show(client, key, search_id).json()["encoder"] is None
    assert replay(client, key, search_id).is_success


def test_a_masked_question_says_that_it_was_masked(
    client: TestClient, application: Application
) -> None:
    key = make_key(application)
    said = show(client, key, ask(client, key, "reset for jo@example.org")["search_id"]).json()
    assert said["query"] == "reset for [email]" and said["masked"] == {"email": 1}


def test_the_command_line_shows_and_replays(
    client: TestClient, application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    search_id = ask(client, make_key(application))["search_id"]
    config = str(application.root / "kb.toml")
    for command in (["show", search_id], ["replay", search_id]):
        with pytest.raises(SystemExit) as ended:
            main(["searches", *command, "--config", config])
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "asked as public: reset the router" in printed and "now: the same answer" in printed
    with pytest.raises(SystemExit) as ended:
        main(["searches", "show", "se_0", "--config", config])
    assert ended.value.code == 1


def test_old_searches_are_forgotten_but_for_those_something_was_said_of(
    client: TestClient, application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_key(application)
    old, said, fresh = (ask(client, key, f"reset {n}")["search_id"] for n in range(3))
    body = {"search_id": said, "outcome": "resolved"}
    client.post("/v1/outcomes", json=body, headers=bearer(key))
    with application.database.write() as connection:
        connection.execute(
            update(searches)
            .where(searches.c.id.in_([old, said]))
            .values(at=NOW - timedelta(days=91))
        )
    config = str(application.root / "kb.toml")
    now = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    command = ["searches", "forget", "--older-than-days", "90", "--config", config, "--now", now]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0 and "forgot 1 searches" in capsys.readouterr().out
    assert [show(client, key, i).status_code for i in (old, said, fresh)] == [404, 200, 200]
