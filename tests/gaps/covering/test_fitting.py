from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gaps.covering.fitting import Example, fit_calibration, with_band
from gaps.covering.model import FEATURES, TopicCalibration, Verdict, read_shipped_calibration
from kb.errors import InvalidInputError
from tests.gaps.covering.factories import make_calibration


def make_examples(count: int = 400, seed: int = 2) -> list[Example]:
    """Topics of which the covered lie one standard deviation above the missing."""
    generator = np.random.default_rng(seed)
    return [
        Example({key: float(generator.normal(-float(missing))) for key in FEATURES}, missing)
        for missing in (bool(number % 2) for number in range(count))
    ]


def test_the_shipped_calibration_is_whole():
    shipped = read_shipped_calibration()
    assert set(shipped.weights) == set(shipped.means) == set(shipped.scales) == set(FEATURES)
    assert 0 < shipped.low < shipped.high < 1
    assert shipped.evaluation["fitted_on"]
    assert TopicCalibration.from_json(json.loads(json.dumps(shipped.to_json()))) == shipped


def test_nothing_that_speaks_for_coverage_raises_the_shipped_probability():
    assert all(weight <= 0 for weight in read_shipped_calibration().weights.values())


def test_a_fit_recovers_what_separates():
    examples = make_examples()
    fitted = fit_calibration(examples)
    assert all(weight < 0 for weight in fitted.weights.values())
    right = [(fitted.probability(e.values) > 0.5) == e.missing for e in examples]
    assert np.mean(right) > 0.85
    stated = np.mean([fitted.probability(e.values) for e in examples])
    assert stated == pytest.approx(fitted.prior, abs=0.01)


def test_too_few_topics_fit_nothing():
    with pytest.raises(InvalidInputError):
        fit_calibration(make_examples(30))
    with pytest.raises(InvalidInputError):
        with_band(make_calibration(), [0.1, 0.9], [False, True])


@pytest.mark.parametrize("error_rate", [0.05, 0.2])
def test_outside_the_band_each_kind_errs_at_most_as_stated(error_rate):
    fitted = fit_calibration(make_examples(seed=2))
    held, fresh = make_examples(1_000, seed=3), make_examples(4_000, seed=4)
    banded = with_band(
        fitted,
        [fitted.probability(e.values) for e in held],
        [e.missing for e in held],
        error_rate=error_rate,
    )
    said = [banded.decide(banded.probability(e.values)) for e in fresh]
    for missing, wrong in ((True, Verdict.COVERED), (False, Verdict.MISSING)):
        of_kind = [v for v, e in zip(said, fresh, strict=True) if e.missing is missing]
        assert np.mean([v is wrong for v in of_kind]) <= error_rate + 0.02


def test_a_looser_promise_leaves_less_to_review():
    fitted = fit_calibration(make_examples())
    held = make_examples(1_000, seed=3)
    stated, truth = [fitted.probability(e.values) for e in held], [e.missing for e in held]
    strict = with_band(fitted, stated, truth, error_rate=0.05)
    loose = with_band(fitted, stated, truth, error_rate=0.1)
    assert strict.low < loose.low <= loose.high < strict.high


def test_other_evidence_multiplies_with_the_likelihood_ratio():
    calibration = replace(make_calibration(), prior=0.2)
    assert calibration.likelihood_ratio(0.2) == pytest.approx(1.0)
    assert calibration.likelihood_ratio(0.8) == pytest.approx(16.0)


def test_stated_chances_follow_the_share_that_all_of_them_speak_for():
    calibration = make_calibration()
    mostly_covered = [0.05] * 180 + [0.9] * 20
    adapted = calibration.adapt(mostly_covered)
    # Saerens et al.: fewer are missing than at the fitted half, so the same evidence says less.
    assert adapted[-1] < 0.9 and adapted[0] < 0.05
    assert np.mean(adapted) == pytest.approx(0.1, abs=0.03)
    assert adapted == sorted(adapted)
    assert calibration.adapt([0.9, 0.1]) == pytest.approx([0.9, 0.1], abs=0.01)
    assert calibration.adapt([]) == []
