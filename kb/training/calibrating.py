"""Fits the confidence on questions whose outcome is known; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from kb.confidence import AGAINST, FARTHEST, FEATURES, Calibration
from kb.errors import InvalidInputError
from kb.evaluation import Asked
from kb.metrics import auroc, expected_calibration_error

FEWEST_QUESTIONS = 40
FEWEST_OF_A_KIND = 10
FEWEST_FOR_TIME_SPLIT = 200
"""Dated questions from which on the newest are held back; below it, fifths in turn."""
HELD_BACK = 0.2
REGULARISATION = 5.0
FOLDS = 5
HALF_LIFE = 100.0
"""Dated questions back at which one counts half for the level, though not for what decides: with
the articles the share that is answered drifts (Thunderbird: .58 to .76 within 788 tickets)."""
MOST_FALSE_REFUSALS = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: what its ranking looked like, and whether the first hits answered."""

    features: Mapping[str, float]
    answered: bool
    dated: bool = False
    """A solved ticket, which the newer ones outdate; a frozen question is always of today."""


def fit_on_answers(asked: Sequence[Asked], *, name: str) -> Calibration:
    """Fit on asked questions: answered is who has a relevant document among the first hits.

    Raises:
        InvalidInputError: Too few questions.
    """
    return fit_calibration([Outcome(a.features, a.answered) for a in asked], name=name)


def fit_calibration(
    outcomes: Sequence[Outcome], *, name: str, ranking: str | None = None
) -> Calibration:
    """Fit, measured on what was held back: the newest dated questions, or fifths in turn.

    Args:
        outcomes: Questions with known outcome, dated ones oldest first. Those for which nothing
            was found say nothing and are left out.
        name: What the response calls this calibration.
        ranking: The learned model that ranked.

    Returns:
        The calibration fitted on all, with AUROC, calibration error and refusals of one fitted the
        same way without what it is measured on. Its threshold is the one that best separates
        answered from not while refusing at most 5% of the answered.

    Raises:
        InvalidInputError: Too few questions of either kind to fit.
    """
    usable = [outcome for outcome in outcomes if outcome.features]
    answered = sum(outcome.answered for outcome in usable)
    fewest = min(answered, len(usable) - answered)
    if len(usable) < FEWEST_QUESTIONS or fewest < FEWEST_OF_A_KIND:
        raise InvalidInputError(
            f"a confidence needs {FEWEST_QUESTIONS} questions with at least {FEWEST_OF_A_KIND} "
            f"answered and as many unanswered; got {len(usable)} with {fewest} of the rarer kind"
        )
    return _fit(usable, name, ranking, _measure(usable))


def _measure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    stated, refused, seen = [], [], []
    split = _split(outcomes)
    for fitted, held in split:
        if len({outcome.answered for outcome in fitted}) < 2:
            continue
        calibration = _fit(fitted, "", None, {})
        chances = [calibration.probability(outcome.features) for outcome in held]
        stated += chances
        refused += [chance < calibration.threshold for chance in chances]
        seen += [outcome.answered for outcome in held]
    answered = sum(seen)
    return {
        "questions": len(outcomes),
        "answered": sum(outcome.answered for outcome in outcomes),
        "held_back": "newest" if len(split) == 1 else "fifths in turn",
        "held_back_questions": len(seen),
        "held_back_auroc": auroc(stated, seen),
        "held_back_calibration_error": expected_calibration_error(stated, seen),
        "refused_of_unanswered": _share(refused, [not label for label in seen]),
        "refused_of_answered": _share(refused, seen) if answered else None,
    }


def _share(refused: Sequence[bool], among: Sequence[bool]) -> float | None:
    found = [said for said, counts in zip(refused, among, strict=True) if counts]
    return sum(found) / len(found) if found else None


def _split(outcomes: Sequence[Outcome]) -> list[tuple[list[Outcome], list[Outcome]]]:
    """What is fitted on and what it is measured on."""
    dated = [outcome for outcome in outcomes if outcome.dated]
    timeless = [outcome for outcome in outcomes if not outcome.dated]
    if len(dated) < FEWEST_FOR_TIME_SPLIT:
        return [
            (
                [o for place, o in enumerate(outcomes) if place % FOLDS != fold],
                [o for place, o in enumerate(outcomes) if place % FOLDS == fold],
            )
            for fold in range(FOLDS)
        ]
    cut = int(len(dated) * (1 - HELD_BACK))
    kept = [o for place, o in enumerate(timeless) if place % FOLDS]
    return [(dated[:cut] + kept, dated[cut:] + timeless[::FOLDS])]


