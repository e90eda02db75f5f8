"""What the tickets' nearest documents say about each topic, against the other topics; pure.

Scales differ from one knowledge base to the next (an article of three phrases is never as near as
one of ten, and in a narrow product everything is near), so that nothing here is a cosine as it
stands: each feature compares a topic with the other topics, or a document with the others of the
same ticket, and what the model reads is measured in what the corpus' own articles reach.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kb.ports import Vectors

Places = NDArray[np.intp]
Ranked = Sequence[tuple[str, float]]
"""A ticket's documents with their cosine, as `gaps.types.Coverage.best_documents` holds them."""

HOME_SHARE = 0.5
"""An article's home are its nearest tickets, half as many as the median topic has: alone an AUROC
of .92 on BANKING77 and .95 on CLINC150 (three phrases). Half of each topic's own size gave .86 and
.94, and measured the topics' sizes with it, which are equal in those sets and nowhere else."""
FEWEST_AT_HOME = 3
CLEAR_LEAD = 0.75
"""Quantile of the articles' leads that counts as one article's clear lead: a quarter of the
articles at least are taken to have one topic of their own."""
NARROWEST = 0.05
"""Least scale: below it topics are told apart by nothing but noise."""


@dataclass(frozen=True, slots=True)
class Similarities:
    """How near each ticket is to each document that some ticket has among its nearest."""

    ticket_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    cosines: Vectors
    """float32 (tickets, documents); where unknown the ticket's floor, which it is not above."""
    floors: Vectors
    """float32 (tickets,), the cosine of each ticket's last known document."""


@dataclass(frozen=True, slots=True)
class TopicFeatures:
    """One topic beside the others; places index documents and topics as they were given."""

    values: Mapping[str, float]
    """By name; those that compare topics are absent where there is one topic only."""
    best_document: int
    """The document nearest to the topic's tickets on average; ties to the first."""
    rival: int | None
    """The other topic nearest to that document."""


def fill_similarities(ranked: Mapping[str, Ranked]) -> Similarities:
    """A matrix out of each ticket's list of nearest documents.

    A document missing in a list is taken as near as the list's last: no list says more. Cosines
    that are not above 0 or not finite are unknown (a hit of the words has none).

    Returns:
        Rows and columns in the order of their ids. Only documents that are some ticket's nearest
        have a column, which bounds the matrix by the answers in use, not by the library.
    """
    ticket_ids = tuple(sorted(ranked))
    known = [
        {key: cosine for key, cosine in ranked[t] if math.isfinite(cosine) and cosine > 0}
        for t in ticket_ids
    ]
    firsts = {min(found, key=lambda key: (-found[key], key)) for found in known if found}
    document_ids = tuple(sorted(firsts))
    column = {key: place for place, key in enumerate(document_ids)}
    floors = np.asarray([min(found.values(), default=0.0) for found in known], np.float32)
    cosines = np.repeat(floors[:, None], len(document_ids), axis=1)
    for row, found in enumerate(known):
        for key, cosine in found.items():
            if key in column:
                cosines[row, column[key]] = cosine
    return Similarities(ticket_ids, document_ids, cosines, floors)


def measure_topics(
    cosines: Vectors, floors: Vectors, groups: Sequence[Places]
) -> list[TopicFeatures]:
    """Each topic's features.

    - `exclusivity`: its best article's mean cosine, less that article's with the topic that is
      nearest to it besides: below 0 the article belongs to a neighbour.
    - `belonging`: the same by ticket and without topics: the cosine of each ticket's nearest
      article, less what that article reaches with the tickets nearest to it.
    - `relative_exclusivity`: that over the lead that articles have here with the topic nearest to
      them, before the next topic (their upper quartile).
    - `relative_belonging`: that over what articles here reach with the topic nearest to them, less
      what they reach with the middle one.
    - `home_share`: share of tickets as near to their article as any topic is on average.
    - `sole`: 1 where no other topic has the same best article, else 0.
    - Measured too, and not in the model: `exclusivity` and `belonging` as they are, `score` and
      `best` (mean cosine of the best article, and of each ticket's own), `contrast` (`best` less
      the floor of the ticket's list), `margin` (best article less second), `above_share` (tickets
      above the corpus' median), `winner_share` (tickets whose nearest is the commonest one),
      `log_size`.

    Args:
        cosines: float32 (tickets, documents), every ticket of the corpus, in a topic or not.
        floors: float32 (tickets,).
        groups: Rows of each topic; one without rows has no values.

    Returns:
        One a topic, in their order.
    """
    if not cosines.shape[1]:
        return [TopicFeatures({}, 0, None) for _ in groups]
    corpus = _Corpus.measure(cosines, floors, groups)
    return [corpus.describe(topic) for topic in range(len(groups))]


