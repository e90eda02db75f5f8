"""`kb learn`: fit on solved questions, hold back, let through the gate what is no worse.

Each audience learns from what it may see and from nothing else, so that no weight, vote or place
it is served can tell of anything more trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kb import articles
from kb.database import Database
from kb.evaluation import Question
from kb.learning.judgements import Judgement, write_judgements
from kb.learning.models import (
    LearnedModel,
    activate_model,
    name_model,
    prune_models,
    read_active,
    write_model,
)
from kb.learning.precedents import Precedents
from kb.learning.ranker import Ranker
from kb.retrieval.retriever import Retriever
from kb.training.examples import (
    Solved,
    build_examples,
    choose_examples,
    find_passed_over,
    see_as,
    to_precedents,
)
from kb.training.fitting import Example, fit_ranker
from kb.training.gate import Compared, compare, judge, total_learned
from kb.types import Audience, Document
from kb.vectors import hash_text

FEWEST_SOLVED = 30
"""Below it the unlearned ranking serves: there is nothing to hold back."""
FEWEST_FOR_TIME_SPLIT = 200
HELD_BACK = 0.2
FOLDS = 5
CAUTIONS = (16.0, 4.0, 1.0, 0.25)
"""Precisions of the prior, most careful first. Questions taken out in turn choose among them: on
Thunderbird they order them as later tickets do, a time split of 158 questions did not."""
FIRST_SYNC = timedelta(hours=1)
FROZEN = "frozen questions"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one audience may be served, and how it did on what was held back."""

    ranker: Ranker
    passed_over: frozenset[str]
    report: dict[str, Any]

    @property
    def serves(self) -> bool:
        return self.report["refused"] is None


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What was fitted, with how it did on what was held back."""

    ranker: Ranker
    passed_over: frozenset[str]
    precedents: Precedents
    compared: Sequence[Compared]
    """Questions taken out in turn."""
    newest: Sequence[Compared]
    """The newest fifth, by what was known before it; empty where there are few."""
    caution: float
    solved: int


@dataclass(frozen=True, slots=True)
class _School:
    """What one run learns with."""

    retriever: Retriever
    documents: Mapping[str, Document]
    since: Mapping[Audience, Mapping[str, datetime | None]]
    frozen: Sequence[tuple[Question, Any]]
    """Questions with their vectors."""


def learn(
    database: Database,
    retriever: Retriever,
    found: Sequence[Judgement],
    frozen: Sequence[Question],
    *,
    recipe: str,
    until: datetime,
    now: datetime,
    actor: str,
) -> dict[str, Any]:
    """Fit, judge, and serve what passed from the next search on.

    Args:
        database: Keeps judgements and models.
        retriever: Shows what would have been shown.
        found: All judgements there are; replaces what is stored.
        frozen: Questions that no change may answer worse; may be empty.
        recipe: The encoder's.
        until: Judgements known later have not stood long enough.
        now: Dates the model.
        actor: Who asked for it.

    Returns:
        `{"judgements", "model_id", "serving", "audiences": {name: report of the gate}}`.
    """
    settled = [judgement for judgement in found if judgement.at <= until]
    encoded = retriever.encode([judgement.question for judgement in settled])
    vectors = {hash_text(j.question): vector for j, vector in zip(settled, encoded, strict=True)}
    with database.read() as connection:
        documents = {d.document_id: d for d in articles.read_documents(connection)}
        since = {a: articles.read_beginnings(connection, a, within=FIRST_SYNC) for a in Audience}
    asked = [question for question in frozen if question.relevant]
    asked_vectors = retriever.encode([question.text for question in asked])
    school = _School(retriever, documents, since, list(zip(asked, asked_vectors, strict=True)))
    lessons = _teach_all(school, settled, vectors)
    rankers = {a: lesson.ranker for a, lesson in lessons.items() if lesson.serves}
    report: dict[str, Any] = {
        "judgements": len(settled),
        "audiences": {a.value: lesson.report for a, lesson in lessons.items()},
    }
    model = LearnedModel(
        name_model(rankers, until, recipe), now, until, recipe, rankers, report["audiences"]
    )
    with database.write() as connection:
        write_judgements(connection, found, only_known=not rankers)
        if rankers:
            passed = {a: lessons[a].passed_over for a in rankers}
            write_model(connection, model, passed)
            activate_model(connection, model.model_id, actor=actor, now=now)
            prune_models(connection)
        serving = read_active(connection)
    return report | {
        "model_id": model.model_id if rankers else None,
        "serving": serving.model_id if serving is not None else None,
    }


def _teach_all(
    school: _School,
    settled: Sequence[Judgement],
    vectors: Mapping[str, Any],
) -> dict[Audience, Lesson]:
    """A lesson for each audience; one that sees no more than the one before takes its fit.

    Frozen questions are each audience's own, so each passes the gate for itself.
    """
    lessons: dict[Audience, Lesson] = {}
    before: tuple[object, _Fitted | Lesson] | None = None
    for audience in Audience:
        solved = see_as(settled, vectors, school.documents, audience)
        readable = {
            key for key, d in school.documents.items() if audience.may_read(d.metadata.audience)
        }
        seen = ([(s.judgement.ref, s.documents) for s in solved], readable)
        if before is None or before[0] != seen:
            before = (seen, _teach(school, solved, audience))
        taught = before[1]
        lessons[audience] = (
            taught if isinstance(taught, Lesson) else _examine(school, taught, audience)
        )
    return lessons


def _examine(school: _School, fitted: _Fitted, audience: Audience) -> Lesson:
    """What was held back and the audience's frozen questions, before the gate."""
    frozen = _ask_frozen(school, fitted.precedents, audience, fitted.ranker, fitted.passed_over)
    report = judge([*fitted.compared, *frozen], fitted.newest) | {
        "solved": fitted.solved,
        "caution": fitted.caution,
        "weights": fitted.ranker.to_json(),
    }
    return Lesson(fitted.ranker, fitted.passed_over, report)


