"""Measures against numbers worked by hand or written out naively."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.metrics import (
    auroc,
    bootstrap_interval,
    expected_calibration_error,
    ndcg,
    recall,
    reciprocal_rank,
)


def test_ndcg_of_a_worked_example() -> None:
    # Gains 3, 2, 3, 0, 1, 2 at places 1..6; the ideal order is 3, 3, 2, 2, 1 (linear gains).
    grades = {"a": 3.0, "b": 2.0, "c": 3.0, "e": 1.0, "f": 2.0}
    gained = 3 / 1 + 2 / math.log2(3) + 3 / 2 + 0 + 1 / math.log2(6) + 2 / math.log2(7)
    ideal = 3 / 1 + 3 / math.log2(3) + 2 / 2 + 2 / math.log2(5) + 1 / math.log2(6)
    assert ndcg(list("abcdef"), grades) == pytest.approx(gained / ideal)
    assert ndcg(list("abcdef"), grades) == pytest.approx(0.96081, abs=5e-6)


def test_ndcg_at_its_ends() -> None:
    assert ndcg(["a", "b"], {"a": 2.0, "b": 1.0}) == 1.0
    assert ndcg(["x", "y"], {"a": 2.0}) == 0.0
    assert ndcg([], {"a": 2.0}) == 0.0
    assert ndcg(["a"], {}) == 0.0
    assert ndcg(["x"] * 10 + ["a"], {"a": 1.0}) == 0.0


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0.1, 5), min_size=1))
def test_the_ideal_order_scores_one_and_no_order_more(grades: dict[str, float]) -> None:
    ideal = sorted(grades, key=lambda key: -grades[key])
    assert ndcg(ideal, grades) == pytest.approx(1.0)
    assert ndcg(ideal[::-1], grades) <= 1.0 + 1e-9


def test_recall_and_reciprocal_rank() -> None:
    assert recall(["a", "x", "b", "c"], ["a", "b", "c", "d"], 3) == 0.5
    assert recall(["a"], [], 3) == 0.0
    assert recall(["a", "a"], ["a", "b"], 2) == 0.5
    assert reciprocal_rank(["x", "y", "a", "b"], ["a", "b"]) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x"], ["a"]) == 0.0


def test_auroc_of_a_worked_example() -> None:
    # Of 2 x 3 pairs: .9 beats all three; .4 beats .1, ties .4, loses to .6: 4.5 of 6.
    assert auroc([0.9, 0.4, 0.1, 0.4, 0.6], [True, True, False, False, False]) == pytest.approx(
        0.75
    )
    assert auroc([0.5, 0.4], [True, True]) is None
    assert auroc([], []) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    good = [score for score, label in pairs if label]
    bad = [score for score, label in pairs if not label]
    found = auroc([float(score) for score, _ in pairs], [label for _, label in pairs])
    if not good or not bad:
        assert found is None
    else:
        won = sum(1.0 if g > b else 0.5 if g == b else 0.0 for g in good for b in bad)
        assert found == pytest.approx(won / (len(good) * len(bad)))


def test_calibration_error_of_a_worked_example() -> None:
    # Bin .2-.3: stated .2 and .28, seen 1 of 2: gap .26; bin .9-1: stated 1.0, seen 1: gap 0.
    stated, seen = [0.2, 0.28, 1.0], [True, False, True]
    assert expected_calibration_error(stated, seen) == pytest.approx(2 / 3 * (0.5 - 0.24))
    assert expected_calibration_error([], []) == 0.0
    assert expected_calibration_error([0.0, 1.0], [True, False]) == 1.0


def test_the_interval_holds_the_mean_narrows_with_more_values_and_repeats() -> None:
    generator = np.random.default_rng(4)
    few, many = generator.random(20).tolist(), generator.random(2_000).tolist()
    narrow, wide = bootstrap_interval(many), bootstrap_interval(few)
    assert narrow is not None and wide is not None
    assert narrow[0] <= np.mean(many) <= narrow[1]
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 4
    assert bootstrap_interval(few) == wide
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([0.5]) == (0.5, 0.5)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        found = bootstrap_interval(generator.random(40).tolist(), draws=300)
        assert found is not None
        covered += found[0] <= 0.5 <= found[1]
    assert 180 <= covered <= 199
