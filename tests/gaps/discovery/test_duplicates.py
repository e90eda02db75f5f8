from __future__ import annotations

import numpy as np
import pytest

from gaps.discovery import duplicates
from gaps.discovery.duplicates import find_copies, find_leaders, find_near_leaders, thin
from kb.ports import Vectors
from tests.gaps.discovery.factories import DIMENSIONS, make_blobs


def unit(matrix: Vectors) -> Vectors:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def test_a_copy_follows_the_first_of_its_text() -> None:
    assert find_copies(["a", "b", "a", "c", "b", "a"]).tolist() == [0, 1, 0, 3, 1, 0]


def test_equal_texts_and_near_vectors_join_in_one_chain() -> None:
    turn = np.radians(10)  # cosine .985 between neighbours, .94 between the ends
    matrix = np.asarray(
        [[np.cos(a), np.sin(a)] for a in (0, turn, 2 * turn, np.pi / 2)], np.float32
    )
    leaders = find_leaders(["a", "b", "c", "d"], matrix, np.arange(4))
    assert leaders.tolist() == [0, 0, 0, 3]
    assert find_leaders(["a", "b", "c", "b"], matrix, np.arange(4)).tolist() == [0, 0, 0, 0]


def test_rows_are_read_where_the_positions_say() -> None:
    matrix = np.eye(4, dtype=np.float32)[[0, 1, 0, 2]]
    assert find_near_leaders(matrix, np.asarray([1, 0, 2])).tolist() == [0, 1, 1]


def test_signatures_find_nearly_all_near_copies_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, matrix = make_blobs([60] * 20, spread=0.8)
    generator = np.random.default_rng(9)
    noise = generator.normal(size=matrix.shape) / np.sqrt(DIMENSIONS)
    both = unit(np.concatenate([matrix, matrix + 0.12 * noise]))
    exact = find_near_leaders(both, np.arange(len(both)))
    assert (exact[len(ids) :] == np.arange(len(ids))).mean() > 0.99
    monkeypatch.setattr(duplicates, "PAIRED", 100)
    found = find_near_leaders(both, np.arange(len(both)))
    assert (found[len(ids) :] == np.arange(len(ids))).mean() > 0.8
    assert not ((found != np.arange(len(both))) & (found != exact)).any()


def test_a_flood_of_near_copies_is_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "PAIRED", 100)
    generator = np.random.default_rng(4)
    flood = np.eye(1, DIMENSIONS) + 0.01 * generator.normal(size=(2_000, DIMENSIONS))
    leaders = find_near_leaders(unit(flood), np.arange(2_000))
    assert (leaders == 0).mean() > 0.99


def test_no_row_has_no_leader() -> None:
    nothing = np.zeros((0, DIMENSIONS), np.float32)
    assert find_leaders([], nothing, np.zeros(0, np.intp)).tolist() == []


def test_thinning_keeps_a_few_of_a_crowd_and_all_that_stand_apart() -> None:
    matrix = np.eye(30, dtype=np.float32)[[0] * 20 + list(range(1, 11))]
    kept = thin(matrix, likeness=0.8, crowd=3, most=100)
    assert kept.tolist() == [0, 1, 2, *range(20, 30)]
    assert thin(matrix, likeness=0.8, crowd=3, most=5).tolist() == [0, 1, 2, 20, 21]


def test_thinning_counts_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, matrix = make_blobs([100, 50], spread=0.4)
    whole = thin(matrix, likeness=0.8, crowd=4, most=1_000)
    monkeypatch.setattr(duplicates, "THINNED", 7)
    assert thin(matrix, likeness=0.8, crowd=4, most=1_000).tolist() == whole.tolist()
    assert 8 <= len(whole) < len(ids) / 2
