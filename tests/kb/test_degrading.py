"""Parts taken away for real: the index's files, the encoder, the database. What is left answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kb.encoding.hashing import HashingEncoder
from kb.errors import UnavailableError
from kb.ports import Vectors
from kb.types import Audience, SearchResponse
from tests.kb.factories import Knowledge, make_parsed

TOPICS = ("router", "phone", "billing", "valve")


class MovableEncoder(HashingEncoder):
    away = False

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.away:
            raise UnavailableError("encoder: away")
        return super().encode(texts)


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    knowledge = Knowledge(tmp_path, MovableEncoder(64))
    for topic in TOPICS:
        knowledge.put(
            *(
                make_parsed(f"{topic}-{place}", f"How to reset the {topic}, way {place}.")
                for place in range(8)
            )
        )
    knowledge.build()
    yield knowledge
    knowledge.close()


def found(response: SearchResponse) -> list[str]:
    return [hit.chunk.document.document_id for hit in response.hits]


def destroy_open_index(knowledge: Knowledge) -> int:
    """Zero the files that the open generation is being read from; returns how many."""
    files = [path for path in (knowledge.folder / "runtime").rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(b"\0" * 512)
    return len(files)


def test_an_index_that_breaks_while_it_serves_leaves_words_and_then_the_database(
    knowledge: Knowledge,
) -> None:
    wanted = found(knowledge.ask("reset the router"))
    assert knowledge.ask("reset the router").degraded == ()
    assert destroy_open_index(knowledge) >= 4
    first = knowledge.ask("reset the router")
    assert first.degraded == ("lexical_only",)
    assert set(found(first)[:8]) == {f"router-{place}" for place in range(8)}
    assert first.calibration == "uncalibrated"
    assert first.served_with["encoder"] is None
    second = knowledge.ask("reset the router")
    assert second.degraded == ("generation",)
    assert found(second) == wanted


def test_many_searches_over_a_breaking_index_are_all_answered(knowledge: Knowledge) -> None:
    knowledge.ask("reset the router")
    start = threading.Barrier(8)

    def ask(_: int) -> SearchResponse:
        start.wait()
        return knowledge.ask("reset the phone")

    destroy_open_index(knowledge)
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(ask, range(8)))
    assert {answer.degraded for answer in answers} <= {("lexical_only",), ("generation",)}
    assert all(found(answer)[0].startswith("phone-") for answer in answers)


def test_a_generation_sealed_after_a_broken_one_serves(knowledge: Knowledge) -> None:
    knowledge.ask("reset the router")
    destroy_open_index(knowledge)
    knowledge.ask("reset the router")
    knowledge.put(make_parsed("new", "How to reset the zeppelin."))
    knowledge.build()
    assert knowledge.ask("reset the router").degraded == ()
    assert found(knowledge.ask("zeppelin"))[0] == "new"


def test_with_index_and_encoder_both_away_words_answer(knowledge: Knowledge) -> None:
    knowledge.ask("reset the router")
    destroy_open_index(knowledge)
    assert isinstance(knowledge.encoder, MovableEncoder)
    knowledge.encoder.away = True
    for _ in range(2):
        response = knowledge.ask("reset the valve")
        assert "lexical_only" in response.degraded
        assert found(response)[0].startswith("valve-")


def test_words_alone_show_nobody_what_they_may_not_read(knowledge: Knowledge) -> None:
    secret = make_parsed("secret", "How to reset the vault.", audience=Audience.INTERNAL)
    knowledge.put(secret)
    knowledge.build()
    knowledge.ask("vault")
    destroy_open_index(knowledge)
    assert found(knowledge.ask("reset the vault", Audience.INTERNAL))[0] == "secret"
    assert isinstance(knowledge.encoder, MovableEncoder)
    knowledge.encoder.away = True
    assert "secret" not in found(knowledge.ask("reset the vault", Audience.PUBLIC, top_k=50))


@pytest.mark.parametrize("damage", ["zeroed", "folder gone"])
def test_without_the_database_nobody_is_answered(knowledge: Knowledge, damage: str) -> None:
    knowledge.ask("reset the router")
    knowledge.database.close()
    for path in knowledge.folder.glob("kb.db*"):
        if damage == "zeroed":
            path.write_bytes(b"not a database at all " * 512)
        else:
            path.unlink()
    if damage == "folder gone":
        (knowledge.folder / "kb.db").mkdir()
    with pytest.raises(UnavailableError):
        knowledge.ask("reset the router")
