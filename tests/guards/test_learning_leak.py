"""What more trusted audiences asked and solved teaches nothing to those who may not read it.

Each generated knowledge base stands twice, with and without internal documents, internal tickets and
internal keys' outcomes. Both learn. The lower audiences' answers over HTTP, trace included, and all
that was learned for them are the same to the byte. The same goes for what was deleted.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.app import create_app
from kb.learning.models import read_active, read_passed_over
from kb.learning.serving import gather_precedents
from kb.tables import embeddings, judgements, passed_over
from kb.training import examples as examples_module
from kb.training import learning as learning_module
from kb.types import Audience
from kb.vectors import hash_text
from tests.api.factories import NOW, bearer, make_key
from tests.api.lessons import (
    PRODUCTS,
    SHARED,
    Lessons,
    make_articles,
    make_question,
    make_solved,
    said_of,
    settings_of,
)
from tests.guards.test_audience_leak import first_difference, stripped
from tests.kb.factories import make_parsed

CORPORA = 20
TOPICS = 4
HISTORY = 34
HIDDEN = 24
LOWER = (Audience.PUBLIC, Audience.CUSTOMER, Audience.PARTNER)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    Lessons.open(folder).close()
    return folder


@pytest.fixture(scope="module")
def client(template: Path) -> Iterator[TestClient]:
    lessons = Lessons.open(template, settings_of(template))
    with TestClient(create_app(lessons.application)) as client:
        yield client
    lessons.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One way to fit, and documents are passed over after a few."""
    monkeypatch.setattr(learning_module, "CAUTIONS", (1.0,))
    monkeypatch.setattr(examples_module, "OFTEN_PASSED_OVER", 4)


class Corpus:
    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.rng = rng
        self.open = make_articles(rng, TOPICS)
        self.hidden = [
            make_parsed(
                f"hidden-{n}",
                " ".join([*said_of(n % TOPICS), *rng.sample(SHARED, 6)]),
                title=f"Internal {said_of(n % TOPICS)[1]}",
                audience=Audience.INTERNAL,
                supersedes=(),
            )
            for n in range(3)
        ]
        self.history = [
            make_solved(n, make_question(rng, n % TOPICS), f"topic-{n % TOPICS}")
            for n in range(HISTORY)
        ]
        # Customers and partners know a little more than the public, all of it by open articles.
        self.history += [
            make_solved(
                200 + n, make_question(rng, n % TOPICS), f"topic-{(n + 1) % TOPICS}",
                product=PRODUCTS[rng.choice((Audience.CUSTOMER, Audience.PARTNER))],
            )
            for n in range(6)
        ]  # fmt: skip
        self.secret = [
            make_solved(
                400 + n, make_question(rng, n % TOPICS),
                rng.choice([f"topic-{(n + 2) % TOPICS}", f"hidden-{n % 3}"]),
                product="own",
            )
            for n in range(HIDDEN)
        ]  # fmt: skip
        # A ticket that the public may learn from, linked to what it may not read.
        self.mixed = [make_solved(600 + n, make_question(rng, n), f"hidden-{n}") for n in range(2)]
        self.questions = [make_question(rng, topic) for topic in range(TOPICS)]


def open_copy(template: Path, folder: Path) -> Lessons:
    shutil.copytree(template / ".kb", folder / ".kb")
    return Lessons.open(folder, settings_of(template))


def ask_all(
    client: TestClient, lessons: Lessons, questions: Sequence[str], readers: Sequence[Audience]
) -> dict[str, str]:
    """Every answer's bytes by who asked what and how."""
    client.app.state.application = lessons.application  # type: ignore[attr-defined]
    found = {}
    for reader in readers:
        headers = bearer(make_key(lessons.application, audience=reader))
        for question in questions:
            for path, body in (
                ("/v1/search", {"explain": True, "top_k": 50}),
                ("/v1/context", {"token_budget": 4_000}),
            )[: 2 if question == questions[0] else 1]:
                answer = client.post(path, json={"query": question, **body}, headers=headers)
                assert answer.status_code == 200, answer.text
                found[f"{reader} {path} {question}"] = stripped(answer.text)
    return found


def learned_for(lessons: Lessons, audience: Audience) -> str:
    """Weights, precedents and passed-over documents, as far as they serve the audience."""
    with lessons.database.read() as connection:
        model = read_active(connection)
        passed = read_passed_over(connection, model.model_id) if model is not None else {}
    learned = lessons.application.index.view().learned
    assert model is not None and learned is not None
    precedents = gather_precedents(learned._found, learned.vectors, learned._documents, audience)
    return json.dumps(
        [
            model.rankers[audience].to_json(),
            sorted(passed.get(audience, ())),
            sorted(p.ref for p in precedents._precedents),
            model.evaluation[audience.value],
        ]
    )


def assert_same(before: dict[str, str], after: dict[str, str]) -> None:
    for asked, text in before.items():
        assert after[asked] == text, f"{asked}: {first_difference(text, after[asked])}"


