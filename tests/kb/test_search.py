"""The retriever's own promises: depth, rulings, degradation, and nothing hidden in a score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from kb import intake, live_chunks
from kb.encoding.hashing import HashingEncoder
from kb.errors import UnavailableError
from kb.ports import Vectors
from kb.retrieval import candidates as candidates_module
from kb.retrieval import hits as hits_module
from kb.tables import conflicts, freshness_verdicts, twins
from kb.types import Audience, SearchResponse
from tests.kb.factories import NOW, Knowledge, make_parsed

CHUNKS, DOCUMENTS = 30, 10


class MovableEncoder(HashingEncoder):
    """The hashing encoder, with a switch that takes it away."""

    away = False

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.away:
            raise UnavailableError("encoder: away")
        return super().encode(texts)


def shape(response: SearchResponse) -> object:
    """Everything a caller sees of an answer, its timing left out."""
    return (
        response.answerable, response.confidence, response.degraded, response.features,
        [(h.chunk, h.score, h.freshness, h.overrules, h.overruled_by, h.why)
         for h in response.hits],
    )  # fmt: skip


def disagree(knowledge: Knowledge, winner: str, loser: str, won: str, lost: str) -> None:
    with knowledge.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(conflicts).values(
                winner_id=winner, loser_id=loser, winner_version=1, loser_version=1,
                winner_statement=won, loser_statement=lost, similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip


def test_without_the_encoder_words_answer_and_the_answer_says_so(tmp_path: Path) -> None:
    encoder = MovableEncoder(64)
    knowledge = Knowledge(tmp_path, encoder)
    knowledge.put(make_parsed("a", "Reset the router."), make_parsed("b", "Pay the bill."))
    encoder.away = True
    response = knowledge.ask("reset the router")
    assert [h.chunk.document.document_id for h in response.hits] == ["a"]
    assert response.degraded == ("lexical_only",)
    assert response.calibration == "uncalibrated"
    knowledge.close()


def test_nothing_known_or_nothing_in_scope_is_not_answerable(knowledge: Knowledge) -> None:
    for response in (knowledge.ask("anything"), knowledge.ask("???"), knowledge.ask("the of and")):
        assert (response.hits, response.answerable, response.confidence) == ((), False, 0.0)


@pytest.mark.parametrize("query", ["\x00", "' OR 1=1 --", '"', "a" * 20_000, "🙂", "ﬁ ²", "\u202e"])
def test_odd_queries_are_answered_like_any_other(knowledge: Knowledge, query: str) -> None:
    knowledge.put(make_parsed("a", "Reset the router."))
    assert len(knowledge.ask(query).hits) <= 1


def test_the_loser_of_a_conflict_is_left_out_and_named_when_asked_for(
    knowledge: Knowledge,
) -> None:
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 14 days.", authority="policy"),
        make_parsed("help", "Refunds are paid within 30 days."),
    )
    disagree(knowledge, "policy", "help", "within 14 days", "within 30 days")
    hits = knowledge.ask("refunds paid within days").hits
    assert [h.chunk.document.document_id for h in hits] == ["policy"]
    assert [r.loser for r in hits[0].overrules] == ["help"]
    shown = {h.chunk.document.document_id: h for h in
             knowledge.ask("refunds paid within days", include_overruled=True).hits}  # fmt: skip
    assert shown["help"].overruled_by is not None
    assert shown["help"].overruled_by.rule == "stronger_authority"
    assert shown["help"].freshness.verdict.value == "stale"


def test_a_conflict_about_an_older_version_rules_nothing(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 14 days.", authority="policy"),
        make_parsed("help", "Refunds are paid within 30 days."),
    )
    disagree(knowledge, "policy", "help", "within 14 days", "within 30 days")
    knowledge.put(make_parsed("help", "Refunds are paid within 30 days, as ever."))
    assert len(knowledge.ask("refunds paid within days").hits) == 2


def test_a_hidden_winner_neither_rules_nor_shows(knowledge: Knowledge) -> None:
    open_side = make_parsed("help", "Refunds are paid within 30 days.")
    knowledge.put(open_side)
    before = shape(
        knowledge.ask("refunds paid within days", Audience.PUBLIC, include_overruled=True)
    )
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 14 days.", authority="policy",
                    audience=Audience.INTERNAL)
    )  # fmt: skip
    disagree(knowledge, "policy", "help", "within 14 days", "within 30 days")
    after = shape(
        knowledge.ask("refunds paid within days", Audience.PUBLIC, include_overruled=True)
    )
    assert after == before


def test_the_other_passages_of_an_overruled_document_are_still_served(
    knowledge: Knowledge,
) -> None:
    words = "filler words about the refund to make this section long enough to stand alone " * 3
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 14 days.", authority="policy"),
        make_parsed("help", f"## When\n\nRefund within 30 days. {words}\n\n## How\n\n{words}"),
    )
    disagree(knowledge, "policy", "help", "within 14 days", "Refund within 30 days.")
    texts = [h.chunk.text for h in knowledge.ask("refund within days", group_by="chunk").hits]
    assert not [t for t in texts if "30 days" in t]
    assert [t for t in texts if t.startswith("filler")]


def test_a_report_of_the_freshness_check_counts_for_the_version_it_judged(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("a", "Reset the router."))
    with knowledge.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(freshness_verdicts).values(
                document_id="a", version=1, verdict="stale", probability=0.9, damage=1.0,
                reasons=[{"signal": "tickets", "text": "five say no", "weight": 1, "evidence": []}],
                judged_at=NOW,
            )
        )  # fmt: skip
    assert "five say no" in knowledge.ask("reset").hits[0].freshness.reasons
    knowledge.put(make_parsed("a", "Reset the router anew."))
    assert "five say no" not in knowledge.ask("reset").hits[0].freshness.reasons


def test_hits_are_distinct_documents_unless_passages_are_asked_for(knowledge: Knowledge) -> None:
    long = "\n\n".join(f"## Part {n}\n\n{'reset the router ' * 20}" for n in range(3))
    knowledge.put(make_parsed("a", long), make_parsed("b", "Reset the router."))
    assert sorted(knowledge.find("reset the router")) == ["a", "b"]
    assert len(knowledge.ask("reset the router", group_by="chunk").hits) == 4
    assert len(knowledge.ask("reset the router", top_k=1).hits) == 1


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depths of a tenth, so that a tenth of the documents does."""
    monkeypatch.setattr(candidates_module, "CANDIDATE_CHUNKS", CHUNKS)
    monkeypatch.setattr(candidates_module, "CANDIDATE_DOCUMENTS", DOCUMENTS)


