from __future__ import annotations

import numpy as np
import pytest

from gaps.discovery import graph
from gaps.discovery.graph import cosine_graph, nearest_rows, reduce_dimensions, shared_graph
from gaps.discovery.rows import read_rows
from tests.gaps.discovery.factories import make_blobs


def test_nearest_rows_are_those_of_a_full_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "BLOCK", 17)
    _, matrix = make_blobs([40, 30], noise=20)
    places, cosines = nearest_rows(matrix, 6)
    full = matrix @ matrix.T
    np.fill_diagonal(full, -2)
    assert np.array_equal(places, np.argsort(-full, axis=1, kind="stable")[:, :6])
    assert np.allclose(cosines, np.take_along_axis(full, places, axis=1), atol=1e-5)


def test_ties_go_to_the_earlier_row() -> None:
    matrix = np.tile(np.eye(1, 3, dtype=np.float32), (5, 1))
    places, _ = nearest_rows(matrix, 2)
    assert places.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_fewer_rows_than_asked_give_all_of_them() -> None:
    places, cosines = nearest_rows(np.eye(3, dtype=np.float32), 15)
    assert places.shape == cosines.shape == (3, 2)


def test_the_graph_of_cosines_is_symmetric_with_squared_weights() -> None:
    matrix = np.asarray([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found = cosine_graph(*nearest_rows(matrix, 1)).toarray()
    assert np.allclose(found, [[0, 0.64, 0], [0.64, 0, 0.36], [0, 0.36, 0]], atol=1e-4)


def test_shared_neighbours_count_the_row_itself() -> None:
    # Two pairs of mutual neighbours: both share both rows, 2 of depth 1.
    found = shared_graph(np.asarray([[1], [0], [3], [2]])).toarray()
    assert found[0, 1] == pytest.approx(2.001)
    assert found[0, 2] == 0
    assert np.array_equal(found, found.T)


def test_components_keep_who_is_near_whom() -> None:
    generator = np.random.default_rng(1)
    plane = generator.normal(size=(400, 3)) @ generator.normal(size=(3, 200))
    matrix = (plane / np.linalg.norm(plane, axis=1, keepdims=True)).astype(np.float32)
    reduced = reduce_dimensions(matrix)
    assert reduced.shape == (400, graph.COMPONENTS)
    assert np.allclose(np.linalg.norm(reduced, axis=1), 1.0, atol=1e-5)
    few = matrix[:100]
    assert reduce_dimensions(few) is few


def test_rows_that_are_not_finite_are_read_as_zero() -> None:
    matrix = np.eye(3, dtype=np.float16)
    matrix[1, 2] = np.inf
    read = read_rows(matrix, np.asarray([2, 1]))
    assert read.dtype == np.float32
    assert read.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert np.isinf(matrix[1, 2])
