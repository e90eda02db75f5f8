"""The confidence of `kb learn`: of which ranking it is, whose it is, and what a refusal says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kb.confidence import FEATURES, Calibration
from kb.fusion import FUSION_WEIGHTS
from kb.learning.calibrations import write_calibrations
from kb.learning.judgements import Judgement
from kb.learning.models import LearnedModel, activate_model, roll_back, write_model
from kb.learning.ranker import Ranker
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.training.recalibrating import recalibrate
from kb.types import Audience, SearchRequest, SearchResponse
from tests.kb.factories import AUTHORITIES, NOW, Knowledge, make_parsed

WORDS = [f"topic{n}" for n in range(12)]


def make_retriever(knowledge: Knowledge, threshold: float | None = None) -> Retriever:
    rules = RetrieverRules(AUTHORITIES, FUSION_WEIGHTS, threshold)
    return Retriever(
        knowledge.database, knowledge.index, knowledge.encoder, knowledge.clock, rules, None
    )


def make_calibration(name: str, intercept: float = 0.0, **said: Any) -> Calibration:
    ones = dict.fromkeys(FEATURES, 1.0)
    return Calibration(name, ones, ones, dict.fromkeys(FEATURES, 0.5), intercept, 0.5, {}, **said)


def put_calibration(
    knowledge: Knowledge, found: Calibration, audience: Audience = Audience.INTERNAL
) -> None:
    with knowledge.database.write() as connection:
        write_calibrations(
            connection, {audience: found}, name=found.name, recipe=knowledge.encoder.recipe,
            actor="t", now=NOW,
        )  # fmt: skip


def put_model(knowledge: Knowledge, model_id: str, days: int) -> None:
    at = NOW + timedelta(days=days)
    model = LearnedModel(
        model_id, at, at, knowledge.encoder.recipe, {Audience.INTERNAL: Ranker()}, {}
    )
    with knowledge.database.write() as connection:
        write_model(connection, model, {})
        activate_model(connection, model_id, actor="t", now=at)


def ask(
    retriever: Retriever, query: str = "press button", audience: Audience = Audience.INTERNAL
) -> SearchResponse:
    return retriever.search(SearchRequest(query), audience)


def test_a_calibration_belongs_to_the_ranking_it_was_fitted_on(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a"))
    retriever = make_retriever(knowledge)
    assert ask(retriever).calibration == "uncalibrated"
    put_calibration(knowledge, make_calibration("plain"))
    assert ask(retriever).calibration == "plain"
    put_model(knowledge, "lm_1", 0)
    assert ask(retriever).calibration == "plain (stale)"
    put_calibration(knowledge, make_calibration("one", ranking="lm_1"))
    assert ask(retriever).calibration == "one"
    put_model(knowledge, "lm_2", 7)
    assert ask(retriever).calibration == "one (stale)"
    put_calibration(knowledge, make_calibration("two", ranking="lm_2"))
    for served in ("one", "plain"):
        with knowledge.database.write() as connection:
            roll_back(connection, actor="t", now=NOW)
        assert ask(retriever).calibration == served


def test_what_other_features_or_another_encoder_gave_is_never_stated(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a"))
    retriever = make_retriever(knowledge)
    old = make_calibration("old")
    put_calibration(knowledge, replace(old, weights={"semantic_top": 1.0}))
    assert ask(retriever).calibration == "uncalibrated"
    with knowledge.database.write() as connection:
        write_calibrations(
            connection, {Audience.INTERNAL: old}, name="old", recipe="other", actor="t", now=NOW
        )
    assert ask(retriever).calibration == "uncalibrated"


def make_judgements(audience: Audience, *, offset: int = 0) -> list[Judgement]:
    """Sixty solved questions; every third was solved by a document that is not found first."""
    found = []
    for n in range(60):
        word = WORDS[n % len(WORDS)]
        asked = f"reset {word}" if n % 3 else f"unheard matter {n} {offset}"
        at = NOW - timedelta(days=100 - n)
        ref = f"ticket:{offset + n}"
        found.append(Judgement(ref, "ticket", asked, (word,), audience, f"r{offset + n}", at))
    return found


def learn(
    knowledge: Knowledge, retriever: Retriever, found: Sequence[Judgement]
) -> dict[str, dict[str, Any]]:
    return recalibrate(
        knowledge.database, retriever, found, [],
        recipe=knowledge.encoder.recipe, name="fitted", now=NOW, actor="t",
    )  # fmt: skip


def test_solved_tickets_calibrate_and_an_audience_learns_only_of_what_it_may_see(
    knowledge: Knowledge,
) -> None:
    knowledge.put(*(make_parsed(word, f"How to reset the {word} now.") for word in WORDS))
    retriever = make_retriever(knowledge)
    public = make_judgements(Audience.PUBLIC)
    alone = learn(knowledge, retriever, public)
    assert alone["public"]["refused"] is None
    assert alone["internal"] == alone["public"]
    assert ask(retriever, audience=Audience.PUBLIC).calibration == "fitted"
    secret = make_judgements(Audience.INTERNAL, offset=1_000)
    both = learn(knowledge, retriever, [*public, *secret])
    assert both["public"] == alone["public"]
    assert both["internal"]["evaluation"]["questions"] == 120


def test_too_few_questions_leave_what_was_stated_before(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a"))
    retriever = make_retriever(knowledge)
    put_calibration(knowledge, make_calibration("before"))
    report = learn(knowledge, retriever, [])
    assert all("40 questions" in found["refused"] for found in report.values())
    assert ask(retriever).calibration == "before"


def test_a_refusal_says_what_was_nearest_and_why_it_is_not_enough(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("printer", "Press the printer button to print."),
        make_parsed("hidden", "The zeppelin button.", audience=Audience.INTERNAL),
    )
    retriever = make_retriever(knowledge, threshold=1.0)
    put_calibration(knowledge, make_calibration("low", intercept=-3.0), Audience.PUBLIC)
    said = ask(retriever, "zeppelin printer button", Audience.PUBLIC)
    assert said.answerable is False and said.why_not is not None
    assert said.why_not.document_id == "printer"
    assert said.why_not.similarity == pytest.approx(said.features["semantic_top"])
    assert said.why_not.missing_terms == ("zeppelin",)
    assert "threshold of 1.00" in said.why_not.reason
    assert "zeppelin" in said.why_not.reason
    assert "hidden" not in repr(said.why_not)


def test_the_configured_threshold_decides_and_an_answerable_query_needs_no_reason(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("printer", "Press the printer button to print."))
    put_calibration(knowledge, make_calibration("low", intercept=-3.0))
    assert ask(make_retriever(knowledge)).answerable is False
    granted = ask(make_retriever(knowledge, threshold=0.0))
    assert (granted.answerable, granted.why_not) == (True, None)


def test_where_nothing_is_found_that_is_the_reason(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a", audience=Audience.INTERNAL))
    said = ask(make_retriever(knowledge, threshold=0.0), audience=Audience.PUBLIC)
    assert (said.answerable, said.confidence) == (False, 0.0)
    assert said.why_not is not None
    assert said.why_not.document_id is None
    assert "nothing" in said.why_not.reason
