from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.gaps.map_layout import Circle, Spot, lay_out

SIZES = ((1040.0, 600.0), (320.0, 520.0))


def scatter(count: int, seed: int = 1) -> list[Spot]:
    draw = np.random.default_rng(seed)
    return [
        Spot(f"t{n:02}", float(draw.integers(1, 400)), (float(draw.random()), float(draw.random())))
        for n in range(count)
    ]


def worst_overlap(circles: list[Circle]) -> float:
    return max(
        (
            a.radius + b.radius - math.dist((a.x, a.y), (b.x, b.y))
            for n, a in enumerate(circles)
            for b in circles[:n]
        ),
        default=-math.inf,
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_circles_lie_inside_and_apart(size: tuple[float, float], count: int) -> None:
    circles = lay_out(scatter(count), *size)
    assert len(circles) == count
    for circle in circles:
        assert circle.radius <= circle.x <= size[0] - circle.radius
        assert circle.radius <= circle.y <= size[1] - circle.radius
    assert worst_overlap(circles) <= 1.0


def test_eighty_circles_fit_a_desk() -> None:
    assert worst_overlap(lay_out(scatter(80), *SIZES[0])) <= 1.0


@given(st.permutations(scatter(9)))
def test_the_same_map_whatever_the_order(spots: list[Spot]) -> None:
    assert lay_out(spots, *SIZES[0]) == lay_out(scatter(9), *SIZES[0])


def test_twice_the_tickets_are_twice_the_area() -> None:
    spots = [
        Spot(f"t{n}", 400.0 if n == 0 else 200.0, (n / 30, (n * 7 % 30) / 30)) for n in range(30)
    ]
    circles = {c.key: c for c in lay_out(spots, *SIZES[0])}
    assert circles["t0"].radius / circles["t1"].radius == pytest.approx(math.sqrt(2), abs=0.02)


def test_neighbours_stay_neighbours() -> None:
    spots = [
        Spot("left", 9, (0.1, 0.5)), Spot("by", 9, (0.15, 0.52)), Spot("right", 9, (0.9, 0.5)),
        Spot("top", 9, (0.5, 0.0)), Spot("end", 9, (0.5, 1.0)),
    ]  # fmt: skip
    at = {c.key: (c.x, c.y) for c in lay_out(spots, *SIZES[0])}
    nearest = min((key for key in at if key != "left"), key=lambda k: math.dist(at["left"], at[k]))
    assert nearest == "by"
    assert at["left"][0] < at["top"][0] < at["right"][0]


@pytest.mark.parametrize("place", [None, (0.5, 0.5), (0.0, 0.0)])
def test_no_place_or_one_place_for_all_still_lies_apart(place: tuple[float, float] | None) -> None:
    circles = lay_out([Spot(f"t{n}", 5.0, place) for n in range(12)], *SIZES[1])
    assert worst_overlap(circles) <= 1.0


def test_nothing_and_no_tickets_do_no_harm() -> None:
    assert lay_out([], *SIZES[0]) == []
    assert len(lay_out([Spot("a", 0.0, None), Spot("b", -3.0, (9.0, -9.0))], *SIZES[0])) == 2
