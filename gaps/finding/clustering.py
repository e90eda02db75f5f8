"""Vectors to groups of tickets about one thing; pure, and the only user of graspologic_native.

PCA, cosine nearest neighbours, Leiden over several resolutions, the partition of the highest
asymptotic surprise, then everything that does not hold together is let go: most tickets are a
long tail and belong to no topic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import graspologic_native
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from gaps.finding.likeness import (
    Background,
    likeness_ratios,
    mean_similarities,
    measure_background,
    unit_rows,
)
from kb.ports import Vectors

Places = NDArray[np.intp]

COMPONENTS = 64
NEIGHBOURS = 15
RESOLUTIONS = (1.0, 1.5, 2.4, 3.7, 5.7, 8.7, 13.5, 20.8, 32.0)
"""PCA 64, 15 neighbours, nine resolutions from 1 to 32: design/algorithms.md §1, where this chose
its own number of topics at 69% accuracy on BANKING77 and 77% on CLINC150."""
NEAR_DUPLICATE = 0.97
"""Cosine from which two texts count as one: duplicates shatter a neighbour graph."""
SAMPLE = 10_000
"""Surprise splits too finely beyond about 10,000 points, so more are assigned afterwards."""
FEWEST_REQUESTERS = 3
"""One person asking five times is a conversation, not a topic."""
OWN_SHARE = 0.5
ONE_TOPIC_RATIO = 0.9
"""Two planted topics of the made-up company reach at most 0.8, halves of one topic about 1."""
BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """What of a ticket decides its group."""

    ticket_id: str
    requester: str
    text_hash: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Tickets that hold together."""

    ticket_ids: tuple[str, ...]
    """By closeness to the centroid, the most central first; ties by id."""
    centroid: Vectors
    """Unit vector."""
    cohesion: float
    """Mean cosine of the members with the centroid."""


def cluster_points(
    points: Sequence[Point],
    vectors: Vectors,
    *,
    background: Background | None = None,
    seed: int = 20_261_121,
) -> list[Cluster]:
    """Group points; those that fit nowhere are in no cluster.

    The result depends on the points and the seed, never on their order.

    Args:
        points: Ids unique.
        vectors: float32 (len(points), dimensions), rows of length 1.
        background: Of the corpus the points are from; their own unless given, which a single
            topic that makes up most of them would hide.
        seed: Of the community search.

    Returns:
        Clusters with at least three distinct requesters, largest first; ties by first id.
    """
    order = sorted(range(len(points)), key=lambda place: points[place].ticket_id)
    points = [points[place] for place in order]
    if len(points) < FEWEST_REQUESTERS:
        return []
    matrix = np.ascontiguousarray(np.asarray(vectors, np.float32)[order])
    sample = _sample(points, seed)
    leaders = _merge_duplicates([points[place] for place in sample], matrix[sample])
    unique = sorted(set(leaders.tolist()))
    labels_of = dict(zip(unique, _partition(matrix[sample][unique], seed), strict=True))
    labels = np.full(len(points), -1)
    labels[sample] = [labels_of[leader] for leader in leaders.tolist()]
    _assign_rest(matrix, labels)
    found = _form_clusters(points, matrix, labels, background or measure_background(matrix))
    return sorted(found, key=lambda c: (-len(c.ticket_ids), min(c.ticket_ids)))


def _sample(points: Sequence[Point], seed: int) -> Places:
    """Places of at most SAMPLE points, chosen by their ids alone."""
    if len(points) <= SAMPLE:
        return np.arange(len(points))
    drawn = sorted(
        range(len(points)),
        key=lambda p: hashlib.sha256(f"{seed}:{points[p].ticket_id}".encode()).digest(),
    )
    return np.asarray(sorted(drawn[:SAMPLE]))


def _merge_duplicates(points: Sequence[Point], matrix: Vectors) -> Places:
    """Each point's leader: the first point with the same text or nearly the same vector."""
    leader = np.arange(len(points))
    seen: dict[str, int] = {}
    for place, point in enumerate(points):
        leader[place] = seen.setdefault(point.text_hash, place)
    for start in range(0, len(points), BLOCK):
        near = matrix[start : start + BLOCK] @ matrix.T >= NEAR_DUPLICATE
        for row, column in zip(*np.nonzero(near), strict=True):
            left, right = leader[start + row], leader[column]
            if left != right:
                leader[leader == max(left, right)] = min(left, right)
    return leader


def _partition(matrix: Vectors, seed: int) -> list[int]:
    """A community number for every row."""
    count = len(matrix)
    if count < FEWEST_REQUESTERS:
        return [0] * count
    edges, weights = _neighbour_graph(_reduce(matrix))
    if not len(edges):
        return list(range(count))
    named = [
        (str(left), str(right), float(weight))
        for (left, right), weight in zip(edges.tolist(), weights.tolist(), strict=True)
    ]
    best: tuple[float, list[int]] = (-1.0, list(range(count)))
    for resolution in RESOLUTIONS:
        _, communities = graspologic_native.leiden(
            named, resolution=resolution, iterations=3, seed=seed
        )
        labels = _complete(communities, count)
        surprise = asymptotic_surprise(np.asarray(labels), edges, weights)
        if surprise > best[0]:
            best = (surprise, labels)
    return best[1]


def _complete(communities: dict[str, int], count: int) -> list[int]:
    """Labels by row; a row without an edge is a community of its own."""
    unused = max(communities.values(), default=-1) + 1
    return [communities.get(str(place), unused + place) for place in range(count)]


