"""Which known topic a ticket belongs to, and whether to any; pure, a matrix product by blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaps.discovery.rows import read_rows, unit_rows
from kb.ports import Vectors

Labels = NDArray[np.int32]

UNASSIGNED = -1
LOWEST_MEMBERS = 0.05
"""Share of a topic's own members that its threshold would turn away."""
SMOOTHING = 10
"""A topic's threshold is its own quantile as if ten more members lay at all topics' quantile."""
BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Profiles:
    """What decides membership of a topic."""

    centroids: Vectors
    """float32 (topics, dimensions), unit rows."""
    thresholds: Vectors
    """float32 (topics,): least cosine with the centroid."""
    cohesions: Vectors
    """float32 (topics,): mean cosine of the members with the centroid."""

    def select(self, topics: NDArray[np.intp]) -> Profiles:
        return Profiles(self.centroids[topics], self.thresholds[topics], self.cohesions[topics])

    def join(self, other: Profiles) -> Profiles:
        return Profiles(
            np.concatenate([self.centroids, other.centroids]),
            np.concatenate([self.thresholds, other.thresholds]),
            np.concatenate([self.cohesions, other.cohesions]),
        )


def measure_topics(matrix: Vectors, labels: Labels, count: int) -> Profiles:
    """Profiles of topics 0 to count - 1 from their members.

    Args:
        matrix: float32 (rows, dimensions), rows of length 1.
        labels: (rows,) topic of each row. Every topic has a member.
        count: Of topics.
    """
    sums = np.zeros((count, matrix.shape[1]), np.float32)
    np.add.at(sums, labels, matrix)
    centroids = unit_rows(sums)
    own = np.einsum("ij,ij->i", matrix, centroids[labels])
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))
    by_topic = np.split(own[order], starts[1:]) if count else []
    cohesions = np.asarray([values.mean() for values in by_topic], np.float32)
    # How far members fall below their topic's mean, over all topics: small ones borrow it.
    differences = [values - mean for values, mean in zip(by_topic, cohesions, strict=True)]
    everywhere = np.concatenate(differences or [np.zeros(0, np.float32)])
    usual = float(np.quantile(everywhere, LOWEST_MEMBERS)) if len(everywhere) else 0.0
    drops = [
        (len(values) * (float(np.quantile(values, LOWEST_MEMBERS)) - mean) + SMOOTHING * usual)
        / (len(values) + SMOOTHING)
        for values, mean in zip(by_topic, cohesions.tolist(), strict=True)
    ]
    return Profiles(centroids, cohesions + np.asarray(drops, np.float32), cohesions)


def assign(
    vectors: Vectors,
    centroids: Vectors,
    thresholds: Vectors,
    rows: NDArray[np.intp] | None = None,
) -> tuple[Labels, Vectors]:
    """The nearest topic of each ticket, where it is near enough.

    Args:
        vectors: float (tickets, dimensions), rows of length 1; may be float16 or memory-mapped.
        centroids: float32 (topics, dimensions), unit rows.
        thresholds: float32 (topics,): least cosine of a member.
        rows: Only these tickets; all unless given.

    Returns:
        Topic (-1: none) and cosine with the nearest centroid, a row each, in the order of `rows`.
        Ties go to the lower topic.
    """
    count = len(vectors) if rows is None else len(rows)
    labels = np.full(count, UNASSIGNED, np.int32)
    cosines = np.zeros(count, np.float32)
    if not len(centroids):
        return labels, cosines
    turned = np.ascontiguousarray(np.asarray(centroids, np.float32).T)
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        alike = read_rows(vectors, part if rows is None else rows[part]) @ turned
        nearest = alike.argmax(axis=1)
        own = alike[np.arange(len(alike)), nearest]
        near = (own >= thresholds[nearest]) & (own > 0)
        labels[part], cosines[part] = np.where(near, nearest, UNASSIGNED), own
    return labels, cosines
