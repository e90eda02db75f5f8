"""The fitted confidence: a probability that separates and that means what it says."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.confidence import FEATURES, Calibration
from kb.errors import InvalidInputError
from kb.metrics import expected_calibration_error
from kb.training.calibrating import fit_calibration


def draw_questions(count: int, seed: int = 3) -> tuple[list[dict[str, float]], list[bool]]:
    """Questions whose chance of an answer follows one feature; the others say nothing."""
    generator = np.random.default_rng(seed)
    features = [
        dict(zip(FEATURES, row, strict=True)) for row in generator.random((count, 7)).tolist()
    ]
    chances = [1 / (1 + math.exp(-(f["semantic_top"] - 0.5) * 8)) for f in features]
    return features, (generator.random(count) < np.asarray(chances)).tolist()


def test_the_fit_finds_what_decides_and_states_honest_probabilities() -> None:
    features, answered = draw_questions(1_200)
    fitted = fit_calibration(features, answered, name="t")
    assert max(fitted.weights, key=lambda key: abs(fitted.weights[key])) == "semantic_top"
    unseen, outcomes = draw_questions(1_200, seed=4)
    stated = [fitted.probability(f) for f in unseen]
    assert expected_calibration_error(stated, outcomes) < 0.06
    assert fitted.evaluation["held_back_auroc"] > 0.75
    assert fitted.evaluation["questions"] == 1_200


def test_what_is_held_back_is_not_what_was_fitted_on() -> None:
    features, _ = draw_questions(60)
    noise = [bool(b) for b in np.random.default_rng(5).integers(0, 2, 60)]
    fitted = fit_calibration(features, noise, name="noise")
    assert abs(fitted.evaluation["held_back_auroc"] - 0.5) < 0.2


def test_probability_is_the_logistic_of_standardised_features() -> None:
    ones = dict.fromkeys(FEATURES, 1.0)
    calibration = Calibration(
        "t",
        means=dict.fromkeys(FEATURES, 0.5),
        scales=dict.fromkeys(FEATURES, 0.25),
        weights=dict.fromkeys(FEATURES, 0.0) | {"semantic_top": 2.0, "title_top": -0.5},
        intercept=-1.0,
        threshold=0.5,
        evaluation={},
    )
    # -1 + 2 * (1 - .5)/.25 - .5 * (1 - .5)/.25 = 2
    assert calibration.probability(ones) == pytest.approx(1 / (1 + math.exp(-2)))
    assert calibration.probability({}) == 0.0


FITTED = fit_calibration(*draw_questions(60), name="t")


@given(st.lists(st.floats(-1e9, 1e9), min_size=7, max_size=7))
def test_any_features_give_a_probability(values: list[float]) -> None:
    assert 0.0 < FITTED.probability(dict(zip(FEATURES, values, strict=True))) < 1.0


def test_a_calibration_survives_its_json() -> None:
    features, answered = draw_questions(80)
    fitted = fit_calibration(features, answered, name="t", threshold=0.6)
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, answered = draw_questions(80)
    flat = [f | {"agreement": 1.0} for f in features]
    fitted = fit_calibration(flat, answered, name="t")
    assert 0.0 < fitted.probability(flat[0] | {"agreement": 0.0}) < 1.0


@pytest.mark.parametrize(("count", "positive"), [(39, 20), (60, 9), (60, 51), (60, 0), (0, 0)])
def test_too_few_questions_of_a_kind_are_refused(count: int, positive: int) -> None:
    features, _ = draw_questions(max(count, 1))
    answered = [place < positive for place in range(count)]
    with pytest.raises(InvalidInputError, match="40 questions with at least 10"):
        fit_calibration(features[:count], answered, name="t")