def asymptotic_surprise(
    labels: NDArray[np.int_], edges: NDArray[np.int_], weights: Vectors
) -> float:
    """m times KL(q || <q>) of the share of edge weight inside communities.

    Traag, Aldecoa and Delvenne, "Detecting communities using asymptotical surprise" (Physical
    Review E 92, 2015): q is the share found, <q> the share of all pairs that are inside.
    """
    count = len(labels)
    sizes = np.bincount(np.unique(labels, return_inverse=True)[1])
    expected = float((sizes * (sizes - 1)).sum()) / (count * (count - 1))
    inside = labels[edges[:, 0]] == labels[edges[:, 1]]
    observed = float(weights[inside].sum() / weights.sum())
    if observed <= expected:
        return 0.0
    return float(weights.sum()) * _divergence(observed, expected)


def _divergence(observed: float, expected: float) -> float:
    total = 0.0
    for p, q in ((observed, expected), (1 - observed, 1 - expected)):
        if p > 0:
            total += p * float(np.log(p / max(q, 1e-12)))
    return total


def _reduce(matrix: Vectors) -> Vectors:
    if len(matrix) <= 2 * COMPONENTS or matrix.shape[1] <= COMPONENTS:
        return matrix
    reduced = PCA(COMPONENTS, svd_solver="covariance_eigh").fit_transform(matrix)
    return unit_rows(np.asarray(reduced, np.float32))


def _neighbour_graph(matrix: Vectors) -> tuple[NDArray[np.int_], Vectors]:
    """Edges (left < right) between each row and its nearest ones, with their cosine."""
    count = len(matrix)
    depth = min(NEIGHBOURS, max(2, count // 4), count - 1)
    found: dict[tuple[int, int], float] = {}
    for start in range(0, count, BLOCK):
        near = matrix[start : start + BLOCK] @ matrix.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -np.inf
        # Rounding first: whether two cosines differ in the last bit depends on the blocks.
        near = np.round(near, 5)
        places = np.argsort(-near, axis=1, kind="stable")[:, :depth]
        for row, columns in enumerate(places.tolist(), start=start):
            for column in columns:
                similarity = float(near[row - start, column])
                if similarity > 0:
                    found[(min(row, column), max(row, column))] = similarity
    edges = sorted(found)
    return (
        np.asarray(edges, int).reshape(-1, 2),
        np.asarray([found[edge] for edge in edges], np.float32),
    )


def _assign_rest(matrix: Vectors, labels: NDArray[np.int_]) -> None:
    """Give points outside the sample the nearest centroid's label, in place."""
    rest = np.nonzero(labels < 0)[0]
    if not len(rest):
        return
    known = np.unique(labels[labels >= 0])
    centroids = np.stack([unit_rows(matrix[labels == label].mean(axis=0)) for label in known])
    for start in range(0, len(rest), BLOCK):
        places = rest[start : start + BLOCK]
        labels[places] = known[np.argmax(matrix[places] @ centroids.T, axis=1)]


def _form_clusters(
    points: Sequence[Point],
    matrix: Vectors,
    labels: NDArray[np.int_],
    background: Background,
) -> list[Cluster]:
    groups = [
        _trim(matrix, np.nonzero(labels == label)[0], background.member)
        for label in np.unique(labels)
    ]
    found = []
    for places in _join_split([group for group in groups if len(group)], matrix):
        if len({points[place].requester for place in places}) < FEWEST_REQUESTERS:
            continue
        if mean_similarities(matrix[places]).mean() < background.cluster:
            continue
        found.append(form_cluster([points[p].ticket_id for p in places], matrix[places]))
    return found


def _join_split(groups: list[Places], matrix: Vectors) -> list[Places]:
    """Join groups whose members are as alike across as within: one topic that was cut.

    The partition always cuts, even what is one topic only; the most alike pair is joined first.
    """
    sums = [matrix[group].sum(axis=0) for group in groups]
    while len(groups) > 1:
        alike = likeness_ratios(sums, [len(group) for group in groups])
        left, right = np.unravel_index(int(np.argmax(alike)), alike.shape)
        if alike[left, right] < ONE_TOPIC_RATIO:
            break
        keep, drop = int(min(left, right)), int(max(left, right))
        groups[keep] = np.sort(np.concatenate([groups[keep], groups.pop(drop)]))
        sums[keep] = sums[keep] + sums.pop(drop)
    return groups


def form_cluster(ticket_ids: Sequence[str], matrix: Vectors) -> Cluster:
    """A cluster of exactly these tickets."""
    centroid = unit_rows(matrix.mean(axis=0))
    closeness = np.round(matrix @ centroid, 5)
    order = sorted(range(len(ticket_ids)), key=lambda p: (-closeness[p], ticket_ids[p]))
    return Cluster(tuple(ticket_ids[p] for p in order), centroid, float(closeness.mean()))


def _trim(matrix: Vectors, places: Places, least: float) -> Places:
    """Drop the worst member until every one is near enough to the others.

    Near enough is the corpus' threshold, and half of what the median member reaches.
    """
    while len(places) >= FEWEST_REQUESTERS:
        similarities = mean_similarities(matrix[places])
        worst = int(np.argmin(np.round(similarities, 5)))
        if similarities[worst] >= max(least, OWN_SHARE * float(np.median(similarities))):
            break
        places = np.delete(places, worst)
    return places
