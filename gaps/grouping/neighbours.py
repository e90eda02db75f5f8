"""Which tickets lie next to which, by what was asked and by what solved it; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from gaps.discovery.graph import nearest_rows, reduce_dimensions
from kb.ports import Vectors

COMPONENTS = 64
NEIGHBOURS = 15
"""PCA 64 and 15 neighbours: design/algorithms.md §1, where they chose their own number of topics at
69% accuracy on BANKING77 and 77% on CLINC150."""


def joint_graph(questions: Vectors, answers: Vectors) -> csr_array:
    """Neighbours by question and neighbours by answer, weights added.

    What two people ask alike may be solved by two articles, and what they ask differently by one:
    on real tickets (bench/README.md) either alone finds fewer of the articles that were hidden.

    Args:
        questions: float32 (rows, dimensions), rows of length 1.
        answers: As many rows; a row of zeros where nothing is known to have solved it.

    Returns:
        Symmetric, (rows, rows), weights positive.
    """
    count = len(questions)
    known = np.nonzero(np.any(answers != 0, axis=1))[0]
    by_question = neighbour_graph(questions, np.arange(count), count)
    graph = (by_question + neighbour_graph(answers[known], known, count)).tocsr()
    graph.sort_indices()
    return graph


def neighbour_graph(matrix: Vectors, places: NDArray[np.intp], count: int) -> csr_array:
    """Each row joined with its nearest ones and with those it is nearest to, by their cosine.

    Args:
        matrix: float32 (some, dimensions), rows of length 1.
        places: (some,) Which of all rows these are.
        count: Rows in all.

    Returns:
        Symmetric, (count, count), weights positive.
    """
    if len(matrix) < 2:
        return csr_array((count, count), dtype=float)
    depth = min(NEIGHBOURS, max(2, len(matrix) // 4))
    near, cosines = nearest_rows(reduce_dimensions(matrix, COMPONENTS), depth)
    rows = np.repeat(places, near.shape[1])
    columns, weights = places[near.ravel()], np.round(cosines.ravel(), 5).astype(float)
    alike = weights > 0
    joined = (weights[alike], (rows[alike], columns[alike]))
    directed = coo_array(joined, shape=(count, count)).tocsr()
    graph: csr_array = directed.maximum(directed.T).tocsr()
    return graph
