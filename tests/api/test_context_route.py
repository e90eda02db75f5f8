"""`POST /v1/context` over the whole stack: sections, verdicts, and nothing a caller may not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from api.app import create_app
from api.wiring import Application
from kb.tables import conflicts
from kb.tokens import estimate_tokens
from kb.types import Audience
from tests.api.factories import NOW, bearer, make_key, sync, write_article

FILLER = "Turn the valve gently and wait until the light is green again before you go on. " * 3
ARTICLE = f"""\
How to send a parcel back.

## Returning a valve

Print the zeppelin label. {FILLER}

### Deadline

A zeppelin refund is paid within 30 days. {FILLER}

### Packing

Use the zeppelin box. {FILLER}

## Selling a valve

{FILLER}
"""


@pytest.fixture
def client(application: Application) -> Iterator[TestClient]:
    folder = application.root
    write_article(folder / "articles" / "valve.md", ARTICLE, title="Valves", url="https://x.org/v")
    write_article(
        folder / "articles" / "old.md", "The zeppelin of last year.", title="Old",
        effective_until="2026-01-01",
    )  # fmt: skip
    write_article(
        folder / "policies" / "valve.md", "A zeppelin refund is paid within 14 days.", title="Rule",
        id="rule",
    )  # fmt: skip
    sync(application)
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


def ask(
    client: TestClient,
    application: Application,
    budget: int = 2_000,
    audience: Audience = Audience.PUBLIC,
) -> Any:
    answer = client.post(
        "/v1/context",
        json={"query": "zeppelin label returning a valve", "token_budget": budget},
        headers=bearer(make_key(application, audience=audience)),
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_context_answers_in_the_promised_shape(
    client: TestClient, application: Application
) -> None:
    said = ask(client, application)
    assert {
        "search_id", "answerable", "confidence", "calibration", "degraded", "generation", "text",
        "tokens", "passages",
    } == set(said)  # fmt: skip
    passage = next(p for p in said["passages"] if p["document_id"] == "valve")
    assert {
        "citation", "document_id", "version", "title", "heading_path", "text", "tokens", "url",
        "source", "authority", "audience", "freshness", "overrules", "chunk_id", "chunk_ids",
    } <= set(passage)  # fmt: skip
    assert passage["url"] == "https://x.org/v"
    assert said["tokens"] == estimate_tokens(said["text"]) <= 2_000
    for passage in said["passages"]:
        assert f"{passage['citation']} {passage['title']}" in said["text"]


def test_a_section_comes_whole_and_nothing_hidden_or_ended_with_it(
    client: TestClient, application: Application
) -> None:
    said = ask(client, application)
    assert all(words in said["text"] for words in ("Print the zeppelin", "Use the zeppelin box"))
    assert "within 30 days" in said["text"]
    assert "last year" not in said["text"]
    assert "14 days" not in str(said) and "Rule" not in str(said)
    assert "within 14 days" in ask(client, application, audience=Audience.INTERNAL)["text"]


def test_what_a_policy_overrules_stays_out_of_the_sections_of_those_who_may_read_it(
    client: TestClient, application: Application
) -> None:
    with application.database.write() as connection:
        connection.execute(
            insert(conflicts).values(
                winner_id="rule", loser_id="valve", winner_version=1, loser_version=1,
                winner_statement="A zeppelin refund is paid within 14 days.",
                loser_statement="A zeppelin refund is paid within 30 days.",
                similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip
    before = ask(client, application)
    assert "within 30 days" in before["text"]
    said = ask(client, application, audience=Audience.INTERNAL)
    assert "within 30 days" not in str(said["passages"]) + said["text"]
    assert "Use the zeppelin box" in said["text"]


def test_a_budget_too_small_for_anything_gives_no_passage_and_the_verdicts(
    client: TestClient, application: Application
) -> None:
    said = ask(client, application, budget=1)
    assert (said["text"], said["tokens"], said["passages"]) == ("", 0, [])
    assert said["search_id"] and {"answerable", "confidence"} <= set(said)


def test_the_same_question_gives_the_same_context(
    client: TestClient, application: Application
) -> None:
    first, second = ask(client, application, 150), ask(client, application, 150)
    assert first | {"search_id": ""} == second | {"search_id": ""}
    assert 0 < first["tokens"] <= 150
