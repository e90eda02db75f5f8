"""Vectors to groups of tickets about one thing; pure.

Neighbours by question and by answer, communities among them, then everything that does not hold
together is let go: most tickets are a long tail and belong to no topic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaps.discovery.rows import unit_rows
from gaps.grouping.communities import find_voted
from gaps.grouping.likeness import (
    Background,
    likeness_ratios,
    mean_similarities,
    measure_background,
)
from gaps.grouping.neighbours import joint_graph
from kb.ports import Vectors

Places = NDArray[np.intp]

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
SEED = 20_261_121


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


@dataclass(frozen=True, slots=True)
class _Space:
    """How alike the points are, in what was asked and in what solved it."""

    asked: Vectors
    solved: Vectors
    known: NDArray[np.bool_]
    """Rows with an answer."""
    usual: Background
    usual_solved: Background

    def holds_together(self, places: Places) -> bool:
        """Whether the members ask, or were answered, more alike than anything of the corpus."""
        answered = places[self.known[places]]
        if mean_similarities(self.asked[places]).mean() >= self.usual.cluster:
            return True
        enough = len(answered) >= max(FEWEST_REQUESTERS, OWN_SHARE * len(places))
        likeness = mean_similarities(self.solved[answered]).mean() if enough else 0.0
        return bool(likeness >= self.usual_solved.cluster and enough)

    def trim(self, places: Places) -> Places:
        """Drop the worst member until every one is near enough to the others.

        Near enough, by question or by answer, is the corpus' threshold, and half of what the
        median member reaches.
        """
        while len(places) >= FEWEST_REQUESTERS:
            standing = _standing(self.asked[places], self.usual)
            answered = self.known[places]
            if answered.sum() >= FEWEST_REQUESTERS:
                by_answer = _standing(self.solved[places[answered]], self.usual_solved)
                standing[answered] = np.maximum(standing[answered], by_answer)
            worst = int(np.argmin(np.round(standing, 5)))
            if standing[worst] >= 1.0:
                break
            places = np.delete(places, worst)
        return places

    def join_split(self, groups: list[Places]) -> list[Places]:
        """Join groups whose members are as alike across as within: one topic that was cut.

        The partition always cuts, even what is one topic only; the most alike pair is joined
        first. Alike means by question and, where both groups were answered, by answer. What
        every two tickets of the corpus have in common does not count as likeness.
        """
        asked = _Sums([self.asked[group] for group in groups])
        solved = _Sums([self.solved[group[self.known[group]]] for group in groups])
        while len(groups) > 1:
            by_answer = solved.ratios(self.usual_solved.middle)
            few = np.asarray(solved.counts) < FEWEST_REQUESTERS
            by_answer[few, :] = by_answer[:, few] = np.inf
            alike = np.minimum(asked.ratios(self.usual.middle), by_answer)
            left, right = np.unravel_index(int(np.argmax(alike)), alike.shape)
            if alike[left, right] < ONE_TOPIC_RATIO:
                break
            keep, drop = int(min(left, right)), int(max(left, right))
            groups[keep] = np.sort(np.concatenate([groups[keep], groups.pop(drop)]))
            asked.join(keep, drop)
            solved.join(keep, drop)
        return groups


class _Sums:
    """Sums of groups of rows, which are enough to tell how alike the groups are."""

    def __init__(self, groups: Sequence[Vectors]) -> None:
        self._sums = [group.sum(axis=0) for group in groups]
        self.counts = [len(group) for group in groups]

    def ratios(self, usual: float) -> Vectors:
        return likeness_ratios(self._sums, self.counts, usual)

    def join(self, keep: int, drop: int) -> None:
        self._sums[keep] = self._sums[keep] + self._sums.pop(drop)
        self.counts[keep] += self.counts.pop(drop)


def _standing(matrix: Vectors, usual: Background) -> Vectors:
    """Each row's mean cosine with the others over the least that a member needs."""
    similarities = mean_similarities(matrix)
    return similarities / max(usual.member, OWN_SHARE * float(np.median(similarities)), 1e-6)


