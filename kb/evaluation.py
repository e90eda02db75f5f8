"""Frozen question sets: how well the knowledge base answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.errors import InvalidInputError
from kb.metrics import (
    auroc,
    bootstrap_interval,
    bootstrap_statistic,
    coverage_curve,
    expected_calibration_error,
    ndcg,
    recall,
    reciprocal_rank,
)
from kb.retrieval.retriever import Retriever
from kb.types import Audience, SearchRequest

DEPTH = 10
READ_HITS = 3
"""A question counts as answered when a relevant document is among the first three hits."""
_KEYS = {"id", "text", "relevant", "answerable", "audience"}


@dataclass(frozen=True, slots=True)
class Question:
    question_id: str
    text: str
    relevant: dict[str, float]
    answerable: bool
    audience: Audience


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what came back."""

    question: Question
    ranked: tuple[str, ...]
    confidence: float
    answerable: bool
    features: dict[str, float]

    @property
    def answered(self) -> bool:
        """Whether the first hits hold a relevant document."""
        return bool(set(self.ranked[:READ_HITS]) & set(self.question.relevant))


def read_questions(path: Path) -> list[Question]:
    """Read a frozen question set.

    Raises:
        InvalidInputError: A line is not a question; names file, line and field.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot be read: {error}", where=str(path)) from error
    questions = [
        _parse_question(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    seen: set[str] = set()
    for question in questions:
        if question.question_id in seen:
            raise InvalidInputError(f"id {question.question_id!r} twice", where=str(path))
        seen.add(question.question_id)
    return questions


def _parse_question(line: str, where: str) -> Question:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise InvalidInputError(f"not JSON: {error}", where=where) from error
    if not isinstance(said, dict):
        raise InvalidInputError("not an object", where=where)
    unknown = set(said) - _KEYS
    if unknown:
        raise InvalidInputError(f"unknown key {sorted(unknown)[0]!r}", where=where)
    identifier, text = said.get("id"), said.get("text")
    relevant = said.get("relevant", {})
    if not isinstance(identifier, str) or not identifier:
        raise InvalidInputError("'id' must be a text", where=where)
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError("'text' must be a text", where=where)
    if not isinstance(relevant, dict) or not all(
        isinstance(g, int | float) and not isinstance(g, bool) and g >= 0 for g in relevant.values()
    ):
        raise InvalidInputError("'relevant' must map document ids to grades", where=where)
    answerable = said.get("answerable", bool(relevant))
    if not isinstance(answerable, bool):
        raise InvalidInputError("'answerable' must be true or false", where=where)
    try:
        audience = Audience(said.get("audience", "internal"))
    except ValueError:
        allowed = ", ".join(a.value for a in Audience)
        raise InvalidInputError(f"'audience' must be one of {allowed}", where=where) from None
    positive = {key: float(grade) for key, grade in relevant.items() if grade > 0}
    return Question(identifier, text, positive, answerable, audience)


def ask_questions(
    retriever: Retriever,
    questions: Sequence[Question],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Asked]:
    """Ask every question as its audience."""
    vectors = retriever.encode([question.text for question in questions])
    asked = []
    for place, (question, vector) in enumerate(zip(questions, vectors, strict=True), start=1):
        response = retriever.search(
            SearchRequest(question.text, top_k=DEPTH), question.audience, vector=vector
        )
        asked.append(
            Asked(
                question,
                tuple(hit.chunk.document.document_id for hit in response.hits),
                response.confidence,
                response.answerable,
                response.features,
            )
        )
        if progress is not None:
            progress(place, len(questions))
    return asked


def report_answers(asked: Sequence[Asked]) -> dict[str, Any]:
    """Quality over the answerable questions, and how well the confidence knows which those are.

    The calibration error compares the stated confidence with whether the first three hits held a
    relevant document; `answered_auroc` separates by that, `auroc` answerable from unanswerable
    questions. `coverage` says, of the most confident tenth, fifth … of the questions, what share
    the first three hits answered.
    """
    graded = [a for a in asked if a.question.relevant]
    values = {
        "ndcg_at_10": [ndcg(a.ranked, a.question.relevant, DEPTH) for a in graded],
        "recall_at_5": [recall(a.ranked, list(a.question.relevant), 5) for a in graded],
        "recall_at_10": [recall(a.ranked, list(a.question.relevant), DEPTH) for a in graded],
        "mrr": [reciprocal_rank(a.ranked, list(a.question.relevant)) for a in graded],
    }
    confidences = [a.confidence for a in asked]
    refused = [a for a in asked if not a.question.answerable]
    wanted = [a for a in asked if a.question.answerable]
    answered = [a.answered for a in asked]
    answerable = [a.question.answerable for a in asked]
    return {
        "questions": len(asked),
        **{name: _mean(found) for name, found in values.items()},
        "answerable": {
            "auroc": auroc(confidences, answerable),
            "answered_auroc": auroc(confidences, answered),
            "expected_calibration_error": expected_calibration_error(confidences, answered),
            "refused_share": _mean([not a.answerable for a in refused]),
            "false_refusal_share": _mean([not a.answerable for a in wanted]),
            "refused_though_answered_share": _mean([not a.answerable for a in asked if a.answered]),
            "intervals": {
                "auroc": bootstrap_statistic(auroc, confidences, answerable),
                "answered_auroc": bootstrap_statistic(auroc, confidences, answered),
                "expected_calibration_error": bootstrap_statistic(
                    expected_calibration_error, confidences, answered
                ),
                "refused_share": bootstrap_interval([not a.answerable for a in refused]),
                "false_refusal_share": bootstrap_interval([not a.answerable for a in wanted]),
            },
            "coverage": coverage_curve(confidences, answered),
        },
        "intervals": {name: bootstrap_interval(found) for name, found in values.items()},
    }


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
