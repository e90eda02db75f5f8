"""The confidence of `kb learn`: solved tickets and frozen questions asked, and fitted on.

Each audience's is fitted on what that audience may see and on nothing else: judgements it may
learn from, answered by documents it may read; frozen questions of its own and of less trusted
audiences, asked as these would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kb import articles
from kb.confidence import Calibration
from kb.database import Database
from kb.errors import InvalidInputError
from kb.evaluation import READ_HITS, Question, ask_questions
from kb.learning.calibrations import write_calibrations
from kb.learning.judgements import Judgement
from kb.learning.models import LearnedModel, read_active
from kb.retrieval.retriever import Retriever
from kb.training.calibrating import (
    FEWEST_OF_A_KIND,
    FEWEST_QUESTIONS,
    Outcome,
    fit_calibration,
)
from kb.training.examples import Solved, see_as
from kb.types import Audience, SearchRequest
from kb.vectors import hash_text

MOST_SOLVED = 2_000
"""The newest; eight weights need no more."""


def recalibrate(
    database: Database,
    retriever: Retriever,
    found: Sequence[Judgement],
    frozen: Sequence[Question],
    *,
    recipe: str,
    name: str,
    now: datetime,
    actor: str,
) -> dict[str, Any]:
    """Fit on the ranking that serves now, for each audience with enough questions.

    Args:
        database: Keeps the calibrations.
        retriever: Asks.
        found: Judgements that have stood long enough, oldest first.
        frozen: Questions with known answers; may be empty.
        recipe: The encoder's.
        name: What responses call it.
        now: Dates the calibrations.
        actor: Who asked for it.

    Returns:
        By audience name `{"refused": None, "threshold", "ranking", "weights", "evaluation"}`, or
        `{"refused": reason}`; then what was stated before stays, as stale if the ranking changed.
    """
    with database.read() as connection:
        documents = {d.document_id: d for d in articles.read_documents(connection)}
        model = read_active(connection)
    encoded = retriever.encode([judgement.question for judgement in found])
    vectors = {hash_text(j.question): vector for j, vector in zip(found, encoded, strict=True)}
    asked = ask_questions(retriever, frozen)
    fitted: dict[Audience, Calibration] = {}
    report: dict[str, Any] = {}
    before: tuple[object, Calibration | InvalidInputError] | None = None
    for audience in Audience:
        solved = see_as(found, vectors, documents, audience)[-MOST_SOLVED:]
        mine = [a for a in asked if audience.may_read(a.question.audience)]
        readable = {
            key for key, document in documents.items()
            if audience.may_read(document.metadata.audience)
        }  # fmt: skip
        seen = (
            [(s.judgement.ref, s.documents) for s in solved],
            [a.question.question_id for a in mine],
            readable,
            _ranks(model, recipe, audience),
        )
        if before is None or before[0] != seen:
            ranking = model.model_id if model is not None and seen[-1] is not None else None
            outcomes = [Outcome(a.features, a.answered) for a in mine]
            if not _suffices(outcomes):
                outcomes = _ask(retriever, solved, audience) + outcomes
            before = (seen, _fit(outcomes, name, ranking))
        result = before[1]
        if isinstance(result, Calibration):
            fitted[audience] = result
            report[audience.value] = _describe(result)
        else:
            report[audience.value] = {"refused": result.message}
    if fitted:
        with database.write() as connection:
            write_calibrations(connection, fitted, name=name, recipe=recipe, actor=actor, now=now)
    return report


def _suffices(outcomes: Sequence[Outcome]) -> bool:
    """Whether frozen questions alone carry a fit.

    Then tickets are left out: all of theirs were solved by a document, so they teach what an answer
    looks like and never what none looks like, and a near miss would count as one.
    """
    answered = sum(outcome.answered for outcome in outcomes)
    rarer = min(answered, len(outcomes) - answered)
    return len(outcomes) >= FEWEST_QUESTIONS and rarer >= FEWEST_OF_A_KIND


def _ranks(model: LearnedModel | None, recipe: str, audience: Audience) -> Any:
    """The weights that rank for the audience; None where the unlearned ranking does."""
    if model is None or model.recipe != recipe:
        return None
    return model.rankers.get(audience)


def _fit(
    outcomes: Sequence[Outcome], name: str, ranking: str | None
) -> Calibration | InvalidInputError:
    try:
        return fit_calibration(outcomes, name=name, ranking=ranking)
    except InvalidInputError as error:
        return error


def _ask(retriever: Retriever, solved: Sequence[Solved], audience: Audience) -> list[Outcome]:
    """What each question would be answered, had its requester never asked before."""
    outcomes = []
    for one in solved:
        response = retriever.search(
            SearchRequest(one.judgement.question, top_k=READ_HITS),
            audience,
            vector=one.vector,
            leave_out=one.judgement.ref,
        )
        hits = {hit.chunk.document.document_id for hit in response.hits}
        outcomes.append(Outcome(response.features, bool(hits & set(one.documents)), dated=True))
    return outcomes


def _describe(fitted: Calibration) -> Mapping[str, Any]:
    return {
        "refused": None,
        "threshold": fitted.threshold,
        "ranking": fitted.ranking,
        "weights": fitted.weights,
        "evaluation": fitted.evaluation,
    }
