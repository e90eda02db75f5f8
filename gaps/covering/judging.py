"""The verdict on every topic, with its reasons; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaps.covering.features import (
    Places,
    Ranked,
    TopicFeatures,
    fill_similarities,
    measure_closeness,
    measure_topics,
)
from gaps.covering.model import FEATURES, TopicCalibration, Verdict
from gaps.types import Coverage
from kb.ports import Vectors

FEWEST_TICKETS = 3
"""Fewer say nothing of a topic's tickets on average."""
STRAY_SHARE = 0.7
"""A ticket that reaches less of its topic's median closeness does not count. In topics of CLINC150
with 1,200 texts out of scope 68% of these go, and 4% of the others."""
DIFFUSE_SHARE = 0.7
"""Below this share of the median topic's cohesion tickets are together for want of anything better.
In the same world three of four topics of texts out of scope lie below .6, nine of ten others above
.72."""
FEWEST_FOR_MEDIAN = 5
DOUBTS = 2
NO_DOCUMENT = 0.99
"""Probability where no ticket of the whole corpus came near any document; nothing can cover it."""


@dataclass(frozen=True, slots=True)
class TopicCoverage:
    """Whether the knowledge base answers a topic."""

    probability_missing: float
    """0 to 1, at the share of missing topics that all topics together speak for."""
    likelihood_ratio: float
    """What the documents add to any other evidence of *missing*; above 1 they speak for it."""
    verdict: Verdict
    best_document: str | None
    """The document nearest to the topic's tickets on average."""
    score: float
    """That document's mean cosine."""
    exclusivity: float | None
    """Below 0 that document is nearer to `rival_topic`; None without another topic."""
    rival_topic: str | None
    """The other topic that the best document is nearest to."""
    strays: tuple[str, ...]
    """Tickets so far from the topic's others that they did not count."""
    reasons: tuple[str, ...]
    """In plain words: what leaves it to review, its best article, then what weighs most."""


def judge_topics(
    coverage: Mapping[str, Coverage] | Mapping[str, Ranked],
    topics: Mapping[str, Sequence[str]],
    calibration: TopicCalibration,
    *,
    vectors: Mapping[str, Vectors] | None = None,
) -> dict[str, TopicCoverage]:
    """Judge every topic beside the others.

    The more of the corpus is given, covered topics and tickets in no topic included, the better:
    what tells a missing topic is mostly that its best article belongs to another.

    Args:
        coverage: By ticket id its nearest documents, or the ticket's `Coverage` that holds them.
        topics: Ticket ids by topic id. Tickets without coverage do not count.
        calibration: See `model.read_shipped_calibration`.
        vectors: By ticket id, of length 1. With them tickets far from their topic do not count, and
            a diffuse topic is never called missing: there is no one article to write for it.

    Returns:
        One verdict a topic, by id; the result does not depend on any order.
    """
    filled = fill_similarities({key: _documents(found) for key, found in coverage.items()})
    place = {key: row for row, key in enumerate(filled.ticket_ids)}
    topic_ids = sorted(topics)
    members = [sorted({t for t in topics[key] if t in place}) for key in topic_ids]
    strays, diffuse = _find_loose(members, vectors or {})
    groups = [
        np.asarray([place[t] for t in tickets if t not in stray], np.intp)
        for tickets, stray in zip(members, strays, strict=True)
    ]
    measured = measure_topics(filled.cosines, filled.floors, groups)
    judged = {
        key: _judge(
            _Topic(found, len(groups[at]), bool(diffuse[at]), tuple(sorted(strays[at]))),
            filled.document_ids,
            topic_ids,
            calibration,
        )
        for at, (key, found) in enumerate(zip(topic_ids, measured, strict=True))
    }
    return _adapt(judged, calibration)


def _adapt(
    judged: dict[str, TopicCoverage], calibration: TopicCalibration
) -> dict[str, TopicCoverage]:
    """The verdicts stand, whose errors by kind depend on no share; what is stated does."""
    known = [key for key, found in judged.items() if found.rival_topic is not None]
    stated = calibration.adapt([judged[key].probability_missing for key in known])
    adapted = dict(zip(known, stated, strict=True))
    return {
        key: replace(found, probability_missing=adapted.get(key, found.probability_missing))
        for key, found in judged.items()
    }


@dataclass(frozen=True, slots=True)
class _Topic:
    found: TopicFeatures
    ticket_count: int
    is_diffuse: bool
    strays: tuple[str, ...]


def _documents(found: Coverage | Ranked) -> Ranked:
    return found.best_documents if isinstance(found, Coverage) else found