def fill(knowledge: Knowledge, count: int, audience: Audience, name: str) -> list[str]:
    """Documents all about as near to the question as each other."""
    generator = np.random.default_rng(5)
    ids = [f"{name}-{n}" for n in range(count)]
    knowledge.put(
        *(
            make_parsed(i, "reset router " + " ".join(f"w{w}" for w in generator.integers(0, 500, 6)),
                        audience=audience)
            for i in ids
        )
    )  # fmt: skip
    return ids


def test_hidden_deletions_do_not_change_how_deep_others_search(
    knowledge: Knowledge, shallow: None
) -> None:
    fill(knowledge, CHUNKS + 10, Audience.PUBLIC, "open")
    hidden = fill(knowledge, 15, Audience.INTERNAL, "hidden")
    knowledge.build()
    before = shape(knowledge.ask("reset router", Audience.PUBLIC, top_k=50))
    for document_id in hidden:
        knowledge.delete(document_id)
    assert shape(knowledge.ask("reset router", Audience.PUBLIC, top_k=50)) == before


def test_passages_that_went_do_not_crowd_out_those_that_stay(
    knowledge: Knowledge, shallow: None
) -> None:
    gone = fill(knowledge, CHUNKS + 4, Audience.PUBLIC, "gone")
    other = " ".join(f"v{number}" for number in range(60))
    knowledge.put(make_parsed("stays", f"The router, and much else: {other}."))
    knowledge.build()
    for document_id in gone:
        knowledge.put_metadata(make_parsed(document_id, "reset router", audience=Audience.INTERNAL))
    response = knowledge.ask("reset router", Audience.PUBLIC)
    assert [h.chunk.document.document_id for h in response.hits] == ["stays"]
    assert "semantic_rank" in response.hits[0].why


