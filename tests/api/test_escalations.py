"""Handoff packets: what a person finds in them, who may ask for one, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.app import create_app
from api.escalations import Reference, advise
from api.wiring import Application
from kb.clock import FixedClock
from kb.retrieval.standing import read_standing
from kb.tables import outcomes
from kb.types import ActionClass, Audience, Freshness, FreshnessVerdict, Ruling
from tests.api.factories import NOW, bearer, make_key, sync, write_article, write_installation

ASKED = "May a valve be returned after 40 days?"


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[Application]:
    config = write_installation(tmp_path / "kb")
    put_returns(config.parent)
    application = Application.open(config, FixedClock(NOW))
    sync(application)
    yield application
    application.close()


def put_returns(folder: Path, text: str = "A valve may be returned after 40 days.") -> None:
    write_article(
        folder / "articles" / "returns.md", text, title="Returns", owner="ben",
        action_class="human_approved",
    )  # fmt: skip


@pytest.fixture
def client(kb: Application) -> Iterator[TestClient]:
    with TestClient(create_app(kb)) as client:
        yield client


def search(client: TestClient, key: str, query: str = ASKED) -> str:
    answer = client.post("/v1/search", json={"query": query}, headers=bearer(key))
    return str(answer.json()["search_id"])


def escalate(client: TestClient, key: str, search_id: str, **said: Any) -> dict[str, Any]:
    body = {"search_id": search_id, "goal": "Money back for a valve", **said}
    answer = client.post("/v1/escalations", json=body, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_packet_holds_all_a_person_needs(client: TestClient, kb: Application) -> None:
    key = make_key(kb)
    said = escalate(
        client, key, search(client, key), state="Bought in May", attempted=["sent the article"],
        ticket_id="T-1",
    )  # fmt: skip
    assert said["customer_goal"] == "Money back for a valve" and said["state"] == "Bought in May"
    assert said["attempted"] == ["sent the article"] and said["ticket_id"] == "T-1"
    assert said["question"] == ASKED and said["answerable"] and said["confidence"] > 0.5
    first = said["policy_references"][0]
    assert (first["document_id"], first["version"], first["current_version"]) == ("returns", 1, 1)
    assert first["owner"] == said["hand_to"] == "ben" and first["in_force"]
    assert said["action_class"] == "human_approved"
    assert said["open_decision"] == "Approve what “Returns” (returns v1) says for this case?"
    assert "returns v1" in said["recommended_next_step"]


def test_the_agents_own_decision_to_take_stands(client: TestClient, kb: Application) -> None:
    key = make_key(kb)
    said = escalate(client, key, search(client, key), open_decision="Waive the fee?")
    assert said["open_decision"] == "Waive the fee?"


def test_said_again_it_is_the_same_escalation_and_the_searchs_outcome(
    client: TestClient, kb: Application
) -> None:
    key = make_key(kb)
    search_id = search(client, key)
    body = {"search_id": search_id, "outcome": "resolved"}
    client.post("/v1/outcomes", json=body, headers=bearer(key))
    first, again = (escalate(client, key, search_id) for _ in range(2))
    assert first == again
    with kb.database.read() as connection:
        kept = connection.execute(select(outcomes)).all()
    assert [(row.id, row.outcome) for row in kept] == [(first["escalation_id"], "escalated")]


def test_another_keys_search_is_not_found(client: TestClient, kb: Application) -> None:
    theirs = search(client, make_key(kb))
    for search_id in (theirs, "se_unknown"):
        answer = client.post(
            "/v1/escalations", json={"search_id": search_id, "goal": "x"},
            headers=bearer(make_key(kb)),
        )  # fmt: skip
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"


def test_documents_are_told_as_they_stand_now(client: TestClient, kb: Application) -> None:
    key = make_key(kb)
    search_id = search(client, key)
    put_returns(kb.root, "A valve may be returned after 40 days, or 50 at Christmas.")
    sync(kb)
    first = escalate(client, key, search_id)["policy_references"][0]
    assert (first["version"], first["current_version"]) == (1, 2)
    write_article(
        kb.root / "articles" / "returns.md", "A valve may be returned after 40 days.",
        title="Returns", audience=Audience.INTERNAL.value,
    )  # fmt: skip
    sync(kb)
    packet = escalate(client, key, search_id)
    told = {reference["document_id"] for reference in packet["policy_references"]}
    assert told and "returns" not in told
    assert "Returns" not in packet["recommended_next_step"] and packet["hand_to"] != "ben"


@pytest.fixture
def reference(kb: Application) -> Reference:
    with kb.database.read() as connection:
        standing = read_standing(connection, "returns", Audience.PUBLIC, (), now=NOW)
    return Reference(1, standing)


def stand(reference: Reference, asked: ActionClass | None = None, **said: Any) -> Reference:
    document = reference.standing.document
    document = replace(document, metadata=replace(document.metadata, action_class=asked))
    return replace(reference, standing=replace(reference.standing, document=document, **said))


@pytest.mark.parametrize(
    ("asked", "decision", "step"),
    [
        (ActionClass.FORBIDDEN, "exception", "Decline"),
        (ActionClass.HUMAN_APPROVED, "Approve", "Approve or refuse"),
        (ActionClass.CUSTOMER_CONFIRMED, "customer agree", "once they agree"),
        (ActionClass.AUTONOMOUS, "nobody's approval", "Follow"),
        (None, "does not say who may", "ask ben"),
    ],
)
def test_what_is_left_to_decide_follows_from_the_action_class(
    reference: Reference, asked: ActionClass | None, decision: str, step: str
) -> None:
    said = advise([stand(reference, asked)], answerable=True, confidence=0.9)
    assert said.action_class is asked and said.hand_to == "ben"
    assert decision in said.open_decision and step in said.next_step


def test_a_doubtful_text_is_confirmed_first(reference: Reference) -> None:
    stale = Freshness(FreshnessVerdict.STALE, ("three tickets say otherwise",), None, 400)
    found = stand(reference, ActionClass.AUTONOMOUS, freshness=stale)
    said = advise([found], answerable=True, confidence=0.9)
    assert said.open_decision.startswith("Does “Returns” (returns v1) still hold?")
    assert "three tickets say otherwise" in said.next_step


def test_what_does_not_hold_is_nobodys_advice(reference: Reference) -> None:
    lost = stand(reference, overruled_by=(Ruling("rule", "returns", "authority", "stronger"),))
    ended = stand(reference, invalid="ended on 2026-10-01")
    held = stand(reference, ActionClass.FORBIDDEN)
    chosen = advise([lost, ended, held], answerable=True, confidence=0.9)
    assert chosen.action_class is ActionClass.FORBIDDEN
    for found, answerable in (([lost, ended], True), ([held], False)):
        said = advise(found, answerable=answerable, confidence=0.3)
        assert said.action_class is None and said.hand_to == "ben"
        assert "confidence 0.30" in said.next_step
    assert advise([], answerable=False, confidence=0.0).hand_to is None