@dataclass(frozen=True, slots=True)
class _Corpus:
    """What all topics are compared with."""

    groups: Sequence[Places]
    nearest: Vectors
    """Each ticket's highest cosine."""
    choice: Places
    """Each ticket's nearest document."""
    floors: Vectors
    means: Vectors
    """(topics, documents); -inf in topics without rows."""
    best: Places
    """Each topic's nearest document, -1 in topics without rows."""
    reached: Vectors
    """What each document reaches with the topic nearest to it."""
    home: Vectors
    """Each document's mean cosine with the tickets nearest to it."""
    median: float
    lead: float
    """Of an article with the topic nearest to it, before the next topic; upper quartile."""
    reach: float
    """Of an article with the topic nearest to it, before the middle topic; median."""

    @classmethod
    def measure(cls, cosines: Vectors, floors: Vectors, groups: Sequence[Places]) -> _Corpus:
        means = np.full((len(groups), cosines.shape[1]), -np.inf)
        for topic, places in enumerate(groups):
            if len(places):
                means[topic] = cosines[places].mean(axis=0, dtype=np.float64)
        filled = np.isfinite(means).all(axis=1)
        sizes = [len(places) for places in groups if len(places)]
        wanted = max(FEWEST_AT_HOME, round(HOME_SHARE * float(np.median(sizes or [0]))))
        count = min(wanted, len(cosines))
        top = np.partition(cosines, len(cosines) - count, axis=0)[len(cosines) - count :]
        nearest = cosines.max(axis=1)
        ranked = np.sort(means[filled], axis=0)
        return cls(
            groups,
            nearest,
            cosines.argmax(axis=1),
            floors,
            means,
            np.where(filled, means.argmax(axis=1), -1),
            means.max(axis=0, initial=-np.inf),
            np.sort(top, axis=0).mean(axis=0, dtype=np.float64),
            float(np.median(nearest)),
            *_measure_scales(ranked),
        )

    def describe(self, topic: int) -> TopicFeatures:
        places = self.groups[topic]
        if not len(places):
            return TopicFeatures({}, 0, None)
        own, document = self.means[topic], int(self.best[topic])
        values = self._describe_alone(places, own, document)
        others = self.means[:, document].copy()
        others[topic] = -np.inf
        rival = int(others.argmax())
        if np.isinf(others[rival]):
            return TopicFeatures(values, document, None)
        values |= self._compare(places, float(own[document] - others[rival]), document)
        return TopicFeatures(values, document, rival)

    def _describe_alone(self, places: Places, own: Vectors, document: int) -> dict[str, float]:
        nearest = self.nearest[places]
        rest = np.delete(own, document)
        counts = np.bincount(self.choice[places])
        return {
            "contrast": float((nearest - self.floors[places]).mean()),
            "score": float(own[document]),
            "best": float(nearest.mean()),
            "margin": float(own[document] - rest.max()) if len(rest) else 0.0,
            "above_share": float((nearest >= self.median).mean()),
            "winner_share": float(counts.max() / len(places)),
            "log_size": math.log(len(places)),
        }

    def _compare(self, places: Places, exclusivity: float, document: int) -> dict[str, float]:
        nearest, choice = self.nearest[places], self.choice[places]
        belonging = float((nearest - self.home[choice]).mean())
        return {
            "exclusivity": exclusivity,
            "belonging": belonging,
            "relative_exclusivity": exclusivity / self.lead,
            "relative_belonging": belonging / self.reach,
            "home_share": float((nearest >= self.reached[choice]).mean()),
            "sole": float((self.best == document).sum() == 1),
        }


def _measure_scales(ranked: Vectors) -> tuple[float, float]:
    """Lead and reach of the articles, from their means by topic in ascending order."""
    if len(ranked) < 2:
        return 1.0, 1.0
    lead = float(np.quantile(ranked[-1] - ranked[-2], CLEAR_LEAD))
    reach = float(np.median(ranked[-1] - np.median(ranked, axis=0)))
    return max(lead, NARROWEST), max(reach, NARROWEST)


def measure_closeness(vectors: Vectors) -> Vectors:
    """Each ticket's mean cosine with the others of its topic; 0 for one alone.

    Args:
        vectors: float32 (tickets, dimensions), rows of length 1.
    """
    count = len(vectors)
    if count < 2:
        return np.zeros(count, np.float32)
    matrix = np.asarray(vectors, np.float64)
    own = np.einsum("ij,ij->i", matrix, matrix)
    return np.asarray((matrix @ matrix.sum(axis=0) - own) / (count - 1), np.float32)