def test_hidden_titles_take_no_places_from_open_ones(knowledge: Knowledge, shallow: None) -> None:
    knowledge.put(make_parsed("open", "Text.", title="How to reset the router at home"))
    before = shape(knowledge.ask("reset router", Audience.PUBLIC))
    knowledge.put(
        *(
            make_parsed(f"h{n}", f"Hidden {n}.", title="reset router", audience=Audience.INTERNAL)
            for n in range(DOCUMENTS + 5)
        )
    )
    response = knowledge.ask("reset router", Audience.PUBLIC)
    assert "title_rank" in response.hits[0].why
    assert shape(response) == before


def test_a_limit_finds_what_lies_below_the_depth_of_the_rankings(
    knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates_module, "CANDIDATE_CHUNKS", CHUNKS)
    monkeypatch.setattr(candidates_module, "CANDIDATE_DOCUMENTS", DOCUMENTS)
    text = "Reset the router by holding its button."
    crowd = [make_parsed(f"crowd{n:02}", text, title="Reset the router") for n in range(50)]
    wanted = make_parsed("wanted", "Unplug the router.", title="Power", labels=("mesh",))
    knowledge.put(*crowd, wanted)
    assert "wanted" not in knowledge.find("reset the router button", top_k=50)
    assert knowledge.find("reset the router button", labels=("mesh",)) == ["wanted"]
    knowledge.build()
    assert knowledge.find("reset the router button", labels=("mesh",)) == ["wanted"]


def alike(knowledge: Knowledge, stronger: str, weaker: str) -> None:
    """Every passage of the weaker one speaks of the matter of the stronger one's first."""
    with knowledge.database.write() as connection:
        intake.next_sequence(connection)
        held = live_chunks.read_chunks_of(connection, [stronger, weaker], Audience.INTERNAL)
        ids = {
            key: [c.chunk_id for c in held if c.document.document_id == key]
            for key in (stronger, weaker)
        }
        for chunk in ids[weaker]:
            connection.execute(
                insert(twins).values(
                    stronger_chunk=ids[stronger][0], weaker_chunk=chunk, stronger_id=stronger,
                    weaker_id=weaker, similarity=0.9, found_at=NOW,
                )
            )  # fmt: skip


def test_a_losing_statement_is_found_whatever_its_marks_and_line_ends(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 14 days.", authority="policy"),
        make_parsed("help", "Refunds, **as ever**, are\npaid within _30 days_."),
    )
    disagree(knowledge, "policy", "help", "14 days", "Refunds, as ever, are paid within 30 days!")
    assert knowledge.find("refunds paid within days") == ["policy"]


def test_a_losing_statement_may_go_on_in_the_next_passage(knowledge: Knowledge) -> None:
    text = " ".join(f"refund{number}" for number in range(300))
    knowledge.put(
        make_parsed("policy", "A refund0 takes 14 days.", authority="policy"),
        make_parsed("help", f"{text} takes 30 days."),
    )
    assert knowledge.find("refund0 refund299") != ["policy"]
    disagree(knowledge, "policy", "help", "14 days", f"{text} takes 30 days.")
    assert knowledge.find("refund0 refund299") == ["policy"]


def test_a_number_that_lost_is_not_found_inside_another(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("policy", "Refunds are paid within 7 days.", authority="policy"),
        make_parsed("help", "Refunds are paid after 1.4 days or 114 days."),
    )
    disagree(knowledge, "policy", "help", "7 days", "14 days")
    assert sorted(knowledge.find("refunds paid days")) == ["help", "policy"]


