"""The fitted confidence: a probability that separates and that means what it says."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wiring import SHIPPED_PRIOR
from kb.confidence import FEATURES, UNCALIBRATED, Calibration
from kb.errors import InvalidInputError
from kb.metrics import expected_calibration_error
from kb.training.calibrating import Outcome, choose_threshold, fit_calibration


def draw_questions(count: int, seed: int = 3) -> tuple[list[dict[str, float]], list[bool]]:
    """Questions whose chance of an answer follows one feature; the others say nothing."""
    generator = np.random.default_rng(seed)
    features = [
        dict(zip(FEATURES, row, strict=True))
        for row in generator.random((count, len(FEATURES))).tolist()
    ]
    chances = [1 / (1 + math.exp(-(f["semantic_top"] - 0.5) * 8)) for f in features]
    return features, (generator.random(count) < np.asarray(chances)).tolist()


def fit(features: list[dict[str, float]], answered: list[bool], *, name: str) -> Calibration:
    return fit_calibration(
        [Outcome(f, label) for f, label in zip(features, answered, strict=True)], name=name
    )


def test_the_fit_finds_what_decides_and_states_honest_probabilities() -> None:
    features, answered = draw_questions(1_200)
    fitted = fit(features, answered, name="t")
    assert max(fitted.weights, key=lambda key: abs(fitted.weights[key])) == "semantic_top"
    unseen, outcomes = draw_questions(1_200, seed=4)
    stated = [fitted.probability(f) for f in unseen]
    assert expected_calibration_error(stated, outcomes) < 0.06
    assert fitted.evaluation["held_back_auroc"] > 0.75
    assert fitted.evaluation["questions"] == 1_200


def test_what_is_held_back_is_not_what_was_fitted_on() -> None:
    features, _ = draw_questions(60)
    noise = [bool(b) for b in np.random.default_rng(5).integers(0, 2, 60)]
    fitted = fit(features, noise, name="noise")
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


FITTED = fit(*draw_questions(60), name="t")


@given(st.lists(st.floats(-1e9, 1e9), min_size=len(FEATURES), max_size=len(FEATURES)))
def test_any_features_give_a_probability(values: list[float]) -> None:
    assert 0.0 < FITTED.probability(dict(zip(FEATURES, values, strict=True))) < 1.0


def test_a_calibration_survives_its_json() -> None:
    features, answered = draw_questions(80)
    fitted = fit(features, answered, name="t")
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, answered = draw_questions(80)
    flat = [f | {"agreement": 1.0} for f in features]
    fitted = fit(flat, answered, name="t")
    assert 0.0 < fitted.probability(flat[0] | {"agreement": 0.0}) < 1.0


@pytest.mark.parametrize(("count", "positive"), [(39, 20), (60, 9), (60, 51), (60, 0), (0, 0)])
def test_too_few_questions_of_a_kind_are_refused(count: int, positive: int) -> None:
    features, _ = draw_questions(max(count, 1))
    answered = [place < positive for place in range(count)]
    with pytest.raises(InvalidInputError, match="40 questions with at least 10"):
        fit(features[:count], answered, name="t")


def test_more_evidence_never_lowers_the_probability_and_nothing_is_certain() -> None:
    features, answered = draw_questions(300)
    # Against all sense: the more the first title resembles the question, the less it answers.
    fitted = fit(features, [f["title_top"] < 0.5 for f in features], name="t")
    average = dict(fitted.means)
    for key in FEATURES:
        more = fitted.probability(average | {key: fitted.means[key] + fitted.scales[key]})
        if key == "rarest_missing":
            assert more <= fitted.probability(average)
        else:
            assert more >= fitted.probability(average)
    fitted = fit(features, answered, name="t")
    endless = fitted.probability(average | {"semantic_top": 1e9})
    assert endless == fitted.probability(
        average | {"semantic_top": fitted.means["semantic_top"] + 4 * fitted.scales["semantic_top"]}
    )
    assert endless < 1.0


def test_the_threshold_refuses_at_most_a_twentieth_of_the_answered() -> None:
    stated = [place / 100 for place in range(100)]
    mixed = choose_threshold(stated, [place % 2 == 0 or place > 60 for place in range(100)])
    assert mixed == pytest.approx(0.06)  # .00, .02 and .04 of 70 are refused; a fourth: over 5%
    apart = choose_threshold(stated, [place >= 30 for place in range(100)])
    assert apart == 0.30
    assert choose_threshold(stated, [True] * 100) == 0.0


def test_the_newest_are_held_back_and_set_the_level() -> None:
    features, _ = draw_questions(600)
    generator = np.random.default_rng(8)
    answered = (generator.random(600) < np.where(np.arange(600) < 300, 0.3, 0.8)).tolist()
    dated = [Outcome(f, a, dated=True) for f, a in zip(features, answered, strict=True)]
    fitted = fit_calibration(dated, name="t")
    assert fitted.evaluation["held_back"] == "newest"
    assert fitted.evaluation["held_back_questions"] == 120
    assert np.mean([fitted.probability(f) for f in features]) > 0.7
    timeless = fit(features, answered, name="t")
    assert timeless.evaluation["held_back"] == "fifths in turn"
    assert 0.5 < np.mean([timeless.probability(f) for f in features]) < 0.6


def test_what_speaks_against_is_said_in_words() -> None:
    features, answered = draw_questions(600)
    fitted = fit(features, answered, name="t")
    poor = dict(fitted.means) | {"semantic_top": 0.0}
    assert fitted.find_doubts(poor) == [FEATURES["semantic_top"]]
    assert fitted.find_doubts(dict(fitted.means)) == []


def test_what_ships_is_of_this_programs_features_and_claims_no_fit() -> None:
    shipped = Calibration.from_json(json.loads(SHIPPED_PRIOR.read_text(encoding="utf-8")))
    assert shipped.is_current
    assert shipped.name == UNCALIBRATED
    assert shipped.ranking is None
