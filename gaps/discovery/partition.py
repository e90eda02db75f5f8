"""Tickets' vectors to topics at two levels; pure.

Copies are set aside, topics are found in a sample of distinct texts, everything else joins the
nearest topic that is near enough, and what is left is looked through once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaps.discovery.assigning import UNASSIGNED, Profiles, assign
from gaps.discovery.duplicates import Places, find_leaders, thin
from gaps.discovery.rows import read_rows
from gaps.discovery.search import find_topics
from kb.errors import InvalidInputError
from kb.ports import Vectors

Labels = NDArray[np.int32]

SEED = 20_261_121
SAMPLE = 10_000
"""Topics are found in at most so many distinct texts."""
DRAWN = 2
"""Times as many are drawn, because of texts that are alike only one is kept."""
ALIKE = 0.80
"""Cosine from which a text adds little to a sample: frequent topics would fill it."""
CROWD = 3
"""Alike texts that are kept; one alone would lose topics whose texts are all alike.

Compared on training parts with samples of 3,000 to 5,000: against no thinning NMI rose by .4 to 1.6
and ARI by 3 to 6 points; keeping one lost 9 points of ACC on BANKING77."""
FEWEST_TICKETS = 3
"""Fewer tickets are no topic."""
REPRESENTATIVES = 5
LEAST_LEFT = 100
"""Fewer unassigned texts are not looked through again."""
LOOSEST = 0.1
"""A topic of the second look must be tighter than the loosest tenth of the first one's."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Topics of some tickets. Topic 0 is the largest; ties by the smallest ticket id."""

    labels: Labels
    """(tickets,) Fine topic of each ticket, -1 where it belongs to none."""
    parents: Labels
    """(topics,) Coarse topic of each fine one, counted from 0."""
    centroids: Vectors
    """float32 (topics, dimensions), unit rows."""
    thresholds: Vectors
    """float32 (topics,): least cosine with the centroid for a ticket to be assigned later."""
    cohesions: Vectors
    """float32 (topics,): mean cosine of a topic's distinct texts with its centroid."""
    representatives: tuple[tuple[str, ...], ...]
    """Ids of up to five distinct tickets of each topic, the most central first; ties by id."""
    leaders: Places
    """(tickets,) The ticket, by place, whose text each ticket's repeats; its own where none."""

    @property
    def coarse(self) -> Labels:
        """(tickets,) Coarse topic of each ticket, -1 where it belongs to none."""
        if not len(self.parents):
            return self.labels
        return np.where(self.labels >= 0, self.parents[self.labels], UNASSIGNED).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Distinct texts, ordered by the smallest id of the tickets that have them."""

    vectors: Vectors
    """Of all tickets."""
    tickets: Places
    """(texts,) Place of each text's ticket."""
    hashes: Sequence[str]

    def read(self, places: Places) -> Vectors:
        return read_rows(self.vectors, self.tickets[places])


@dataclass(frozen=True, slots=True)
class _Topics:
    """Topics of texts, in no particular order."""

    labels: Labels
    """(texts,)"""
    parents: Labels
    profiles: Profiles
    central: list[Places]
    """Of each topic, texts of the sample it was found in, the most central first."""


def discover(
    text_hashes: Sequence[str],
    vectors: Vectors,
    ids: Sequence[str],
    *,
    seed: int = SEED,
) -> Partition:
    """Find topics.

    The result depends on the tickets and the seed, never on the tickets' order.

    Args:
        text_hashes: One a ticket; equal means the same text.
        vectors: float32 or float16 (tickets, dimensions), rows of length 1; may be memory-mapped.
            A row that is zero or not finite belongs to no topic.
        ids: Of the tickets, distinct.
        seed: Of the sample and of the community search.

    Raises:
        InvalidInputError: The lengths differ, or an id occurs twice.
    """
    order = _order(text_hashes, vectors, ids)
    hashes = [text_hashes[place] for place in order.tolist()]
    leaders = find_leaders(hashes, vectors, order)
    distinct = np.nonzero(leaders == np.arange(len(order)))[0]
    texts = _Texts(vectors, order[distinct], [hashes[place] for place in distinct.tolist()])
    topics = _find_all(texts, seed)
    labels = np.full(len(order), UNASSIGNED, np.int32)
    labels[distinct] = topics.labels
    names = [ids[place] for place in texts.tickets.tolist()]
    return _describe(topics, labels[leaders], names, order, leaders)


def _order(text_hashes: Sequence[str], vectors: Vectors, ids: Sequence[str]) -> Places:
    """Tickets' places by id."""
    if not len(text_hashes) == len(vectors) == len(ids):
        raise InvalidInputError(
            f"{len(text_hashes)} text hashes, {len(vectors)} vectors, {len(ids)} ids"
        )
    order = sorted(range(len(ids)), key=ids.__getitem__)
    for before, after in pairwise(order):
        if ids[before] == ids[after]:
            raise InvalidInputError("id occurs twice", where=f"ticket {ids[after]!r}")
    return np.asarray(order, np.intp)


