"""Vectors to a graph of nearest neighbours; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array
from sklearn.decomposition import PCA

from gaps.discovery.rows import unit_rows
from kb.ports import Vectors

COMPONENTS = 96
"""64, 96 and 128, with cosines and squared cosines, were compared on training parts only: BANKING77
(3,080 texts; ACC 65.8, 67.2, 66.3 and 65.0, 67.3, 66.0) and CLINC150 (4,500 texts, 64 and 96: 74.4,
75.1 and 75.3, 78.5)."""
BLOCK = 1_000
STEPS = 100_000
"""Of a cosine: rows closer than 1e-5 are told apart by their place, because the last bits of a
product depend on how the blocks were cut."""


def reduce_dimensions(matrix: Vectors, components: int = COMPONENTS) -> Vectors:
    """The first principal components, rows scaled to length 1 again.

    Too few rows for components to mean anything are returned as they are.
    """
    if len(matrix) <= 2 * components or matrix.shape[1] <= components:
        return matrix
    reduced = PCA(components, svd_solver="covariance_eigh").fit_transform(matrix)
    return unit_rows(np.asarray(reduced, np.float32))


def nearest_rows(matrix: Vectors, depth: int) -> tuple[NDArray[np.intp], Vectors]:
    """Each row's nearest other rows, exactly.

    Args:
        matrix: float32 (rows, dimensions), rows of length 1.
        depth: At most; fewer where there are fewer other rows.

    Returns:
        Rows and cosines, both (rows, depth), nearest first; ties by row.
    """
    count = len(matrix)
    depth = min(depth, count - 1)
    places = np.empty((count, depth), np.intp)
    cosines = np.empty((count, depth), np.float32)
    for start in range(0, count, BLOCK):
        near = matrix[start : start + BLOCK] @ matrix.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -2.0
        # One whole number orders by cosine, then by row.
        keys = np.rint(near * -STEPS).astype(np.int64) * count + np.arange(count)
        found = np.argpartition(keys, depth - 1, axis=1)[:, :depth]
        order = np.argsort(np.take_along_axis(keys, found, axis=1), axis=1)
        found = np.take_along_axis(found, order, axis=1)
        places[start : start + BLOCK] = found
        cosines[start : start + BLOCK] = np.take_along_axis(near, found, axis=1)
    return places, cosines


def cosine_graph(places: NDArray[np.intp], cosines: Vectors) -> csr_array:
    """Symmetric: a row is joined with its nearest and with those it is nearest to.

    Weights are squared cosines.
    """
    directed = _directed(places, np.maximum(np.round(cosines, 5), 1e-3) ** 2)
    graph = directed.maximum(directed.T).tocsr()
    graph.sort_indices()
    return graph


def shared_graph(places: NDArray[np.intp]) -> csr_array:
    """As the cosine graph, weighted by the share of nearest rows that two rows have in common.

    A row counts among its own nearest.

    Jarvis and Patrick, "Clustering using a similarity measure based on shared near neighbors"
    (IEEE Transactions on Computers, 1973).
    """
    directed = _directed(places, np.ones(places.shape, np.float32))
    joined = directed.maximum(directed.T)
    own = directed + eye_array(len(places))
    graph = (own @ own.T).multiply(joined).tocsr() / max(places.shape[1], 1)
    # A pair that shares nobody is still joined, if hardly.
    graph = (graph + joined * 1e-3).tocsr()
    graph.sort_indices()
    return graph


def _directed(places: NDArray[np.intp], weights: Vectors) -> csr_array:
    count, depth = places.shape
    starts = np.arange(count + 1) * depth
    return csr_array((weights.ravel().astype(float), places.ravel(), starts), shape=(count, count))
