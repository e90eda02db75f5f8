from __future__ import annotations

import math

import pytest
from scipy.stats import t

from gaps.effect.difference import adjust_p_values, fit_difference, share_difference
from kb.errors import InvalidInputError

EVEN = [(100, 100), (50, 50), (200, 200), (80, 80)]


def test_a_halving_beside_steady_controls_by_hand() -> None:
    found = fit_difference((100, 50), EVEN, (1000, 1000))
    # Steady controls: the rate ratio is the topic's own, its variance 1/100 + 1/50 + 2/430.
    assert found.ratio == pytest.approx(0.5)
    assert found.dispersion == 1.0
    assert found.freedom == 3
    error = math.sqrt(1 / 100 + 1 / 50 + 2 / 430)
    reach = t.ppf(0.975, 3) * error
    assert found.low == pytest.approx(0.5 * math.exp(-reach))
    assert found.high == pytest.approx(0.5 * math.exp(reach))
    assert found.z_score < -2


def test_what_all_topics_do_is_nobodys_effect() -> None:
    halved = [(before, after // 2) for before, after in EVEN]
    assert fit_difference((100, 50), halved, (1000, 500)).ratio == pytest.approx(1.0)
    assert fit_difference((100, 100), halved, (1000, 500)).ratio == pytest.approx(2.0)


def test_the_dispersion_is_pearsons_over_the_controls_by_hand() -> None:
    controls = [(100, 140), (100, 60), (100, 100)]
    found = fit_difference((100, 100), controls, (1000, 1000))
    # Each control is expected to split evenly: (120, 120), (80, 80), (100, 100); two degrees.
    pearson = 4 * 0 + 2 * 20**2 / 120 + 2 * 20**2 / 80
    assert found.freedom == 2
    assert found.dispersion == pytest.approx(pearson / 2)


@pytest.mark.parametrize("topic", [(40, 0), (0, 40), (0, 0)])
def test_a_zero_has_a_finite_ratio(topic: tuple[int, int]) -> None:
    found = fit_difference(topic, EVEN, (1000, 1000))
    assert math.isfinite(found.ratio) and 0 < found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx((topic[1] + 0.5) / (topic[0] + 0.5))


def test_the_order_of_controls_changes_nothing() -> None:
    controls = [(100, 140), (30, 60), (70, 50), (200, 180)]
    forth, back = (fit_difference((90, 40), c, (900, 800)) for c in (controls, controls[::-1]))
    assert forth.ratio == pytest.approx(back.ratio)
    assert forth.z_score == pytest.approx(back.z_score)


@pytest.mark.parametrize(
    ("controls", "totals"),
    [([], (10, 10)), ([(5, 5)], (10, 10)), ([(5, 0), (5, 0)], (10, 10)), (EVEN, (10, 0))],
)
def test_too_little_to_compare_with_is_refused(
    controls: list[tuple[int, int]], totals: tuple[int, int]
) -> None:
    with pytest.raises(InvalidInputError):
        fit_difference((5, 5), controls, totals)


def test_benjamini_hochberg_by_hand() -> None:
    # 4 values: 0.01·4/1, 0.02·4/2, 0.04·4/3 and 0.5, each no larger than the next.
    assert adjust_p_values([0.5, 0.01, 0.04, 0.02]) == pytest.approx([0.5, 0.04, 0.16 / 3, 0.04])
    assert adjust_p_values([]) == []


def test_newcombes_interval_as_published() -> None:
    # Newcombe 1998, table II, example (a): 56/70 against 48/80 gives 0.0524 to 0.3339.
    found = share_difference((48, 80), (56, 70))
    assert found == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert share_difference((0, 0), (1, 2)) is None