def _find_all(texts: _Texts, seed: int) -> _Topics:
    """Topics of a sample; the rest assigned; what is left looked through once more."""
    every = np.arange(len(texts.tickets))
    topics = _look_through(texts, every, seed)
    left = np.nonzero(topics.labels == UNASSIGNED)[0]
    if len(every) <= SAMPLE or len(left) < LEAST_LEFT:
        return topics
    found = _look_through(texts, left, seed)
    tight = found.profiles.cohesions >= np.quantile(topics.profiles.cohesions, LOOSEST)
    return _add(topics, _select(found, np.nonzero(tight)[0]))


def _look_through(texts: _Texts, among: Places, seed: int) -> _Topics:
    """Topics of a sample of some texts, and which of these texts are near enough to one."""
    sample = _draw(texts, among, seed)
    matrix = texts.read(sample)
    found = find_topics(matrix, seed=seed)
    profiles = found.profiles
    own = np.einsum("ij,ij->i", matrix, profiles.centroids[found.labels])
    labels = np.full(len(texts.tickets), UNASSIGNED, np.int32)
    labels[sample] = found.labels
    if len(among) > SAMPLE:
        # What was drawn is let go as what was not.
        labels[sample[own < profiles.thresholds[found.labels]]] = UNASSIGNED
    rest = np.setdiff1d(among, sample, assume_unique=True)
    joined, _ = assign(texts.vectors, profiles.centroids, profiles.thresholds, texts.tickets[rest])
    labels[rest] = joined
    return _Topics(labels, found.parents, profiles, _by_centrality(found.labels, own, sample))


def _draw(texts: _Texts, among: Places, seed: int) -> Places:
    """At most SAMPLE usable texts, chosen by their hash alone; of alike ones the first drawn."""
    if len(among) <= SAMPLE:
        return among[texts.read(among).any(axis=1)]
    keys = [
        hashlib.blake2b(f"{seed}:{texts.hashes[place]}".encode(), digest_size=8).digest()
        for place in among.tolist()
    ]
    drawn = among[np.argsort(np.asarray(keys, "S8"), kind="stable")[: DRAWN * SAMPLE]]
    matrix = texts.read(drawn)
    usable = matrix.any(axis=1)
    kept = thin(matrix[usable], likeness=ALIKE, crowd=CROWD, most=SAMPLE)
    return np.sort(drawn[usable][kept])


def _by_centrality(labels: Labels, own: Vectors, sample: Places) -> list[Places]:
    """The most central texts of each topic.

    Args:
        own: Cosine of each text of the sample with its topic's centroid.
    """
    order = np.lexsort((sample, -np.round(own, 5), labels))
    starts = np.searchsorted(labels[order], np.arange(int(labels.max(initial=-1)) + 1))
    return [sample[part][:REPRESENTATIVES] for part in np.split(order, starts[1:])]


def _select(topics: _Topics, kept: Places) -> _Topics:
    """Only these topics, numbered in this order."""
    renumbered = np.full(len(topics.parents) + 1, UNASSIGNED, np.int32)
    renumbered[kept] = np.arange(len(kept))
    return _Topics(
        labels=renumbered[topics.labels],
        parents=topics.parents[kept],
        profiles=topics.profiles.select(kept),
        central=[topics.central[topic] for topic in kept.tolist()],
    )


def _add(first: _Topics, second: _Topics) -> _Topics:
    count, coarse = len(first.parents), int(first.parents.max(initial=-1)) + 1
    return _Topics(
        labels=np.where(second.labels >= 0, second.labels + count, first.labels).astype(np.int32),
        parents=np.concatenate([first.parents, second.parents + coarse]),
        profiles=first.profiles.join(second.profiles),
        central=first.central + second.central,
    )


def _describe(
    topics: _Topics, labels: Labels, names: Sequence[str], order: Places, leaders: Places
) -> Partition:
    """The partition by ticket, topics by size.

    Args:
        labels: Of the tickets by id.
        names: Ticket id of each text.
        order: Place of each ticket by id.
        leaders: Of the tickets by id.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(topics.parents))
    smallest = np.full(len(counts), len(order))
    np.minimum.at(smallest, labels[labels >= 0], np.nonzero(labels >= 0)[0])
    by_size = np.lexsort((smallest, -counts))
    kept = by_size[counts[by_size] >= FEWEST_TICKETS]
    renumbered = np.full(len(counts) + 1, UNASSIGNED, np.int32)
    renumbered[kept] = np.arange(len(kept))
    selected = _select(topics, kept)
    by_ticket = np.empty(len(order), np.int32)
    by_ticket[order] = renumbered[labels]
    leader_of = np.empty(len(order), np.intp)
    leader_of[order] = order[leaders]
    return Partition(
        labels=by_ticket,
        parents=_number_by_appearance(selected.parents),
        centroids=selected.profiles.centroids,
        thresholds=selected.profiles.thresholds,
        cohesions=selected.profiles.cohesions,
        representatives=tuple(
            tuple(names[text] for text in texts.tolist()) for texts in selected.central
        ),
        leaders=leader_of,
    )


def _number_by_appearance(values: Labels) -> Labels:
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], np.int32)