def cluster_points(
    points: Sequence[Point],
    vectors: Vectors,
    *,
    answers: Vectors | None = None,
    background: Background | None = None,
    answer_background: Background | None = None,
    seed: int = SEED,
) -> list[Cluster]:
    """Group points; those that fit nowhere are in no cluster.

    The result depends on the points and the seed, never on their order.

    Args:
        points: Ids unique.
        vectors: float32 (len(points), dimensions), rows of length 1, of what was asked.
        answers: The same of what solved it, rows of zeros where that is not known.
        background: Of the corpus the points are from; their own unless given, which a single
            topic that makes up most of them would hide.
        answer_background: The same of the answers.
        seed: Of the community search.

    Returns:
        Clusters with at least three distinct requesters, largest first; ties by first id.
    """
    order = sorted(range(len(points)), key=lambda place: points[place].ticket_id)
    points = [points[place] for place in order]
    if len(points) < FEWEST_REQUESTERS:
        return []
    asked = np.ascontiguousarray(np.asarray(vectors, np.float32)[order])
    solved = np.zeros_like(asked) if answers is None else np.asarray(answers, np.float32)[order]
    known = np.any(solved != 0, axis=1)
    space = _Space(
        asked,
        solved,
        known,
        background or measure_background(asked),
        answer_background or measure_background(solved[known]),
    )
    sample = _sample(points, seed)
    leaders = _merge_duplicates([points[place] for place in sample], asked[sample])
    unique = sorted(set(leaders.tolist()))
    graph = joint_graph(asked[sample][unique], solved[sample][unique])
    communities = find_voted(graph, seed=seed)
    labels = communities[np.searchsorted(unique, leaders)]
    communities_found = [sample[labels == label] for label in np.unique(labels)]
    whole = [group for group in communities_found if len(group) >= FEWEST_REQUESTERS]
    groups = space.join_split(
        [left for group in whole if len(left := space.trim(group)) >= FEWEST_REQUESTERS]
    )
    # Beside what was not sampled, splinters: too small to be a group or to be compared with one.
    rest = np.setdiff1d(np.arange(len(points)), np.concatenate([*whole, sample[:0]]))
    if len(rest) and groups:
        groups = [space.trim(group) for group in _assign_rest(asked, groups, rest)]
    found = _form_clusters(points, space, groups)
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


def _assign_rest(matrix: Vectors, groups: Sequence[Places], rest: Places) -> list[Places]:
    """The groups with the points outside the sample, each in the group it is nearest to."""
    centroids = np.stack([unit_rows(matrix[group].mean(axis=0)) for group in groups])
    nearest = np.concatenate([
        np.argmax(matrix[rest[start : start + BLOCK]] @ centroids.T, axis=1)
        for start in range(0, len(rest), BLOCK)
    ])  # fmt: skip
    return [
        np.sort(np.concatenate([group, rest[nearest == number]]))
        for number, group in enumerate(groups)
    ]


def _form_clusters(
    points: Sequence[Point], space: _Space, groups: Sequence[Places]
) -> list[Cluster]:
    found = []
    for places in groups:
        if len({points[place].requester for place in places}) < FEWEST_REQUESTERS:
            continue
        if space.holds_together(places):
            members = [points[place].ticket_id for place in places]
            found.append(form_cluster(members, space.asked[places]))
    return found


def form_cluster(ticket_ids: Sequence[str], matrix: Vectors) -> Cluster:
    """A cluster of exactly these tickets."""
    centroid = unit_rows(matrix.mean(axis=0))
    closeness = np.round(matrix @ centroid, 5)
    order = sorted(range(len(ticket_ids)), key=lambda p: (-closeness[p], ticket_ids[p]))
    return Cluster(tuple(ticket_ids[p] for p in order), centroid, float(closeness.mean()))
