"""Fits the probability of *missing* on topics whose truth is known; pure, owns sklearn's model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gaps.covering.model import FARTHEST, FEATURES, TopicCalibration
from kb.errors import InvalidInputError

INVERSE_REGULARISATION = 0.3
ERROR_RATE = 0.05
"""Of the missing topics at most this share is to be called covered, and the reverse."""
FEWEST_OF_A_KIND = 20


@dataclass(frozen=True, slots=True)
class Example:
    """One topic with its truth."""

    values: Mapping[str, float]
    missing: bool


def fit_calibration(
    examples: Sequence[Example], *, evaluation: Mapping[str, Any] | None = None
) -> TopicCalibration:
    """Weights by ridge logistic regression (sklearn), without a band.

    Args:
        examples: Topics with every feature.
        evaluation: Where they are from and what was measured, kept in the file.

    Raises:
        InvalidInputError: Fewer than 20 topics of either kind.
    """
    labels = np.asarray([example.missing for example in examples], bool)
    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < FEWEST_OF_A_KIND:
        raise InvalidInputError(
            f"topic coverage needs {FEWEST_OF_A_KIND} topics of each kind; the rarer has {fewest}"
        )
    matrix = np.asarray([[e.values[key] for key in FEATURES] for e in examples], float)
    means, scales = matrix.mean(axis=0), matrix.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    rows = np.clip((matrix - means) / scales, -FARTHEST, FARTHEST)
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1_000).fit(rows, labels)
    return TopicCalibration(
        means=_name(means),
        scales=_name(scales),
        weights=_name(model.coef_[0]),
        intercept=round(float(model.intercept_[0]), 5),
        prior=round(float(labels.mean()), 5),
        low=0.5,
        high=0.5,
        evaluation=dict(evaluation or {}),
    )


def _name(values: NDArray[np.float64]) -> dict[str, float]:
    return {key: round(float(v), 5) for key, v in zip(FEATURES, values, strict=True)}


def with_band(
    calibration: TopicCalibration,
    stated: Sequence[float],
    missing: Sequence[bool],
    *,
    error_rate: float = ERROR_RATE,
) -> TopicCalibration:
    """The calibration with its band set on topics it was not fitted on.

    Split conformal prediction by class (Vovk, "Conditional validity of inductive conformal
    predictors", 2012): of topics exchangeable with these at most `error_rate` of the missing lie
    below the band and at most as many of the covered above it.

    Args:
        calibration: To complete.
        stated: Probabilities of held-out topics.
        missing: Their truth.
        error_rate: Above 0, below 1.

    Raises:
        InvalidInputError: Too few of either kind for any bound at that rate.
    """
    chances, truth = np.asarray(stated, float), np.asarray(missing, bool)
    low = _bound(chances[truth], error_rate)
    high = 1 - _bound(1 - chances[~truth], error_rate)
    if low > high:
        # Both classes keep their promise anywhere between the two.
        low = high = (low + high) / 2
    return replace(calibration, low=round(low, 5), high=round(high, 5))


def _bound(chances: NDArray[np.float64], error_rate: float) -> float:
    """The highest value that at most `error_rate` of exchangeable chances lie below."""
    place = math.floor(error_rate * (len(chances) + 1))
    if place < 1:
        raise InvalidInputError(f"{len(chances)} topics of a kind bound no error of {error_rate}")
    return float(np.sort(chances)[place - 1])
