"""What several people say as one point, backed by what each of them wrote; pure, given vectors."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from gaps.drafting.writing.centrality import rank_sentences
from gaps.drafting.writing.entailment import find_unsupported, is_corroborated_by, read_sentence
from gaps.drafting.writing.evidence import Evidence
from gaps.types import Citation
from kb.ports import Vectors
from kb.statements import find_disagreement

NEAR = 0.35
"""Cosine below which two sentences are not compared by their words (MiniLM)."""
FEWEST_WORDS_BACKED = 3
"""A passage near the topic holds any two words: "enter the name"."""
ABOUT_IT = 0.3
"""Share of a passage's sentence, or of another's fact, that has to be what is claimed."""
REPEATED = 0.85
"""Cosine from which on two sentences of the same act are one said twice."""
ALTERNATIVE = 0.7
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
    """How central its words are among all of them (LexRank), 0 to 1."""
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


def merge_sentences(
    sentences: Sequence[Evidence], vectors: Vectors, background: Collection[str] = ()
) -> list[Point]:
    """What is said, each with everybody who says the same; the best supported first.

    A point's words are one person's; its other members say the same in words of their own
    (`is_corroborated_by`). A sentence lends its words to one point at most and may back several: a
    paragraph holds more than one step. Passages back what people say and are no points.

    Args:
        sentences: In a fixed order; ties are decided by it.
        vectors: Unit rows, one a sentence.
        background: Words of the whole subject, which show nothing where they are shared.
    """
    if not sentences:
        return []
    claims = [i for i, s in enumerate(sentences) if s.kind == "ticket"]
    similar = np.asarray(vectors @ vectors.T, np.float64)
    readings = [read_sentence(s.instruction or s.quote) for s in sentences]
    plain = frozenset(background)
    backing = {
        i: [
            j
            for j in np.nonzero(similar[i] >= NEAR)[0].tolist()
            if sentences[j].origin != sentences[i].origin
            and _backs(sentences[j], sentences[i], plain)
            and not find_disagreement(sentences[i].quote, sentences[j].quote)
        ]
        for i in claims
    }
    ranks = rank_sentences(vectors)
    # On a scale of 0 to 1, so that a weight of one does not drown the number of people.
    relevance = ranks / max(1e-9, float(ranks.max()))

    def strength(row: int) -> tuple[bool, int, int, float, int]:
        people = {sentences[j].origin for j in backing[row] if sentences[j].kind == "ticket"}
        documents = {sentences[j].origin for j in backing[row]} - people
        # What to do comes before what is so: a fact must not lend its words to a step.
        told = sentences[row].instruction is None
        return (
            told,
            -len(people),
            -bool(documents),
            -_quality(sentences[row], float(relevance[row])),
            row,
        )

    points: list[Point] = []
    taken: set[int] = set()
    for row in sorted(claims, key=strength):
        if row in taken:
            continue
        members = [sentences[row], *(sentences[j] for j in backing[row])]
        taken.add(row)
        # Who says the same the other way round, too, has nothing to add.
        taken |= {j for j in backing[row] if row in backing.get(j, ())}
        taken |= {
            j
            for j in claims
            if similar[row, j] >= REPEATED and readings[j].actions == readings[row].actions
        }
        cue = next((shift for pattern, shift in CUES if pattern.match(sentences[row].quote)), 0.0)
        position = float(np.mean([m.position for m in members if m.kind == "ticket"])) + cue
        points.append(Point(tuple(members), sentences[row], float(relevance[row]), position, row))
    return points


def _backs(member: Evidence, claim: Evidence, plain: frozenset[str]) -> bool:
    """Whether a sentence of somebody else says what a claim says."""
    said = read_sentence(claim.instruction or claim.quote)
    told = read_sentence(member.quote)
    if member.kind == "chunk":
        return (
            len(said.words) >= FEWEST_WORDS_BACKED
            and is_corroborated_by(said, told, plain=plain, within=ABOUT_IT)
            and find_unsupported(claim.instruction or claim.quote, [member.quote]) is None
        )
    within = 0.0 if claim.instruction else ABOUT_IT
    return is_corroborated_by(said, told, plain=plain, within=within)


def _quality(member: Evidence, relevance: float) -> float:
    """How well a sentence says it; fewer than five words leave the place out."""
    words = len((member.instruction or member.quote).split())
    return relevance + _mood(member) - 0.01 * max(0, words - 18) - 0.1 * (words < 5)


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
