"""Two other ways to find missing topics, on the product's own vectors: thresholds, and Leiden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaps.discovery.communities import find_communities
from gaps.grouping.neighbours import neighbour_graph

UNCOVERED, LINKED = 0.75, 0.82
"""FreeITSM's: best article below, two tickets above (cosine)."""
FEWEST = 3
RESOLUTIONS = (1.0, 2.4, 5.7, 8.7, 13.5, 20.8, 32.0)
Matrix = NDArray[np.float32]


def link_uncovered(matrix: Matrix, best_cosines: Sequence[float]) -> list[list[int]]:
    """FreeITSM's rule: tickets no article is near to, joined by single linkage; places, largest
    first."""
    places = np.nonzero(np.asarray(best_cosines) < UNCOVERED)[0]
    parent = list(range(len(places)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    near = matrix[places] @ matrix[places].T >= LINKED
    for left, right in zip(*np.nonzero(np.triu(near, 1)), strict=True):
        parent[root(int(right))] = root(int(left))
    return _groups([root(place) for place in range(len(places))], places.tolist())


def find_by_question(matrix: Matrix, resolution: float, seed: int) -> list[list[int]]:
    """Leiden on the questions' nearest neighbours alone; places, largest first."""
    graph = neighbour_graph(matrix, np.arange(len(matrix)), len(matrix))
    labels = find_communities(graph, resolution, seed=seed)
    return _groups(labels.tolist(), list(range(len(matrix))))


def _groups(labels: Sequence[int], places: Sequence[int]) -> list[list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for label, place in zip(labels, places, strict=True):
        found[label].append(place)
    return sorted(
        (group for group in found.values() if len(group) >= FEWEST), key=lambda g: (-len(g), g[0])
    )
