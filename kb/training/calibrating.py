"""Fits the confidence on questions whose outcome is known; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from kb.confidence import FEATURES, Calibration
from kb.errors import InvalidInputError
from kb.evaluation import Asked
from kb.metrics import auroc, expected_calibration_error

FEWEST_QUESTIONS = 40
FEWEST_OF_A_KIND = 10
REGULARISATION = 1.0
FOLDS = 5


def fit_on_answers(asked: Sequence[Asked], *, name: str) -> Calibration:
    """Fit on asked questions: answered is who has a relevant document among the first hits.

    Raises:
        InvalidInputError: Too few questions.
    """
    usable = [a for a in asked if a.features]
    return fit_calibration([a.features for a in usable], [a.answered for a in usable], name=name)


def fit_calibration(
    features: Sequence[Mapping[str, float]],
    answered: Sequence[bool],
    *,
    name: str,
    threshold: float = 0.5,
) -> Calibration:
    """Fit on questions with known outcome, and measure on held-back fifths.

    Args:
        features: One mapping a question, holding every name in FEATURES.
        answered: Whether a relevant document came among the first three hits.
        name: What the response calls this calibration.
        threshold: Probability from which on a query counts as answerable.

    Returns:
        The calibration with its cross-validated AUROC and calibration error.

    Raises:
        InvalidInputError: Too few questions of either kind to fit.
    """
    labels = np.asarray(answered, int)
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    if len(labels) < FEWEST_QUESTIONS or fewest < FEWEST_OF_A_KIND:
        raise InvalidInputError(
            f"a confidence needs {FEWEST_QUESTIONS} questions with at least {FEWEST_OF_A_KIND} "
            f"answered and as many unanswered; got {len(labels)} with {fewest} of the rarer kind"
        )
    matrix = np.asarray([[f[key] for key in FEATURES] for f in features], float)
    folds = np.arange(len(labels)) % FOLDS
    held_back = np.zeros(len(labels))
    for fold in range(FOLDS):
        fitted = _fit(matrix[folds != fold], labels[folds != fold])
        held_back[folds == fold] = _apply(fitted, matrix[folds == fold])
    means, scales, weights, intercept = _fit(matrix, labels)
    stated = held_back.tolist()
    outcomes = [bool(label) for label in labels]
    return Calibration(
        name=name,
        means=dict(zip(FEATURES, means.tolist(), strict=True)),
        scales=dict(zip(FEATURES, scales.tolist(), strict=True)),
        weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
        intercept=intercept,
        threshold=threshold,
        evaluation={
            "questions": len(labels),
            "answered": int(labels.sum()),
            "held_back_auroc": auroc(stated, outcomes),
            "held_back_calibration_error": expected_calibration_error(stated, outcomes),
        },
    )


def _fit(matrix: Any, labels: Any) -> tuple[Any, Any, Any, float]:
    means, scales = matrix.mean(axis=0), matrix.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    model = LogisticRegression(C=REGULARISATION, max_iter=1_000)
    model.fit((matrix - means) / scales, labels)
    return means, scales, model.coef_[0], float(model.intercept_[0])


def _apply(fitted: tuple[Any, Any, Any, float], matrix: Any) -> Any:
    means, scales, weights, intercept = fitted
    return 1 / (1 + np.exp(-(((matrix - means) / scales) @ weights + intercept)))
