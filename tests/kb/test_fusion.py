"""The fused ranking depends on the scores alone: not on order, names, scale or absent rankings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.fusion import FUSION_WEIGHTS, fuse_rankings, rank_scores, scale_min_max

SCORES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(-40, 40).map(lambda n: n / 4), max_size=8
)
RANKINGS = st.fixed_dictionaries(dict.fromkeys(FUSION_WEIGHTS, SCORES))


@given(RANKINGS, st.randoms(use_true_random=False))
def test_neither_the_order_of_rankings_nor_of_their_entries_matters(
    rankings: dict[str, dict[str, float]], shuffler: random.Random
) -> None:
    mixed = {}
    for name in shuffler.sample(sorted(rankings), len(rankings)):
        entries = sorted(rankings[name].items())
        shuffler.shuffle(entries)
        mixed[name] = dict(entries)
    assert fuse_rankings(mixed, FUSION_WEIGHTS) == fuse_rankings(rankings, FUSION_WEIGHTS)


@given(RANKINGS)
def test_scores_lie_between_nought_and_one_and_fall(rankings: dict[str, dict[str, float]]) -> None:
    fused = fuse_rankings(rankings, FUSION_WEIGHTS)
    scores = [f.score for f in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


@given(RANKINGS)
def test_every_document_of_any_ranking_comes_once(rankings: dict[str, dict[str, float]]) -> None:
    fused = fuse_rankings(rankings, FUSION_WEIGHTS)
    assert sorted(f.key for f in fused) == sorted(set().union(*rankings.values()))


@given(RANKINGS)
def test_the_parts_add_up_to_the_score_and_the_ranks_to_the_rankings(
    rankings: dict[str, dict[str, float]],
) -> None:
    for fused in fuse_rankings(rankings, FUSION_WEIGHTS):
        assert sum(fused.parts.values()) == pytest.approx(fused.score)
        held = {name for name, scores in rankings.items() if fused.key in scores}
        assert set(fused.ranks) == set(fused.parts) == held


@given(RANKINGS, st.integers(-5, 5), st.integers(1, 9))
def test_scale_and_offset_of_a_ranking_do_not_matter(
    rankings: dict[str, dict[str, float]], offset: int, factor: int
) -> None:
    moved = dict(rankings)
    moved["lexical"] = {k: v * factor + offset for k, v in rankings["lexical"].items()}
    before = fuse_rankings(rankings, FUSION_WEIGHTS)
    after = fuse_rankings(moved, FUSION_WEIGHTS)
    assert {f.key: pytest.approx(f.score) for f in before} == {f.key: f.score for f in after}


def test_the_weights_of_absent_rankings_are_shared_out_among_the_others() -> None:
    rankings = {"semantic": {"a": 0.9, "b": 0.1}, "lexical": {}, "title": {"b": 0.5, "c": 0.4}}
    fused = {f.key: f for f in fuse_rankings(rankings, FUSION_WEIGHTS)}
    assert fused["a"].score == pytest.approx(0.5 / 0.7)
    assert fused["b"].score == pytest.approx(0.2 / 0.7)
    assert fused["c"].score == 0.0
    assert fuse_rankings({"lexical": {"a": 3.0, "b": 2.0}}, FUSION_WEIGHTS)[0].score == 1.0


def test_hand_worked_fusion() -> None:
    rankings = {
        "semantic": {"a": 0.8, "b": 0.6, "c": 0.4},
        "lexical": {"b": 12.0, "c": 4.0},
        "title": {"a": 0.2, "c": 1.0},
    }
    fused = fuse_rankings(rankings, {"semantic": 0.5, "lexical": 0.3, "title": 0.2})
    assert [(f.key, round(f.score, 6)) for f in fused] == [("b", 0.55), ("a", 0.5), ("c", 0.2)]
    assert fused[0].ranks == {"semantic": 2, "lexical": 1}
    assert fused[0].parts == {"semantic": pytest.approx(0.25), "lexical": pytest.approx(0.3)}


def test_ties_go_by_key_and_equal_scores_count_in_full() -> None:
    fused = fuse_rankings({"semantic": {"b": 0.5, "a": 0.5}}, {"semantic": 1.0})
    assert [(f.key, f.score) for f in fused] == [("a", 1.0), ("b", 1.0)]
    assert rank_scores({"b": 1.0, "a": 1.0, "c": 2.0}) == {"c": 1, "a": 2, "b": 3}
    assert scale_min_max({"a": 3.0, "b": 1.0, "c": 2.0}) == {"a": 1.0, "b": 0.0, "c": 0.5}


def test_a_ranking_without_a_weight_and_no_ranking_at_all_give_nothing() -> None:
    assert fuse_rankings({"gossip": {"a": 1.0}}, FUSION_WEIGHTS) == []
    assert fuse_rankings({}, FUSION_WEIGHTS) == []