def test_a_winner_that_relevance_puts_far_down_still_overrules(
    knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits_module, "RULED_DOCUMENTS", 2)
    knowledge.put(
        make_parsed("help", "Refunds are paid within 30 days."),
        *(make_parsed(f"x{n}", f"Refunds are paid, number {n}.") for n in range(3)),
        make_parsed("policy", "Somewhere in this text we say 14 days.", authority="policy"),
    )
    assert knowledge.find("refunds are paid within 30 days")[-1] == "policy"
    disagree(knowledge, "policy", "help", "14 days", "Refunds are paid within 30 days.")
    found = knowledge.find("refunds are paid within 30 days")
    assert found[0] == "policy"
    assert "help" not in found


def test_of_two_passages_of_one_matter_the_stronger_comes_first(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("help", "Show the badge at the gate to the guard."),
        make_parsed("other", "The gate."),
        make_parsed("policy", "The badge is shown.", authority="policy"),
    )
    before = knowledge.find("show the badge at the gate")
    assert before[0] == "help"
    alike(knowledge, "policy", "help")
    found = knowledge.ask("show the badge at the gate").hits
    assert [h.chunk.document.document_id for h in found] == [
        "policy", *(key for key in before if key != "policy")
    ]  # fmt: skip
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


WORDS = "refund parcel badge gate invoice hotel price order label store".split()


def write_text(generator: np.random.Generator, days: int) -> tuple[str, str]:
    """A few sections and the one statement of them that others may dispute."""
    said = f"The {generator.choice(WORDS)} takes {days} days."
    parts = [" ".join(generator.choice(WORDS, 30)) + "." for _ in range(generator.integers(0, 3))]
    parts.insert(int(generator.integers(0, len(parts) + 1)), said + " " + " ".join(WORDS * 3))
    return "\n\n".join(f"## Part {n}\n\n{part}" for n, part in enumerate(parts)), said


@pytest.mark.parametrize("seed", range(12))
def test_a_weaker_source_changes_nothing_a_stronger_one_answers(
    knowledge: Knowledge, seed: int
) -> None:
    """Nor does a stronger one show to who may not read it."""
    generator = np.random.default_rng(seed)
    strong = {f"strong-{n}": write_text(generator, n + 1) for n in range(4)}
    weak = {f"weak-{n}": write_text(generator, n + 40) for n in range(3)}
    names = {key: str(generator.choice(["policy", "procedure"])) for key in strong}
    hidden = make_parsed("hidden", write_text(generator, 90)[0], authority="policy",
                         audience=Audience.INTERNAL)  # fmt: skip
    query = " ".join([*generator.choice(WORDS, 3), "takes days"])
    group = str(generator.choice(["document", "chunk"]))

    def answer(audience: Audience = Audience.INTERNAL) -> SearchResponse:
        return knowledge.ask(query, audience, top_k=50, group_by=group, include_overruled=True)

    def answered_by_strong() -> dict[str, object]:
        return {
            h.chunk.chunk_id: (h.chunk.text, h.freshness, h.overruled_by, h.unverified)
            for h in answer().hits
            if h.chunk.document.document_id in strong
        }

    knowledge.put(*(make_parsed(k, text, authority=names[k]) for k, (text, _) in strong.items()))
    before = answered_by_strong()
    knowledge.put(*(make_parsed(key, text) for key, (text, _) in weak.items()))
    beaten = set()
    for key, (_, said) in weak.items():
        winner = str(generator.choice(list(strong)))
        one, two = (winner, strong[winner][1]), (key, said)
        left, right = (one, two) if generator.integers(2) else (two, one)
        disagree(knowledge, left[0], right[0], left[1], right[1])
        if generator.integers(2):
            alike(knowledge, winner, key)
            beaten.add((winner, key))
    assert answered_by_strong() == before
    hits = answer().hits
    disputed = [h for h in hits for _, said in weak.values() if said in h.chunk.text]
    assert all(h.overruled_by is not None for h in disputed)
    order = [h.chunk.document.document_id for h in hits]
    assert all(order.index(winner) < order.index(loser) for winner, loser in beaten)

    seen = shape(answer(Audience.PUBLIC))
    knowledge.put(hidden)
    for key, (_, said) in (*weak.items(), *strong.items()):
        disagree(knowledge, "hidden", key, "90 days", said)
        alike(knowledge, "hidden", key)
    assert shape(answer(Audience.PUBLIC)) == seen