def _fit(
    outcomes: Sequence[Outcome], name: str, ranking: str | None, evaluation: dict[str, Any]
) -> Calibration:
    fitted = _fit_weights(outcomes, name, ranking, evaluation)
    stated = np.zeros(len(outcomes))
    for fold in range(FOLDS):
        rest = [o for place, o in enumerate(outcomes) if place % FOLDS != fold]
        judge = fitted
        if len({o.answered for o in rest}) == 2:
            judge = _fit_weights(rest, name, ranking, evaluation)
        for place in range(fold, len(outcomes), FOLDS):
            stated[place] = judge.probability(outcomes[place].features)
    threshold = choose_threshold(stated.tolist(), [o.answered for o in outcomes])
    return Calibration(
        fitted.name, fitted.means, fitted.scales, fitted.weights, fitted.intercept, threshold,
        evaluation, ranking,
    )  # fmt: skip


def choose_threshold(stated: Sequence[float], answered: Sequence[bool]) -> float:
    """The chance from which on a question counts as answerable.

    Of all that refuse at most 5% of the answered, the one that refuses most unanswered for the
    fewest answered refused (Youden's J).
    """
    chances, seen = np.asarray(stated), np.asarray(answered, bool)
    best, threshold = 0.0, 0.0
    if seen.all() or not seen.any():
        return threshold
    for candidate in np.unique(chances):
        false = float((chances[seen] < candidate).mean())
        if false > MOST_FALSE_REFUSALS:
            break
        gained = float((chances[~seen] < candidate).mean()) - false
        if gained > best:
            best, threshold = gained, float(candidate)
    return threshold


def _fit_weights(
    outcomes: Sequence[Outcome], name: str, ranking: str | None, evaluation: dict[str, Any]
) -> Calibration:
    matrix = np.asarray([[o.features[key] for key in FEATURES] for o in outcomes], float)
    labels = np.asarray([o.answered for o in outcomes], float)
    means, scales = matrix.mean(axis=0), matrix.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    rows = np.clip((matrix - means) / scales, -FARTHEST, FARTHEST)
    weights = _maximise(rows, labels)
    intercept = _find_level(rows @ weights, labels, _recency(outcomes))
    return Calibration(
        name=name,
        means=dict(zip(FEATURES, means.tolist(), strict=True)),
        scales=dict(zip(FEATURES, scales.tolist(), strict=True)),
        weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
        intercept=intercept,
        threshold=0.5,
        evaluation=evaluation,
        ranking=ranking,
    )


def _maximise(rows: Any, labels: Any) -> Any:
    """Weights of most posterior probability under a normal prior, each of its one sign."""

    def cost(point: Any) -> tuple[float, Any]:
        weights = point[1:]
        odds = rows @ weights + point[0]
        loss = np.logaddexp(0.0, odds) - labels * odds
        wrong = 1 / (1 + np.exp(-odds)) - labels
        slope = rows.T @ wrong + REGULARISATION * weights
        value = loss.sum() + REGULARISATION / 2 * float(weights @ weights)
        return float(value), np.concatenate([[wrong.sum()], slope])

    signs = [(None, 0.0) if key in AGAINST else (0.0, None) for key in FEATURES]
    start = np.zeros(rows.shape[1] + 1)
    found = minimize(cost, start, jac=True, bounds=[(None, None), *signs], method="L-BFGS-B")
    return found.x[1:]


def _recency(outcomes: Sequence[Outcome]) -> Any:
    """Weight of each question for the level."""
    dated = sum(outcome.dated for outcome in outcomes)
    weights, place = [], 0
    for outcome in outcomes:
        place += outcome.dated
        weights.append(0.5 ** ((dated - place) / HALF_LIFE) if outcome.dated else 1.0)
    return np.asarray(weights)


def _find_level(odds: Any, labels: Any, recency: Any) -> float:
    """The intercept at which the weighted mean chance is the share that was answered."""

    def excess(level: float) -> float:
        return float(np.sum(recency * (1 / (1 + np.exp(-(odds + level))) - labels)))

    widest = float(np.abs(odds).max()) + 20.0
    return float(brentq(excess, -widest, widest))
