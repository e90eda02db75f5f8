"""The learned ranking's arithmetic: places that are kept, weights, precedents, the gate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.learning.precedents import Precedent, Precedents
from kb.learning.ranker import FEATURES, START, Ranker, keep_places
from kb.training.fitting import Example, fit_ranker
from kb.training.gate import FEWEST_IN_SLICE, Compared, judge

KEYS = [f"d{number}" for number in range(12)]
ORDERS = st.permutations(KEYS)


@given(ORDERS, ORDERS, st.integers(0, len(KEYS)), st.sets(st.sampled_from(KEYS)))
def test_no_protected_document_falls_behind_its_unlearned_place(
    learned: list[str], unlearned: list[str], ranked: int, protected: set[str]
) -> None:
    unlearned = unlearned[:ranked]
    order = keep_places(learned, unlearned, protected)
    assert sorted(order) == sorted(learned)
    for place, key in enumerate(unlearned):
        if key in protected:
            assert order.index(key) <= place
    free = [key for key in learned if key not in protected]
    assert [key for key in order if key in free] == free


@given(ORDERS, ORDERS)
def test_where_nothing_is_protected_the_learned_order_stands(
    learned: list[str], unlearned: list[str]
) -> None:
    assert keep_places(learned, unlearned, set()) == learned
    assert keep_places(learned, unlearned, set(KEYS)) == unlearned


def make_example(ref: str, *, requester: str = "", solved: str = "b", at: int = 3) -> Example:
    """Two documents; the solution is ahead in the feature at `at`, behind in the first."""
    matrix = np.zeros((2, len(FEATURES)), np.float32)
    matrix[0, 0] = 1.0
    matrix[1, at] = 0.5
    return Example(
        ref, requester or ref, ("a", "b"), matrix, frozenset({solved}),
        frozenset({"a", "b"}), frozenset({"b"}),
    )  # fmt: skip


def test_without_examples_the_fit_is_the_start() -> None:
    assert fit_ranker([], caution=1.0).weights == START
    untaught = make_example("x", solved="never shown")
    assert fit_ranker([untaught] * 9, caution=1.0).weights == START


def test_a_requesters_many_questions_weigh_as_one() -> None:
    others = [make_example(f"o{n}", solved="a") for n in range(10)]
    one = fit_ranker([*others, make_example("m", requester="m")], caution=1.0)
    many = fit_ranker(
        [*others, *(make_example(f"m{n}", requester="m") for n in range(500))], caution=1.0
    )
    assert many.weights == pytest.approx(one.weights, abs=1e-3)


@given(st.permutations(range(8)))
def test_the_order_of_examples_does_not_matter(order: list[int]) -> None:
    examples = [make_example(f"e{n}", at=3 + n % 4) for n in range(8)]
    assert fit_ranker([examples[n] for n in order], caution=1.0).weights == pytest.approx(
        fit_ranker(examples, caution=1.0).weights, abs=2e-3
    )


def test_weights_are_named_and_come_back_from_json() -> None:
    ranker = Ranker(tuple(float(n) for n in range(len(FEATURES))))
    assert Ranker.from_json(ranker.to_json()) == ranker
    with pytest.raises(KeyError):
        Ranker.from_json({"semantic": 1.0})


def test_a_question_is_learned_from_without_its_requesters_own_answers() -> None:
    vectors = np.eye(3, dtype=np.float32)
    found = Precedents(
        [Precedent("t1", "ann", ("x",)), Precedent("t2", "ann", ("x",)), Precedent("t3", "bob", ("x",))],
        vectors,
    )  # fmt: skip
    assert "x" in found.read(vectors[0])
    alone = found.read(vectors[0], leave_out="t1")["x"]
    assert (alone.votes, alone.second_nearest, alone.prior) == (0.0, 0.0, 0.0)
    assert alone.centre <= 0.0
    assert found.read(vectors[0], leave_out="unknown") == found.read(vectors[0])
    assert Precedents([], np.zeros((0, 1), np.float32)).read(vectors[0]) == {}


def compared(
    count: int, unlearned: float, learned: float, *slices: str, who: str = ""
) -> list[Compared]:
    return [
        Compared(who or f"{slices}{unlearned}{n}", frozenset(slices), unlearned, learned)
        for n in range(count)
    ]


def test_the_gate_lets_through_what_is_better() -> None:
    report = judge(compared(40, 0.5, 0.6, "source help"))
    assert report["refused"] is None
    assert report["difference"] == pytest.approx(0.1)


def test_the_gate_refuses_what_is_worse_and_says_why() -> None:
    assert "answered worse, by 0.100" in judge(compared(40, 0.6, 0.5))["refused"]
    mixed = compared(20, 0.5, 1.0) + compared(19, 1.0, 0.52)
    assert "it may be worse by" in judge(mixed)["refused"]


@pytest.mark.parametrize("name", ["source help", "without history", "frozen questions"])
def test_the_gate_refuses_for_one_slice(name: str) -> None:
    better = compared(60, 0.5, 0.7, "source rules")
    worse = compared(FEWEST_IN_SLICE, 0.8, 0.77, name)
    refused = judge([*better, *worse])["refused"]
    assert refused == f"{name}: worse by 0.030 on {FEWEST_IN_SLICE} questions"
    assert judge([*better, *worse[1:]])["refused"] is None, "too few to decide"


def test_one_requester_neither_opens_nor_shuts_the_gate() -> None:
    honest = compared(40, 0.5, 0.52)
    assert judge([*honest, *compared(500, 1.0, 0.9, "source help", who="m")])["refused"] is None
    worse = compared(40, 0.6, 0.5)
    assert judge([*worse, *compared(500, 0.0, 1.0, who="m")])["refused"] is not None