def report_outcomes(client: TestClient, lessons: Lessons, corpus: Corpus) -> None:
    client.app.state.application = lessons.application  # type: ignore[attr-defined]
    headers = bearer(make_key(lessons.application, audience=Audience.INTERNAL))
    for question in corpus.questions:
        answer = client.post("/v1/search", json={"query": question}, headers=headers).json()
        client.post(
            "/v1/outcomes", headers=headers,
            json={"search_id": answer["search_id"], "outcome": "resolved",
                  "document_ids": ["topic-0", "hidden-1"]},
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(CORPORA))
def test_internal_lessons_reach_no_lower_audience(
    template: Path, client: TestClient, tmp_path: Path, seed: int
) -> None:
    corpus = Corpus(seed)
    plain = open_copy(template, tmp_path / "plain")
    plain.put(corpus.open)
    plain.solve(corpus.history)
    full = open_copy(template, tmp_path / "full")
    # What is hidden came first: it must not date what came after.
    full.put(corpus.hidden, at=NOW - timedelta(days=300))
    full.put(corpus.open)
    full.solve([*corpus.secret, *corpus.mixed, *corpus.history])
    report_outcomes(client, full, corpus)
    for lessons in (plain, full):
        report = lessons.learn()
        assert {a for a in LOWER if report["audiences"][a]["refused"] is None}, report
    told = ask_all(client, plain, corpus.questions, LOWER)
    assert '"votes_part"' in "".join(told.values())
    assert_same(told, ask_all(client, full, corpus.questions, LOWER))
    for audience in LOWER:
        with plain.database.read() as connection:
            model = read_active(connection)
        if model is not None and audience in model.rankers:
            assert learned_for(plain, audience) == learned_for(full, audience)
    plain.close()
    full.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_deleted_document_was_never_linked(
    template: Path, client: TestClient, tmp_path: Path, seed: int
) -> None:
    corpus = Corpus(seed)
    plain = open_copy(template, tmp_path / "plain")
    plain.put([*corpus.open, *corpus.hidden])
    plain.delete("hidden-0")
    plain.solve(corpus.history)
    gone = open_copy(template, tmp_path / "gone")
    gone.put([*corpus.open, *corpus.hidden])
    for ticket in corpus.history:
        ticket["linked_articles"].append("hidden-0")
    gone.solve(corpus.history)
    gone.learn()
    before = gone.ask(corpus.questions[0], top_k=50)
    assert "hidden-0" in gone.find(corpus.questions[0], top_k=50)
    gone.delete("hidden-0")
    with gone.database.read() as connection:
        for table in (judgements, passed_over):
            held = connection.execute(select(table.c.document_id)).scalars()
            assert "hidden-0" not in set(held)
    after = gone.ask(corpus.questions[0], top_k=50)
    assert "hidden-0" not in gone.find(corpus.questions[0], top_k=50)
    # No vote is lost to it: others get its share at once.
    assert total_votes(after) > total_votes(before, without="hidden-0")
    plain.learn()
    gone.learn()
    questions = corpus.questions
    assert_same(
        ask_all(client, plain, questions, list(Audience)),
        ask_all(client, gone, questions, list(Audience)),
    )
    plain.close()
    gone.close()


def total_votes(response: Any, without: str = "") -> float:
    return sum(
        hit.why.get("votes_part", 0.0)
        for hit in response.hits
        if hit.chunk.document.document_id != without
    )


def test_a_deleted_ticket_leaves_nothing_behind(
    template: Path, client: TestClient, tmp_path: Path
) -> None:
    corpus = Corpus(5)
    plain = open_copy(template, tmp_path / "plain")
    plain.put(corpus.open)
    plain.solve(corpus.history)
    gone = open_copy(template, tmp_path / "gone")
    gone.put(corpus.open)
    secret = "zqcanary " + make_question(corpus.rng, 0)
    copied = corpus.history[3]["body"]
    more = [
        make_solved("secret", secret, "topic-1", at=NOW - timedelta(days=400)),
        make_solved("copied", copied, "topic-1", at=NOW - timedelta(days=400)),
    ]
    gone.solve([*corpus.history, *more])
    plain.learn()
    gone.learn()
    before = ask_all(client, gone, [secret], [Audience.PUBLIC])
    for name in ("secret", "copied"):
        gone.application.desk.delete_ticket(f"T-{name}", "t")
    with gone.database.read() as connection:
        held = set(connection.execute(select(embeddings.c.content_hash)).scalars())
        refs = set(connection.execute(select(judgements.c.ref)).scalars())
        told = [dict(row._mapping) for row in connection.exec_driver_sql("select * from audit")]
    assert hash_text(secret) not in held
    assert hash_text(copied) in held, "another ticket says the same"
    assert not {"ticket:T-secret", "ticket:T-copied"} & refs
    entries = [entry for entry in told if entry["action"] == "ticket.delete"]
    assert [entry["subject"] for entry in entries] == ["T-secret", "T-copied"]
    assert "zqcanary" not in json.dumps(told, default=str)
    assert ask_all(client, gone, [secret], [Audience.PUBLIC]) != before
    plain.learn()
    gone.learn()
    assert_same(
        ask_all(client, plain, corpus.questions, list(Audience)),
        ask_all(client, gone, corpus.questions, list(Audience)),
    )
    plain.close()
    gone.close()
