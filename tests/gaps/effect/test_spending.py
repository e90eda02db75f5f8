from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from gaps.effect.spending import find_boundaries, information, repeated_p_value, spend_late


def test_boundaries_are_the_published_ones() -> None:
    # Lan & DeMets' O'Brien–Fleming kind, five equal looks, 0.025 one-sided.
    found = find_boundaries((0.2, 0.4, 0.6, 0.8, 1.0), 0.025, spend_late)
    assert found == pytest.approx((4.8769, 3.3569, 2.6803, 2.2898, 2.0310), abs=2e-3)


def test_one_look_is_the_plain_test() -> None:
    assert find_boundaries((1.0,), 0.05)[0] == pytest.approx(norm.isf(0.05), abs=1e-5)


def test_all_looks_together_err_no_more_than_allowed() -> None:
    shares = information(22, range(4, 13))
    bounds = np.array(find_boundaries(shares, 0.05))
    rng = np.random.default_rng(3)
    steps = np.sqrt(np.diff((0.0, *shares)))
    paths = np.cumsum(rng.standard_normal((40_000, len(shares))) * steps, axis=1) / np.sqrt(shares)
    ever = (paths >= bounds).any(axis=1).mean()
    assert ever == pytest.approx(0.05, abs=0.004)
    assert (paths >= norm.isf(0.05)).any(axis=1).mean() > 0.09


def test_information_by_hand() -> None:
    # 12·4/16 = 3 and 12·12/24 = 6.
    assert information(12, [4, 12]) == pytest.approx((0.5, 1.0))


def test_the_repeated_p_value_is_where_a_look_just_crosses() -> None:
    shares = (0.4, 0.7, 1.0)
    bounds = find_boundaries(shares, 0.03)
    assert repeated_p_value([0.0, bounds[1]], shares) == pytest.approx(0.03, rel=0.01)
    # A later, weaker look takes nothing back.
    assert repeated_p_value([0.0, bounds[1], -1.0], shares) == pytest.approx(0.03, rel=0.01)
    assert repeated_p_value([], shares) == 1.0
    assert repeated_p_value([-3.0, -3.0, -3.0], shares) == 1.0
    assert repeated_p_value([9.0], shares) == pytest.approx(1e-6)
