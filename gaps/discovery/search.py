"""Topics in a sample of distinct texts, small enough to compare each with each; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaps.discovery.assigning import Profiles, measure_topics
from gaps.discovery.communities import find_coarse, find_fine
from gaps.discovery.graph import cosine_graph, nearest_rows, reduce_dimensions, shared_graph
from kb.ports import Vectors

Labels = NDArray[np.int32]

FINE_NEIGHBOURS = 15
FINE_SAMPLE = 4_500
"""Fifteen neighbours up to so many rows, then growing with the root of their number: with a fixed
depth surprise cuts large samples ever finer (10,000 texts of BANKING77's training part: 191 topics
for 77 and ACC 49 with 15 neighbours, 119 and 62 with 23; of CLINC150's: 166 for 150 and 82, 132 and
79). With a depth in proportion to the sample many small topics would be lost instead."""


@dataclass(frozen=True, slots=True)
class Found:
    """Topics of a sample."""

    labels: Labels
    """(rows,) Fine topic of each row of the sample."""
    parents: Labels
    """(topics,) Coarse topic of each fine one."""
    profiles: Profiles


def find_topics(matrix: Vectors, *, seed: int) -> Found:
    """Fine and coarse topics of a sample.

    Args:
        matrix: float32 (rows, dimensions), rows of length 1, no two nearly equal.
        seed: Of the community search.
    """
    if len(matrix) < 2:
        labels = np.zeros(len(matrix), np.int32)
        return Found(labels, labels.copy(), measure_topics(matrix, labels, len(matrix)))
    places, cosines = nearest_rows(reduce_dimensions(matrix), count_neighbours(len(matrix)))
    labels = find_fine(cosine_graph(places, cosines), seed=seed)
    coarse = find_coarse(shared_graph(places), seed=seed)
    parents = choose_parents(labels, coarse)
    return Found(labels, parents, measure_topics(matrix, labels, len(parents)))


def count_neighbours(count: int) -> int:
    """How many nearest rows a row is joined with in a sample of `count`."""
    wanted = round(FINE_NEIGHBOURS * math.sqrt(max(1.0, count / FINE_SAMPLE)))
    return min(wanted, max(2, count // 4), count - 1)


def choose_parents(fine: Labels, coarse: Labels) -> Labels:
    """The coarse topic most rows of each fine topic are in; ties to the lower number."""
    shared = np.zeros((int(fine.max()) + 1, int(coarse.max()) + 1), np.int64)
    np.add.at(shared, (fine, coarse), 1)
    return np.asarray(shared.argmax(axis=1), np.int32)
