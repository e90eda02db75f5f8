"""Freshness in a ranking: verified only, and a stale text behind a fresh one that says the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from kb.tables import documents, duplicates
from kb.types import Audience
from tests.kb.factories import NOW, Knowledge, make_parsed

OLD, LATELY = NOW - timedelta(days=900), NOW - timedelta(days=10)
STEPS = "Unplug the hub and wait for the white light before you plug it in."


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    knowledge = Knowledge(tmp_path)
    yield knowledge
    knowledge.close()


def pair(knowledge: Knowledge, *ids: str) -> None:
    """As the freshness check records two texts that say much the same."""
    one, two = sorted(ids)
    with knowledge.database.write() as connection:
        hashes = {
            row.id: row.content_hash
            for row in connection.execute(select(documents.c.id, documents.c.content_hash))
        }
        connection.execute(
            insert(duplicates).values(
                left_id=one, left_hash=hashes[one], right_id=two, right_hash=hashes[two],
                similarity=0.95,
            )
        )  # fmt: skip
    knowledge.forget()


def put_twins(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("stale", STEPS, title="Unplug the hub", last_verified_at=OLD),
        make_parsed("fresh", f"{STEPS} Then open it.", title="Hub", last_verified_at=LATELY),
    )


def test_a_stale_text_ranks_below_a_fresh_one_that_says_the_same(knowledge: Knowledge) -> None:
    put_twins(knowledge)
    question = "unplug the hub and wait for the white light"
    assert knowledge.find(question) == ["stale", "fresh"]
    pair(knowledge, "stale", "fresh")
    assert knowledge.find(question) == ["fresh", "stale"]


def test_two_stale_texts_keep_their_order(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("one", STEPS, title="Unplug the hub", last_verified_at=OLD),
        make_parsed("two", f"{STEPS} Then open it.", title="Hub", last_verified_at=OLD),
    )
    pair(knowledge, "one", "two")
    assert knowledge.find("unplug the hub and wait for the white light") == ["one", "two"]


def test_a_changed_text_is_no_longer_a_twin(knowledge: Knowledge) -> None:
    put_twins(knowledge)
    pair(knowledge, "stale", "fresh")
    knowledge.put(
        make_parsed("fresh", f"{STEPS} Or call us.", title="Hub", last_verified_at=LATELY)
    )
    knowledge.forget()
    assert knowledge.find("unplug the hub and wait for the white light") == ["stale", "fresh"]


def test_a_twin_that_may_not_be_read_moves_nothing(knowledge: Knowledge) -> None:
    put_twins(knowledge)
    knowledge.put(
        make_parsed("third", STEPS, title="Unplug", last_verified_at=OLD),
        make_parsed(
            "hidden", STEPS, title="H", last_verified_at=LATELY, audience=Audience.INTERNAL
        ),
    )
    before = knowledge.find("unplug the hub", Audience.PUBLIC)
    pair(knowledge, "stale", "hidden")
    assert knowledge.find("unplug the hub", Audience.PUBLIC) == before


def test_verified_only_leaves_out_what_nobody_confirmed_of_late(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("never", STEPS, title="Hub one"),
        make_parsed("overdue", STEPS, title="Hub two", last_verified_at=OLD),
        make_parsed("good", STEPS, title="Hub three", last_verified_at=LATELY),
        make_parsed("future", STEPS, title="Hub four", last_verified_at=NOW + timedelta(days=9)),
    )
    assert set(knowledge.find("unplug the hub")) == {"never", "overdue", "good", "future"}
    assert knowledge.find("unplug the hub", verified_only=True) == ["good"]
