"""Fitting on made-up intervals: levels stay apart, evidence never speaks for truth."""

from __future__ import annotations

import numpy as np
import pytest

from gaps.freshness.fitting import Example, fit_model, quarter_share
from gaps.freshness.model import FreshnessModel
from gaps.freshness.signals import EVIDENCE
from kb.errors import InvalidInputError


def make_examples(followed: float, age: float) -> list[Example]:
    """Two intervals, one with three times the changes; weights as told."""
    generator = np.random.default_rng(3)
    found = []
    for group, level in (("short", -2.5), ("long", -0.5)):
        for _ in range(600):
            values = dict.fromkeys(EVIDENCE, 0.0)
            values["followed"] = float(generator.random() < 0.3)
            values["age"] = float(generator.random() < 0.3)
            odds = level + followed * values["followed"] + age * values["age"]
            found.append(Example(values, generator.random() < 1 / (1 + np.exp(-odds)), group))
    return found


def test_weights_are_found_and_what_would_speak_for_truth_gets_none() -> None:
    model = fit_model(make_examples(2.0, -1.0), share=0.05)
    assert set(model.weights) == {"followed"}
    # One sighting is worth about the two log odds it was made with.
    assert model.weights["followed"] / model.scales["followed"] == pytest.approx(2.0, abs=0.4)
    assert model.intercept == pytest.approx(np.log(0.05 / 0.95), abs=1e-4)


def test_the_order_of_examples_does_not_matter() -> None:
    examples = make_examples(2.0, 0.5)
    one, two = fit_model(examples, share=0.05), fit_model(examples[::-1], share=0.05)
    assert one.weights == pytest.approx(two.weights, abs=1e-3)
    assert FreshnessModel.from_json(one.to_json()) == one


def test_too_few_changes_are_refused() -> None:
    few = [Example(dict.fromkeys(EVIDENCE, 0.0), n < 3, "a") for n in range(100)]
    with pytest.raises(InvalidInputError, match="20 versions"):
        fit_model(few, share=0.05)


def test_a_quarters_share_of_longer_and_shorter_intervals() -> None:
    assert quarter_share([(0.19, 180.0)]) == pytest.approx(0.1)
    assert quarter_share([(0.1, 90.0), (0.19, 180.0)]) == pytest.approx(0.1)
    assert quarter_share([(1.0, 90.0)]) < 1.0
