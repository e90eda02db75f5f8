"""`kb learn`, wired: solved tickets and reported outcomes to the ranking and the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaps.operating.solved import read_solved
from kb.clock import format_instant
from kb.evaluation import Question, read_questions
from kb.learning.judgements import Judgement, read_outcomes
from kb.learning.models import LearnedModel, read_models, roll_back
from kb.training.learning import learn
from kb.training.recalibrating import recalibrate

if TYPE_CHECKING:
    from api.wiring import Application


class Learning:
    """What retrieval learns, weekly and by hand."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def learn(
        self, *, actor: str, questions: Path | None = None, name: str = "fitted"
    ) -> dict[str, Any]:
        """Fit the ranking on what was solved, serve it where the gate lets it, then recalibrate.

        Args:
            actor: Who asked for it.
            questions: Frozen question set; that of kb.toml where left out, none where neither is.
            name: What responses call the confidence.

        Returns:
            The gate's report, with "confidence" by audience.

        Raises:
            InvalidInputError: The question set is malformed.
        """
        application = self._application
        now = application.clock.now()
        frozen = self.read_frozen(questions)
        with application.database.read() as connection:
            found = read_solved(connection) + read_outcomes(connection)
        found.sort(key=lambda judgement: judgement.order)
        until = now - timedelta(days=application.settings.learning.settle_days)
        report = learn(
            application.database,
            application.retriever,
            found,
            frozen,
            recipe=application.encoder.recipe,
            until=until,
            now=now,
            actor=actor,
        )
        settled = [judgement for judgement in found if judgement.at <= until]
        confidence = self._recalibrate(settled, frozen, name=name, actor=actor)
        return report | {"confidence": confidence}

    def calibrate(self, questions: Sequence[Question], *, name: str, actor: str) -> dict[str, Any]:
        """Fit the confidence on frozen questions alone; the next search states it."""
        return self._recalibrate([], questions, name=name, actor=actor)

    def _recalibrate(
        self, found: Sequence[Judgement], frozen: Sequence[Question], *, name: str, actor: str
    ) -> dict[str, Any]:
        application = self._application
        return recalibrate(
            application.database,
            application.retriever,
            found,
            frozen,
            recipe=application.encoder.recipe,
            name=name,
            now=application.clock.now(),
            actor=actor,
        )

    def read_frozen(self, questions: Path | None = None) -> list[Question]:
        path = questions
        if path is None and self._application.settings.learning.questions is not None:
            path = self._application.root / self._application.settings.learning.questions
        return read_questions(path) if path is not None else []

    def roll_back(self, *, actor: str) -> str | None:
        """Serve the version before the one in force; None is the unlearned ranking."""
        application = self._application
        with application.database.write() as connection:
            return roll_back(connection, actor=actor, now=application.clock.now())

    def list_models(self) -> list[dict[str, Any]]:
        """Versions, newest first."""
        with self._application.database.read() as connection:
            return [model_json(model) for model in read_models(connection)]


def model_json(model: LearnedModel) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "fitted_at": format_instant(model.fitted_at),
        "until": format_instant(model.until),
        "encoder": model.recipe,
        "serving": model.active,
        "weights": {a.value: ranker.to_json() for a, ranker in model.rankers.items()},
        "evaluation": dict(model.evaluation),
    }
