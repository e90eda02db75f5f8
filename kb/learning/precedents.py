"""What was solved before, as evidence for a new question; pure.

Each requester counts once: of one requester's questions only the nearest is heard, and a document
that only one requester stands for gets no votes. One loud customer, or one key that reports
whatever it likes, therefore lifts nothing above what is usual alone, and adds at most one voice to
others'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kb.ports import Vectors

NEIGHBOURS = 20
FEWEST_VOICES = 2
SAME = 0.7
"""Cosine of two questions at which a vote has weight 1 …"""
SHARPNESS = 0.08
"""… falling by a factor e with every 0.08 below it …"""
LOUDEST = 3.0
"""… and never above 3: a copied question is no better a witness than a similar one."""
SILENCE = 0.3
"""Weight of "no precedent": where all precedents are far, no share is large. These five were chosen
on Thunderbird tickets before 2024-03-15 (bench/README.md, "Learning")."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """One solved question that an audience may learn from."""

    ref: str
    requester: str
    documents: tuple[str, ...]
    """Live documents the audience may read; never empty."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What precedents say of one document for one question."""

    votes: float = 0.0
    """Share of the votes of similar solved questions, 0 to 1, its loudest requester not counted."""
    second_nearest: float = 0.0
    """Cosine of the second nearest requester's question that it solved; 0 where there is none."""
    centre: float = 0.0
    """Cosine to the mean question that it solved, shrunk by n / (n + 1); of a lone requester's at
    most the usual."""
    prior: float = 0.0
    """ln of how many requesters it helped."""


NOTHING = Evidence()


class Precedents:
    """Solved questions one audience may learn from, ready to be asked."""

    def __init__(self, precedents: Sequence[Precedent], matrix: Vectors) -> None:
        """Take questions with their vectors.

        Args:
            precedents: One a question.
            matrix: float32 (questions, dimensions), unit rows in the same order.
        """
        self._precedents = tuple(precedents)
        self._matrix = matrix
        self._requesters = [p.requester for p in precedents]
        self._place = {p.ref: place for place, p in enumerate(precedents)}
        self._documents = sorted({key for p in precedents for key in p.documents})
        index = {key: place for place, key in enumerate(self._documents)}
        voices: dict[int, dict[str, list[int]]] = {}
        for place, precedent in enumerate(precedents):
            for key in precedent.documents:
                by_requester = voices.setdefault(index[key], {})
                by_requester.setdefault(precedent.requester, []).append(place)
        self._voices = voices
        width = matrix.shape[1] if len(precedents) else 1
        self._sums = np.zeros((len(self._documents), width), np.float32)
        for place, found in voices.items():
            for rows in found.values():
                self._sums[place] += matrix[rows].mean(axis=0)
        self._counts = np.array([len(voices[p]) for p in range(len(self._documents))], np.float32)
        self._index = index

    def __len__(self) -> int:
        return len(self._precedents)

    @property
    def documents(self) -> frozenset[str]:
        """Documents that solved something."""
        return frozenset(self._documents)

    def read(self, vector: Vectors, leave_out: str | None = None) -> dict[str, Evidence]:
        """Evidence for every document that solved something.

        A lone voice gives its document no vote, no prior and no more than the usual centre of
        documents that others vouch for, whatever was asked.

        Args:
            vector: The question's embedding, unit length.
            leave_out: A solved question to answer as if its requester had never asked: for
                learning from it without looking at its own answer.
        """
        if not self._precedents:
            return {}
        silent = None
        if leave_out is not None and leave_out in self._place:
            silent = self._requesters[self._place[leave_out]]
        votes, second = self._count_votes(vector, silent)
        sums, counts = self._without(silent)
        lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
        centres = (sums @ vector) / lengths * counts / (counts + 1)
        vouched = counts >= FEWEST_VOICES
        usual = float(centres[vouched].mean()) if vouched.any() else 0.0
        return {
            key: Evidence(
                votes.get(key, 0.0),
                second.get(key, 0.0),
                float(centres[place] if vouched[place] else min(centres[place], usual)),
                math.log(counts[place]),
            )
            for place, key in enumerate(self._documents)
            if counts[place] >= 1
        }

    def _count_votes(
        self, vector: Vectors, silent: str | None
    ) -> tuple[dict[str, float], dict[str, float]]:
        near = self._nearest(vector, silent)
        votes: dict[str, float] = {}
        loudest: dict[str, float] = {}
        heard: dict[str, int] = {}
        second: dict[str, float] = {}
        for place, similarity in near:
            found = self._precedents[place].documents
            weight = min(math.exp((similarity - SAME) / SHARPNESS), LOUDEST) / len(found)
            for key in found:
                votes[key] = votes.get(key, 0.0) + weight
                loudest[key] = max(loudest.get(key, 0.0), weight)
                heard[key] = heard.get(key, 0) + 1
                if heard[key] == 2:
                    second[key] = similarity
        total = sum(votes.values()) + SILENCE
        return {key: (votes[key] - loudest[key]) / total for key in votes}, second

    def _nearest(self, vector: Vectors, silent: str | None) -> list[tuple[int, float]]:
        """The nearest question of each of the nearest requesters."""
        similarities = self._matrix @ vector
        found: list[tuple[int, float]] = []
        seen = set() if silent is None else {silent}
        for place in np.argsort(-similarities, kind="stable"):
            if similarities[place] <= 0 or len(found) == NEIGHBOURS:
                break
            requester = self._requesters[place]
            if requester not in seen:
                seen.add(requester)
                found.append((int(place), float(similarities[place])))
        return found

    def _without(self, silent: str | None) -> tuple[Vectors, Vectors]:
        if silent is None:
            return self._sums, self._counts
        sums, counts = self._sums.copy(), self._counts.copy()
        for place, found in self._voices.items():
            if silent in found:
                sums[place] -= self._matrix[found[silent]].mean(axis=0)
                counts[place] -= 1
        return sums, counts


def choose_precedents(
    found: Sequence[tuple[Precedent, str]], vectors: Mapping[str, Vectors]
) -> Precedents:
    """Those precedents whose question has a vector, given with the hash it is kept under."""
    held = [(precedent, key) for precedent, key in found if key in vectors]
    matrix = np.stack([vectors[key] for _, key in held]) if held else np.zeros((0, 1), np.float32)
    return Precedents([precedent for precedent, _ in held], matrix)
