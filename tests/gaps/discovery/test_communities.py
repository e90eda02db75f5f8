from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from gaps.discovery.communities import asymptotic_surprise, find_coarse, find_communities, find_fine
from gaps.discovery.search import choose_parents, count_neighbours

TRIANGLES = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]


def make_graph(edges: list[tuple[int, int]], count: int) -> csr_array:
    dense = np.zeros((count, count))
    for left, right in edges:
        dense[left, right] = dense[right, left] = 1.0
    return csr_array(dense)


def test_surprise_of_a_hand_worked_partition() -> None:
    # Two triangles joined by an edge: 6 of 7 edges inside, 6 of 15 pairs inside.
    graph, labels = make_graph(TRIANGLES, 6), np.asarray([0, 0, 0, 1, 1, 1], np.int32)
    q, expected = 6 / 7, 6 / 15
    wanted = 7 * (q * np.log(q / expected) + (1 - q) * np.log((1 - q) / (1 - expected)))
    assert asymptotic_surprise(labels, graph) == pytest.approx(wanted)
    assert asymptotic_surprise(np.zeros(6, np.int32), graph) == 0.0


def test_two_triangles_are_two_communities_at_both_levels() -> None:
    graph = make_graph(TRIANGLES, 6)
    for labels in (find_fine(graph, seed=1), find_coarse(graph, seed=1)):
        assert len(set(labels[:3].tolist())) == len(set(labels[3:].tolist())) == 1
        assert labels[0] != labels[3]


def test_a_row_without_an_edge_is_a_community_of_its_own() -> None:
    labels = find_communities(make_graph(TRIANGLES, 8), 1.0, seed=1)
    assert sorted(np.bincount(labels).tolist()) == [1, 1, 3, 3]
    assert sorted(find_fine(make_graph([], 3), seed=1).tolist()) == [0, 1, 2]


def test_a_parent_is_where_most_rows_are() -> None:
    fine = np.asarray([0, 0, 0, 1, 1, 2], np.int32)
    coarse = np.asarray([1, 1, 0, 1, 0, 0], np.int32)
    assert choose_parents(fine, coarse).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("count", "wanted"), [(2, 1), (20, 5), (100, 15), (4_500, 15), (10_000, 22)]
)
def test_larger_samples_get_more_neighbours(count: int, wanted: int) -> None:
    assert count_neighbours(count) == wanted