def _teach(school: _School, solved: Sequence[Solved], audience: Audience) -> _Fitted | Lesson:
    people = len({s.judgement.requester for s in solved})
    if people < FEWEST_SOLVED:
        reason = f"{people} solved questions of different requesters; it takes {FEWEST_SOLVED}"
        return Lesson(Ranker(), frozenset(), {"questions": len(solved), "refused": reason})
    recent, since = choose_examples(solved), school.since[audience]
    precedents = to_precedents(solved)
    examples = build_examples(school.retriever, recent, precedents, audience)
    caution, compared = _choose_caution(school, _take_turns(school, recent, examples, audience))
    newest: list[Compared] = []
    if len(recent) >= FEWEST_FOR_TIME_SPLIT:
        split = _split_in_time(school, solved, recent, audience)
        newest = _compare_parts(school, [split], caution)
    ranker = fit_ranker(examples, caution=caution)
    passed = frozenset(find_passed_over(recent, examples, since))
    return _Fitted(ranker, passed, precedents, compared, newest, caution, len(solved))


def _choose_caution(school: _School, turns: Sequence[_Part]) -> tuple[float, list[Compared]]:
    """How careful a fit orders questions best that were taken out in turn, and how it did.

    The most careful of equals.
    """
    compared = {caution: _compare_parts(school, turns, caution) for caution in CAUTIONS}
    best = max(CAUTIONS, key=lambda caution: (total_learned(compared[caution]), caution))
    return best, compared[best]


def _compare_parts(school: _School, parts: Sequence[_Part], caution: float) -> list[Compared]:
    compared: list[Compared] = []
    for fitted, passed, held in parts:
        ranker = fit_ranker(fitted, caution=caution)
        compared += compare(held, ranker, passed, lambda e: _sources(school, e))
    return compared


_Part = tuple[Sequence[Example], AbstractSet[str], Sequence[Example]]


def _split_in_time(
    school: _School, solved: Sequence[Solved], recent: Sequence[Solved], audience: Audience
) -> _Part:
    held = recent[int(len(recent) * (1 - HELD_BACK)) :]
    first = held[0].judgement
    earlier = [s for s in solved if s.judgement.order < first.order]
    precedents = to_precedents(earlier)
    chosen = choose_examples(earlier)
    fitted = build_examples(school.retriever, chosen, precedents, audience)
    passed = find_passed_over(chosen, fitted, school.since[audience])
    return fitted, passed, build_examples(school.retriever, held, precedents, audience)


def _take_turns(
    school: _School, recent: Sequence[Solved], examples: Sequence[Example], audience: Audience
) -> list[_Part]:
    parts: list[_Part] = []
    since = school.since[audience]
    for fold in range(FOLDS):
        kept = [place for place in range(len(examples)) if place % FOLDS != fold]
        fitted = [examples[place] for place in kept]
        passed = find_passed_over([recent[place] for place in kept], fitted, since)
        parts.append((fitted, passed, examples[fold::FOLDS]))
    return parts


def _ask_frozen(
    school: _School,
    precedents: Precedents,
    audience: Audience,
    ranker: Ranker,
    passed: AbstractSet[str],
) -> list[Compared]:
    examples = []
    for question, vector in school.frozen:
        if question.audience is not audience:
            continue
        shown = school.retriever.show(question.text, audience, vector, precedents)
        examples.append(
            Example(
                question.question_id,
                f"{FROZEN}: {question.question_id}",
                shown.keys,
                shown.matrix,
                frozenset(question.relevant),
                frozenset(shown.keys[: shown.ranked]),
                frozenset(key for key in shown.keys if key in shown.evidence),
            )
        )
    return compare(examples, ranker, passed, lambda _: {FROZEN})


def _sources(school: _School, example: Example) -> set[str]:
    return {
        f"source {school.documents[key].source}"
        for key in example.solved_by
        if key in school.documents
    }
