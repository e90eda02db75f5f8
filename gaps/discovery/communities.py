"""A neighbour graph to communities at two levels; pure, and the only user of graspologic_native.

Fine: Leiden over several resolutions, and the partition of the highest asymptotic surprise, which
so chooses its own number of topics. Coarse: Leiden at one resolution.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import graspologic_native
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Labels = NDArray[np.int32]

RESOLUTIONS = (1.0, 1.5, 2.4, 3.7, 5.7, 8.7, 13.5, 20.8, 32.0)
COARSE_RESOLUTION = 2.0
"""On the graph of shared neighbours. Chosen on NatCS insurance, the only set with coarse labels
here: ACC 56 at 1.4, 57 at 1.7, 58 at 2.0; on the graph of cosines 48, 53 and 55."""
ROUNDS = 3
"""Leiden cycles, each from the result of the one before."""
COARSE_TRIALS = 8


def find_fine(graph: csr_array, *, seed: int) -> Labels:
    """The partition of the highest asymptotic surprise over nine resolutions.

    Args:
        graph: Symmetric, (rows, rows), weights positive.
        seed: Of the community search.

    Returns:
        (rows,) A community number a row; a row without an edge is a community of its own.
    """
    if not graph.nnz:
        return np.arange(graph.shape[0], dtype=np.int32)

    def partition(resolution: float) -> Labels:
        return find_communities(graph, resolution, seed=seed)

    # Leiden lets the interpreter go while it works.
    with ThreadPoolExecutor(min(len(RESOLUTIONS), os.cpu_count() or 1)) as threads:
        found = list(threads.map(partition, RESOLUTIONS))
    surprises = [asymptotic_surprise(labels, graph) for labels in found]
    return found[int(np.argmax(surprises))]


def find_coarse(graph: csr_array, *, seed: int) -> Labels:
    """The best of several partitions at one low resolution."""
    return find_communities(graph, COARSE_RESOLUTION, seed=seed, trials=COARSE_TRIALS)


def find_communities(graph: csr_array, resolution: float, *, seed: int, trials: int = 1) -> Labels:
    """Leiden communities of the highest modularity at a resolution.

    Traag, Waltman and van Eck, "From Louvain to Leiden" (Scientific Reports 9, 2019).
    """
    count = graph.shape[0]
    if not graph.nnz:
        return np.arange(count, dtype=np.int32)
    _, communities = graspologic_native.leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data.astype(np.float64),
        count,
        resolution=resolution,
        iterations=ROUNDS,
        seed=seed,
        trials=trials,
    )
    unused = max(communities.values(), default=-1) + 1
    labels = [communities.get(row, unused + row) for row in range(count)]
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int32)


def asymptotic_surprise(labels: Labels, graph: csr_array) -> float:
    """m times KL(q || <q>) of the share of edge weight inside communities.

    Traag, Aldecoa and Delvenne, "Detecting communities using asymptotical surprise" (Physical
    Review E 92, 2015): q is the share found, <q> the share of all pairs that are inside, m the
    weight of all edges.
    """
    count = len(labels)
    sizes = np.bincount(labels).astype(float)
    expected = float((sizes * (sizes - 1)).sum()) / (count * (count - 1))
    edges = graph.tocoo()
    total = float(edges.data.sum())
    observed = float(edges.data[labels[edges.row] == labels[edges.col]].sum()) / total
    if observed <= expected:
        return 0.0
    # Both directions of an edge are stored.
    return total / 2 * _divergence(observed, expected)


def _divergence(observed: float, expected: float) -> float:
    total = 0.0
    for p, q in ((observed, expected), (1 - observed, 1 - expected)):
        if p > 0:
            total += p * float(np.log(p / max(q, 1e-12)))
    return total