def _find_loose(
    members: Sequence[Sequence[str]], vectors: Mapping[str, Vectors]
) -> tuple[list[set[str]], NDArray[np.bool_]]:
    """Each topic's strays, and which topics are diffuse without them."""
    strays: list[set[str]] = []
    cohesion = np.full(len(members), np.nan)
    for topic, tickets in enumerate(members):
        known = [key for key in tickets if key in vectors]
        if len(known) < FEWEST_TICKETS:
            strays.append(set())
            continue
        matrix = np.stack([vectors[key] for key in known])
        kept = find_members(matrix)
        strays.append({known[place] for place in np.setdiff1d(np.arange(len(known)), kept)})
        cohesion[topic] = measure_closeness(matrix[kept]).mean()
    return strays, find_diffuse(cohesion)


def find_members(vectors: Vectors) -> Places:
    """Rows that are near enough to the topic's others; at least half are."""
    closeness = measure_closeness(vectors)
    return np.nonzero(closeness >= STRAY_SHARE * max(0.0, float(np.median(closeness))))[0]


def find_diffuse(cohesion: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Topics much looser than the median one; nan is unknown, and of fewer than five none is."""
    known = cohesion[~np.isnan(cohesion)]
    if len(known) < FEWEST_FOR_MEDIAN:
        return np.zeros(len(cohesion), bool)
    return np.asarray(cohesion < DIFFUSE_SHARE * float(np.median(known)), bool)


def _judge(
    topic: _Topic,
    document_ids: Sequence[str],
    topic_ids: Sequence[str],
    calibration: TopicCalibration,
) -> TopicCoverage:
    found = topic.found
    values = found.values
    document = document_ids[found.best_document] if values else None
    rival = topic_ids[found.rival] if found.rival is not None else None
    probability = calibration.probability(values)
    if topic.ticket_count and document is None:
        probability = NO_DOCUMENT
    verdict = calibration.decide(probability)
    doubts = _find_doubts(topic.ticket_count, document, rival)
    if topic.is_diffuse and verdict is Verdict.MISSING:
        doubts.append("its tickets are hardly about one thing")
    if doubts:
        verdict = Verdict.REVIEW
    return TopicCoverage(
        probability_missing=probability,
        likelihood_ratio=calibration.likelihood_ratio(probability),
        verdict=verdict,
        best_document=document,
        score=values.get("score", 0.0),
        exclusivity=values.get("exclusivity"),
        rival_topic=rival,
        strays=topic.strays,
        reasons=tuple(doubts + _explain(values, verdict, document, rival, calibration)),
    )


def _find_doubts(ticket_count: int, document: str | None, rival: str | None) -> list[str]:
    """Why nothing is decided, whatever the probability."""
    if ticket_count < FEWEST_TICKETS:
        return [f"only {ticket_count} of its tickets were asked"]
    if document is not None and rival is None:
        return ["there is no other topic to compare it with"]
    return []


def _explain(
    values: Mapping[str, float],
    verdict: Verdict,
    document: str | None,
    rival: str | None,
    calibration: TopicCalibration,
) -> list[str]:
    """What speaks most for a gap; where nothing may, what speaks for the article."""
    if document is None:
        return ["no document came near any ticket"]
    if rival is None:
        return []
    if verdict is Verdict.COVERED:
        return [_speak_for(values, document, rival)]
    # The article's name first: who reads it can look there.
    against = sorted(
        ((added, key) for key, added in calibration.contributions(values).items() if added > 0),
        key=lambda pair: (pair[1] != "relative_exclusivity", -pair[0], pair[1]),
    )
    return [_speak_against(key, values, document, rival) for _, key in against[:DOUBTS]]


def _speak_for(values: Mapping[str, float], document: str, rival: str) -> str:
    if values["exclusivity"] >= 0:
        return (
            f"its best article, {document}, is nearer to it than to any other topic "
            f"(by {values['exclusivity']:.2f})"
        )
    return f"its best article, {document}, is nearly as near to it as to the topic {rival}"


def _speak_against(key: str, values: Mapping[str, float], document: str, rival: str) -> str:
    if key == "relative_exclusivity" and values["exclusivity"] < 0:
        return (
            f"its best article, {document}, belongs rather to the topic {rival} "
            f"(nearer to it by {-values['exclusivity']:.2f})"
        )
    if key == "home_share":
        return (
            f"{values['home_share']:.0%} of its tickets are as near to their article as a topic "
            "with an article of its own is"
        )
    if key == "relative_exclusivity":
        return (
            f"its best article, {document}, is hardly nearer to it than to the topic {rival} "
            f"(by {values['exclusivity']:.2f})"
        )
    return FEATURES[key]
