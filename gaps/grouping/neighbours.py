"""Which tickets lie next to which, by what was asked and by what solved it; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from gaps.grouping.likeness import unit_rows
from kb.ports import Vectors

Edges = NDArray[np.int_]

COMPONENTS = 64
NEIGHBOURS = 15
"""PCA 64 and 15 neighbours: design/algorithms.md §1, where they chose their own number of topics at
69% accuracy on BANKING77 and 77% on CLINC150."""
BLOCK = 1_000


def joint_graph(questions: Vectors, answers: Vectors) -> tuple[Edges, Vectors]:
    """Edges between neighbours by question and between neighbours by answer, weights added.

    What two people ask alike may be solved by two articles, and what they ask differently by one:
    on real tickets (bench/README.md) either alone finds fewer of the articles that were hidden.

    Args:
        questions: float32 (rows, dimensions), rows of length 1.
        answers: As many rows; a row of zeros where nothing is known to have solved it.

    Returns:
        Pairs (left < right), ascending, and their weights.
    """
    known = np.nonzero(np.any(answers != 0, axis=1))[0]
    found: dict[tuple[int, int], float] = {}
    for places, matrix in ((np.arange(len(questions)), questions), (known, answers[known])):
        edges, weights = neighbour_graph(reduce_dimensions(matrix))
        for (left, right), weight in zip(places[edges].tolist(), weights.tolist(), strict=True):
            found[(left, right)] = found.get((left, right), 0.0) + weight
    return _in_order(found)


def reduce_dimensions(matrix: Vectors) -> Vectors:
    if len(matrix) <= 2 * COMPONENTS or matrix.shape[1] <= COMPONENTS:
        return matrix
    reduced = PCA(COMPONENTS, svd_solver="covariance_eigh").fit_transform(matrix)
    return unit_rows(np.asarray(reduced, np.float32))


def neighbour_graph(matrix: Vectors) -> tuple[Edges, Vectors]:
    """Edges (left < right) between each row and its nearest ones, with their cosine."""
    count = len(matrix)
    depth = min(NEIGHBOURS, max(2, count // 4), count - 1)
    found: dict[tuple[int, int], float] = {}
    for start in range(0, count, BLOCK):
        near = matrix[start : start + BLOCK] @ matrix.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -np.inf
        # Rounding first: whether two cosines differ in the last bit depends on the blocks.
        near = np.round(near, 5)
        places = np.argsort(-near, axis=1, kind="stable")[:, : max(0, depth)]
        for row, columns in enumerate(places.tolist(), start=start):
            for column in columns:
                similarity = float(near[row - start, column])
                if similarity > 0:
                    found[(min(row, column), max(row, column))] = similarity
    return _in_order(found)


def _in_order(found: dict[tuple[int, int], float]) -> tuple[Edges, Vectors]:
    edges = sorted(found)
    return (
        np.asarray(edges, int).reshape(-1, 2),
        np.asarray([found[edge] for edge in edges], np.float32),
    )
