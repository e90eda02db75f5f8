"""Agents' signals and people's corrections, through the API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Application
from gaps import repository
from gaps.types import Gap, GapStatus
from kb import audit
from kb.clock import FixedClock
from kb.types import Audience, Role
from tests.api.factories import NOW, bearer
from tests.api.factories import make_key as make_plain_key
from tests.api.pages.factories import make_application, make_key, make_tickets, store_gap

WORDS = ("monday", "today", "please", "urgent", "nobody", "still", "why")
TOLD = (("It hangs", "The client hangs at negotiating.", "Removed the old client."),) * 4


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[Application]:
    application = make_application(tmp_path)
    yield application
    application.close()


@pytest.fixture
def gap(kb: Application) -> Gap:
    return store_gap(kb, "gap_one", make_tickets("T", TOLD), weekly_counts=(0, 1, 3))


@pytest.fixture
def client(kb: Application) -> Iterator[TestClient]:
    with TestClient(create_app(kb), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def owner(kb: Application) -> dict[str, str]:
    return bearer(make_key(kb))


def correct(client: TestClient, headers: dict[str, str], gap_id: str, **said: Any) -> Any:
    return client.post(f"/v1/gaps/{gap_id}/correct", json=said, headers=headers)


def read_gap(kb: Application, gap_id: str) -> Gap:
    with kb.database.read() as connection:
        return repository.read_gap(connection, gap_id)


def test_a_signal_said_twice_is_one_and_its_personal_data_is_masked(
    client: TestClient, kb: Application
) -> None:
    headers = bearer(make_plain_key(kb, Role.AGENT, Audience.PUBLIC))
    body = {"question": "how do I share a key? mail me: ann@example.org", "reason": "missing"}
    first = client.post("/v1/gap-signals", json=body, headers=headers)
    again = client.post("/v1/gap-signals", json=body, headers=headers)
    assert first.status_code == 200
    assert first.json() == again.json()
    other = bearer(make_plain_key(kb, Role.AGENT, Audience.PUBLIC))
    assert client.post("/v1/gap-signals", json=body, headers=other).json() != first.json()
    with kb.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT question, audience FROM gap_signals").all()
    assert len(rows) == 2
    assert all("ann@example.org" not in row.question for row in rows)
    assert {row.audience for row in rows} == {"public"}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"reason": "missing"}, "question"),
        ({"question": "", "reason": "missing"}, "question"),
        ({"question": "q", "reason": "stale"}, "reason"),
        ({"question": "q", "reason": "missing", "found": ["x" * 201]}, "found"),
        ({"question": "q", "reason": "missing", "extra": 1}, "extra"),
    ],
)
def test_a_malformed_signal_is_refused_by_field(
    client: TestClient, kb: Application, body: dict[str, Any], where: str
) -> None:
    headers = bearer(make_plain_key(kb, Role.AGENT, Audience.PUBLIC))
    answer = client.post("/v1/gap-signals", json=body, headers=headers)
    assert answer.status_code == 422
    assert where in answer.text


def test_a_person_says_which_kind_a_gap_is_and_whose(
    client: TestClient, kb: Application, gap: Gap, owner: dict[str, str]
) -> None:
    said = correct(client, owner, gap.gap_id, kind="kind_is", value="needs_action", reason="reset")
    assert said.json()["kind"] == "needs_action"
    assert correct(client, owner, gap.gap_id, kind="assign", value="tom").json()["owner"] == "tom"
    title = "The client   hangs at negotiating"
    named = correct(client, owner, gap.gap_id, kind="title_is", value=title)
    assert named.json()["title"] == "The client hangs at negotiating"
    shown = client.get(f"/v1/topics/{gap.topic_id}", headers=owner).json()
    assert [c["kind"] for c in shown["corrections"]] == ["kind_is", "assign", "title_is"]
    assert shown["gap"]["kind"] == "needs_action"
    with kb.database.read() as connection:
        actions = [entry.action for entry in audit.read_entries(connection)]
    assert {"gap.kind_is", "gap.assign", "gap.title_is"} <= set(actions)


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ({"kind": "kind_is", "value": "odd"}, 400, "missing"),
        ({"kind": "kind_is"}, 400, "value: missing"),
        ({"kind": "assign", "value": "nobody"}, 400, "ines"),
        ({"kind": "title_is", "value": "x" * 120}, 400, "title"),
        ({"kind": "merge", "value": "gap_none"}, 404, "gap_none"),
        ({"kind": "merge", "value": "gap_one"}, 400, "itself"),
        ({"kind": "split", "tickets": ["T-0", "strange"]}, 400, "strange"),
        ({"kind": "split", "tickets": []}, 400, "some"),
        ({"kind": "split", "tickets": ["T-0", "T-1", "T-2", "T-3"]}, 400, "not all"),
        ({"kind": "not_a_gap"}, 400, "reason"),
        ({"kind": "not_a_gap", "reason": "r", "growth": 0.5}, 400, "growth"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_and_changes_nothing(
    client: TestClient,
    kb: Application,
    gap: Gap,
    owner: dict[str, str],
    said: dict[str, Any],
    status: int,
    told: str,
) -> None:
    answer = correct(client, owner, gap.gap_id, **said)
    assert answer.status_code == status, answer.text
    assert told in answer.text
    assert read_gap(kb, gap.gap_id) == gap


def test_two_gaps_become_one_with_all_their_tickets(
    client: TestClient, kb: Application, gap: Gap, owner: dict[str, str]
) -> None:
    store_gap(kb, "gap_two", make_tickets("U", TOLD), weekly_counts=(2, 2))
    joined = correct(client, owner, gap.gap_id, kind="merge", value="gap_two").json()
    assert joined["gap_id"] == "gap_two"
    assert len(joined["tickets"]) == 8
    assert joined["weekly_counts"] == [0, 3, 5]
    assert read_gap(kb, gap.gap_id).status is GapStatus.RESOLVED
    shown = client.get("/v1/topics/top-gap_two", headers=owner).json()
    assert shown["tickets"] == 8
    assert [event["kind"] for event in shown["events"]] == ["merged"]
    assert sum(week["tickets"] for week in shown["weeks"]) == 8


def test_some_tickets_of_a_gap_become_one_of_their_own(
    client: TestClient, kb: Application, gap: Gap, owner: dict[str, str]
) -> None:
    new = correct(client, owner, gap.gap_id, kind="split", tickets=["T-1", "T-3"]).json()
    assert new["gap_id"] != gap.gap_id
    assert sorted(new["tickets"]) == ["T-1", "T-3"]
    assert sorted(read_gap(kb, gap.gap_id).ticket_ids) == ["T-0", "T-2"]


def test_what_is_being_drafted_is_neither_merged_nor_split(
    client: TestClient, kb: Application, owner: dict[str, str]
) -> None:
    store_gap(kb, "gap_a", make_tickets("A", TOLD), status=GapStatus.DRAFTING)
    store_gap(kb, "gap_b", make_tickets("B", TOLD))
    assert correct(client, owner, "gap_a", kind="merge", value="gap_b").status_code == 409
    assert correct(client, owner, "gap_a", kind="split", tickets=["A-0"]).status_code == 409


def test_topics_are_listed_page_by_page(
    client: TestClient, kb: Application, gap: Gap, owner: dict[str, str]
) -> None:
    found = client.get("/v1/topics", headers=owner).json()
    assert "top-gap_one" in str(found)


def test_what_agents_told_is_shown_with_a_gap(
    client: TestClient, kb: Application, owner: dict[str, str]
) -> None:
    agent = bearer(make_plain_key(kb, Role.AGENT, Audience.PUBLIC))
    body = {"question": "the client hangs at negotiating", "reason": "missing"}
    signal = client.post("/v1/gap-signals", json=body, headers=agent).json()["signal_id"]
    tickets = make_tickets("S", TOLD)
    told = replace(tickets[0], ticket_id=f"signal:{signal}")
    gap = store_gap(kb, "gap_told", tickets)
    with kb.database.write() as connection:
        ids = (told.ticket_id, *gap.ticket_ids)
        repository.write_gap(
            connection, replace(gap, ticket_ids=ids), run_id="run-gap_told", now=NOW
        )
    shown = client.get("/v1/gaps/gap_told", headers=owner).json()
    assert len(shown["evidence"]) == 5
    assert any(item["body"] == body["question"] for item in shown["evidence"])


def test_tickets_signals_and_outcomes_about_one_thing_are_one_gap(
    client: TestClient, kb: Application, owner: dict[str, str]
) -> None:
    editor = bearer(make_key(kb, Role.ADMIN))
    said = "the teapot of the meeting room whistles and turns itself off, {} again"
    lines = "\n".join(
        json.dumps(
            {
                "id": f"K-{n}", "created_at": f"2026-11-{10 + n}T09:00:00Z", "subject": "",
                "body": said.format(word), "status": "solved", "requester": f"person {n}",
                "solved_at": f"2026-11-{10 + n}T12:00:00Z", "resolution": "Descaled the teapot.",
            }
        )
        for n, word in enumerate(WORDS)
    )  # fmt: skip
    assert client.post("/v1/tickets", content=lines, headers=editor).json()["imported"] == len(
        WORDS
    )
    for n, word in enumerate(WORDS[:3]):
        agent = bearer(make_plain_key(kb, Role.AGENT, Audience.PUBLIC))
        signal = {"question": said.format(f"{word} and"), "reason": "missing"}
        assert client.post("/v1/gap-signals", json=signal, headers=agent).status_code == 200
        asked = {"query": said.format(f"{word} but"), "conversation_id": f"c{n}"}
        search_id = client.post("/v1/search", json=asked, headers=agent).json()["search_id"]
        outcome = {"search_id": search_id, "outcome": "not_resolved"}
        assert client.post("/v1/outcomes", json=outcome, headers=agent).status_code == 200
    kb.clock = FixedClock(NOW + timedelta(days=1))
    kb.desk.find_gaps()
    found = client.get("/v1/gaps", headers=owner).json()
    [gap] = next(value for value in found.values() if isinstance(value, list))
    kinds = Counter(key.split(":")[0] if ":" in key else "ticket" for key in gap["tickets"])
    assert kinds == {"ticket": len(WORDS), "signal": 3, "outcome": 3}


def test_a_dismissal_said_twice_is_one_lesson(
    client: TestClient, gap: Gap, owner: dict[str, str]
) -> None:
    for _ in range(2):
        said = correct(client, owner, gap.gap_id, kind="not_a_gap", reason="by hand")
        assert said.json()["status"] == "dismissed"
    shown = client.get(f"/v1/topics/{gap.topic_id}", headers=owner).json()
    assert [c["kind"] for c in shown["corrections"]] == ["not_a_gap"]
