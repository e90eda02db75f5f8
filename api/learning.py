"""`kb learn`, wired: solved tickets and reported outcomes to the ranking and the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaps.operating.solved import read_solved
from kb.clock import format_instant
from kb.evaluation import Question, ask_questions, read_questions
from kb.learning.calibrations import write_calibration
from kb.learning.judgements import read_outcomes
from kb.learning.models import LearnedModel, read_models, roll_back
from kb.training.calibrating import fit_on_answers
from kb.training.learning import learn

if TYPE_CHECKING:
    from api.wiring import Application
    from kb.confidence import Calibration


class Learning:
    """What retrieval learns, weekly and by hand."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def learn(self, *, actor: str, questions: Path | None = None) -> dict[str, Any]:
        """Fit the ranking on what was solved, and serve it where the gate lets it.

        Args:
            actor: Who asked for it.
            questions: Frozen question set; that of kb.toml where left out, none where neither is.

        Raises:
            InvalidInputError: The question set is malformed.
        """
        application = self._application
        now = application.clock.now()
        frozen = self.read_frozen(questions)
        with application.database.read() as connection:
            found = read_solved(connection) + read_outcomes(connection)
        settle = timedelta(days=application.settings.learning.settle_days)
        return learn(
            application.database,
            application.retriever,
            sorted(found, key=lambda judgement: (judgement.at, judgement.ref)),
            frozen,
            recipe=application.encoder.recipe,
            until=now - settle,
            now=now,
            actor=actor,
        )

    def calibrate(self, questions: Sequence[Question], *, name: str, actor: str) -> Calibration:
        """Fit the confidence on a frozen question set; the next search states it.

        Raises:
            InvalidInputError: Too few questions.
        """
        application = self._application
        fitted = fit_on_answers(ask_questions(application.retriever, questions), name=name)
        with application.database.write() as connection:
            write_calibration(connection, fitted, actor=actor, now=application.clock.now())
        application.retriever.calibration = fitted
        return fitted

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
