"""Frozen questions: what the report counts, and the fit that takes force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kb.evaluation import (
    Asked,
    Question,
    ask_questions,
    read_questions,
    report_answers,
)
from kb.fusion import FUSION_WEIGHTS
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.training.recalibrating import recalibrate
from kb.types import Audience, SearchRequest
from tests.kb.factories import AUTHORITIES, NOW, Knowledge, make_parsed


def make_asked(
    ranked: str, relevant: dict[str, float], confidence: float, *, answerable: bool = True
) -> Asked:
    question = Question("q", "?", relevant, answerable, Audience.PUBLIC)
    return Asked(question, tuple(ranked), confidence, confidence >= 0.5, {"x": 1.0})


def test_the_report_is_the_mean_over_the_questions_that_have_an_answer() -> None:
    report = report_answers(
        [
            make_asked("ab", {"a": 1.0}, 0.9),
            make_asked("xxa", {"a": 1.0}, 0.7),
            make_asked("xy", {}, 0.2, answerable=False),
            make_asked("xy", {}, 0.6, answerable=False),
        ]
    )
    assert report["questions"] == 4
    assert report["ndcg_at_10"] == pytest.approx((1 + 0.5) / 2)
    assert report["mrr"] == pytest.approx((1 + 1 / 3) / 2)
    assert report["recall_at_5"] == report["recall_at_10"] == 1.0
    answerable = report["answerable"]
    assert answerable["auroc"] == 1.0
    assert answerable["refused_share"] == 0.5
    assert answerable["false_refusal_share"] == 0.0
    # One bin each: stated .9, .7, .2, .6; answered 1, 1, 0, 0.
    assert answerable["expected_calibration_error"] == pytest.approx((0.1 + 0.3 + 0.2 + 0.6) / 4)
    low, high = report["intervals"]["ndcg_at_10"]
    assert low <= report["ndcg_at_10"] <= high


def test_a_report_on_no_questions_claims_nothing() -> None:
    report = report_answers([])
    assert (report["questions"], report["ndcg_at_10"], report["answerable"]["auroc"]) == (
        0,
        None,
        None,
    )


def test_a_question_set_is_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    lines = [
        {"id": "1", "text": "How?", "relevant": {"a": 2, "b": 0}, "answerable": True},
        {"id": "2", "text": "Why?", "relevant": {}, "answerable": False, "audience": "public"},
    ]
    file.write_text("\n\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    first, second = read_questions(file)
    assert (first.relevant, first.audience) == ({"a": 2.0}, Audience.INTERNAL)
    assert (second.answerable, second.audience) == (False, Audience.PUBLIC)


def test_questions_are_asked_as_their_audience_and_a_fit_takes_force(knowledge: Knowledge) -> None:
    words = [f"topic{n}" for n in range(45)]
    knowledge.put(
        *(make_parsed(word, f"How to reset the {word} now.", audience=Audience.INTERNAL)
          for word in words)
    )  # fmt: skip
    questions = [
        Question(word, f"reset {word}", {word: 1.0}, True,
                 Audience.INTERNAL if n % 3 else Audience.PUBLIC)
        for n, word in enumerate(words)
    ]  # fmt: skip
    questions += [Question(f"u{n}", f"unheard{n} thing", {}, False, Audience.INTERNAL)
                  for n in range(20)]  # fmt: skip
    rules = RetrieverRules(AUTHORITIES, FUSION_WEIGHTS)
    retriever = Retriever(
        knowledge.database, knowledge.index, knowledge.encoder, knowledge.clock, rules, None
    )
    told: list[tuple[int, int]] = []
    asked = ask_questions(retriever, questions, progress=lambda *said: told.append(said))
    assert told[-1] == (65, 65)
    assert [a.ranked for a in asked if a.question.audience is Audience.PUBLIC] == [()] * 15
    for name in ("first", "second"):
        fitted = recalibrate(
            knowledge.database, retriever, [], questions,
            recipe=knowledge.encoder.recipe, name=name, now=NOW, actor="t",
        )  # fmt: skip
    assert [a for a, found in fitted.items() if found["refused"] is None] == ["internal"]
    assert list(fitted) == [a.value for a in Audience]
    question = SearchRequest("reset topic1")
    assert retriever.search(question, Audience.INTERNAL).calibration == "second"
    assert retriever.search(question, Audience.PUBLIC).calibration == "uncalibrated"


def test_a_report_says_how_sure_it_is_and_what_refusing_more_would_bring() -> None:
    report = report_answers(
        [make_asked("a" if n >= 10 else "x", {"a": 1.0}, n / 40) for n in range(40)]
    )["answerable"]
    assert report["answered_auroc"] == 1.0
    assert [point["questions"] for point in report["coverage"]] == list(range(4, 41, 4))
    assert [point["accuracy"] for point in report["coverage"]][:7] == [1.0] * 7
    assert report["coverage"][-1]["accuracy"] == 0.75
    low, high = report["coverage"][0]["interval"]
    assert low < 0.6 and high == pytest.approx(1.0)
    low, high = report["intervals"]["expected_calibration_error"]
    assert low < report["expected_calibration_error"] < high
    assert report["refused_though_answered_share"] == 10 / 30
