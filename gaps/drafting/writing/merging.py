"""Near-identical sentences of several people as one point; pure, given vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from gaps.drafting.writing.evidence import Evidence, anchors
from gaps.types import Citation
from kb.ports import Vectors
from kb.statements import find_disagreement

MERGE_SIMILARITY = 0.60
"""Average cosine at which sentences say one thing. On the resolutions of content/tickets pairs
that say the same lie at 0.66 to 0.89 and others of the same topic at 0.05 to 0.55 (MiniLM)."""
ANCHOR_BONUS = 0.15
"""Added where two sentences name the same address, code or menu entry."""
DISAGREE_PENALTY = 0.5
ALTERNATIVE = 0.5
"""Cosine from which on two steps of one procedure are other words for one another."""
MMR_LAMBDA = 0.7
"""Weight of relevance against novelty (Carbonell and Goldstein, SIGIR 1998)."""
MAX_CITATIONS = 6
CUES = (
    (re.compile(r"^(?:first|before|make sure|check|start by)\b", re.IGNORECASE), -0.4),
    (re.compile(r"^(?:then|next|after|afterwards|now)\b", re.IGNORECASE), 0.2),
    (
        re.compile(
            r"^(?:finally|lastly|at the end|if (?:that|this|it) (?:does not|doesn))", re.IGNORECASE
        ),
        0.5,
    ),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One thing said by one or more sources."""

    members: tuple[Evidence, ...]
    best: Evidence
    """The member that says it best, whose words are used."""
    relevance: float
    """Mean cosine of the members to the requesters' wordings and to all evidence, 0 to 1."""
    position: float
    """Where it stands in its sources on average, cues added."""
    place: int
    """Row of `best` in the vectors."""

    @property
    def requesters(self) -> frozenset[str]:
        """Independent people whose tickets say it."""
        return frozenset(m.origin for m in self.members if m.kind == "ticket")

    @property
    def ticket_ids(self) -> frozenset[str]:
        """Tickets that say it."""
        return frozenset(m.source_id for m in self.members if m.kind == "ticket")

    @property
    def documents(self) -> frozenset[str]:
        """Documents whose passages say it."""
        return frozenset(m.origin for m in self.members if m.kind == "chunk")


def merge_sentences(sentences: Sequence[Evidence], vectors: Vectors) -> list[Point]:
    """Group sentences by average-link clustering; every sentence is in exactly one point.

    Args:
        sentences: In a fixed order; ties are decided by it.
        vectors: Unit rows, one a sentence.
    """
    if not sentences:
        return []
    similar = pair_similarity(sentences, vectors)
    if len(sentences) == 1:
        labels = [0]
    else:
        labels = AgglomerativeClustering(
            n_clusters=None,
            metric="precomputed",
            linkage="average",
            distance_threshold=1.0 - MERGE_SIMILARITY,
        ).fit_predict(np.clip(1.0 - similar, 0.0, 2.0))
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        groups.setdefault(int(label), []).append(row)
    centre = np.asarray(vectors).mean(axis=0)
    return [_point(rows, sentences, vectors, similar, centre) for rows in groups.values()]


def pair_similarity(sentences: Sequence[Evidence], vectors: Vectors) -> NDArray[np.float64]:
    """Cosine, raised where both hang on the same thing, lowered where their values differ."""
    similar = np.asarray(vectors @ vectors.T, np.float64)
    names = [anchors(s.quote) for s in sentences]
    for i in range(len(sentences)):
        for j in range(i):
            if similar[i, j] < 0.4:
                continue
            if names[i] & names[j]:
                similar[i, j] += ANCHOR_BONUS
            if find_disagreement(sentences[i].quote, sentences[j].quote):
                similar[i, j] -= DISAGREE_PENALTY
            similar[j, i] = similar[i, j]
    np.fill_diagonal(similar, 1.0)
    return np.clip(similar, -1.0, 1.0)


def _point(
    rows: list[int],
    sentences: Sequence[Evidence],
    vectors: Vectors,
    similar: NDArray[np.float64],
    centre: NDArray[np.float32],
) -> Point:
    members = [sentences[row] for row in rows]

    def quality(row: int) -> tuple[float, int]:
        member = sentences[row]
        words = len((member.instruction or member.quote).split())
        central = float(similar[row, rows].mean())
        bonus = _mood(member)
        # Fewer words say a step more clearly; fewer than five leave the place out.
        return central + bonus - 0.01 * max(0, words - 18) - 0.1 * (words < 5), -row

    best = max(rows, key=quality)
    cue = next((shift for pattern, shift in CUES if pattern.match(sentences[best].quote)), 0.0)
    position = float(np.mean([m.position for m in members])) + cue
    relevance = float(np.clip(np.mean(np.asarray(vectors)[rows] @ centre), 0.0, 1.0))
    return Point(tuple(members), sentences[best], relevance, position, best)


_POINTS_BACK = re.compile(
    r"(?:\S+\s){1,4}(?:it|them|this|that)\b|.*\bwith (?:it|this|that)\b", re.IGNORECASE
)


def _mood(member: Evidence) -> float:
    """How well a sentence can stand in an article: told to do, a fact, told as a story."""
    if member.instruction is None:
        return 0.3 if member.states_fact else 0.0
    if member.instruction.startswith("Go to ") and not member.quote.lower().startswith("go to"):
        return 0.35
    if _POINTS_BACK.match(member.instruction):
        return 0.35
    written = member.quote[:12].lower() == member.instruction[:12].lower()
    return 0.55 if written else 0.45


def drop_alternatives(points: Sequence[Point], vectors: Vectors) -> tuple[Point, ...]:
    """Of steps of one procedure that are other words for one another, the best supported."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (-len(p.requesters), p.place)):
        if all(float(vectors[point.place] @ vectors[k.place]) < ALTERNATIVE for k in kept):
            kept.append(point)
    return tuple(p for p in points if p in kept)


def choose_diverse(points: Sequence[Point], vectors: Vectors, limit: int) -> list[Point]:
    """The most relevant points that do not repeat each other (MMR), best first."""
    left = list(points)
    chosen: list[Point] = []
    while left and len(chosen) < limit:

        def value(point: Point) -> tuple[float, int]:
            weight = point.relevance + 0.05 * min(6, len(point.requesters))
            near = max(
                (float(vectors[point.place] @ vectors[c.place]) for c in chosen), default=0.0
            )
            return MMR_LAMBDA * weight - (1 - MMR_LAMBDA) * near, -point.place

        best = max(left, key=value)
        left.remove(best)
        chosen.append(best)
    return chosen


def cite_members(members: Sequence[Evidence], best: Evidence) -> tuple[Citation, ...]:
    """The sentence whose words are used first, then one quote of every other source."""
    found = [Citation(best.kind, best.source_id, best.quote)]
    origins = {best.origin}
    for member in members:
        if member.origin not in origins and len(found) < MAX_CITATIONS:
            origins.add(member.origin)
            found.append(Citation(member.kind, member.source_id, member.quote))
    return tuple(found)
