"""Blocks of a matrix find what comparing every two rows finds."""

from __future__ import annotations

import numpy as np
import pytest

from kb import neighbours
from kb.neighbours import find_near, keep_mutual


@pytest.fixture
def rows() -> tuple[neighbours.Vectors, neighbours.Places]:
    random = np.random.default_rng(4)
    vectors = random.normal(size=(60, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, np.sort(random.integers(0, 9, 60))


@pytest.mark.parametrize("block", [1, 7, 512])
def test_blocks_find_the_same_pairs_as_every_two_rows(
    rows: tuple[neighbours.Vectors, neighbours.Places], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", block)
    vectors, owners = rows
    related = np.full((9, 9), 0.7, np.float32)
    related[2, :] = related[:, 2] = 0.9
    related[3, :] = related[:, 3] = -1.0
    left, right, cosines = find_near(vectors, owners, related, ((0.85, 0.2), (0.6, 0.5)))
    wanted = set()
    for i in range(60):
        for j in range(i + 1, 60):
            cosine, near = float(vectors[i] @ vectors[j]), related[owners[i], owners[j]]
            if owners[i] != owners[j] and near >= 0.6 and cosine >= (0.2 if near > 0.8 else 0.5):
                wanted.add((i, j))
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == wanted
    assert np.allclose(cosines, np.einsum("ij,ij->i", vectors[left], vectors[right]), atol=1e-5)


def test_only_each_others_nearest_in_a_document_stay() -> None:
    owners = np.asarray([0, 0, 1, 1, 2])
    near = (
        np.asarray([0, 0, 1, 0]),
        np.asarray([2, 3, 2, 4]),
        np.asarray([0.9, 0.8, 0.95, 0.7], np.float32),
    )
    left, right, _ = keep_mutual(near, owners)
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [(1, 2), (0, 4)]


def test_nothing_is_near_nothing() -> None:
    none = np.zeros((0, 5), np.float32), np.zeros(0, np.int64)
    assert len(find_near(*none, np.zeros((0, 0), np.float32), ((0.0, 0.5),))[0]) == 0
