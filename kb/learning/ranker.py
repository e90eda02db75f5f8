"""The learned ranking: a weighted sum of what ranks and what was solved before; pure.

The weights are few and readable. With none learned they are those of the unlearned fusion, and a
fit starts from there (kb/learning/fitting.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from kb.learning.precedents import NOTHING, Evidence
from kb.ports import Vectors

FEATURES = ("semantic", "lexical", "title", "votes", "second_nearest", "centre", "prior")
START = (6.0, 3.6, 2.4, 18.0, 0.0, 0.0, 0.0)
"""Where a fit starts and what it is drawn to: the unlearned fusion (.5, .3, .2) and votes at three
times the semantic part, all times 12. As good on Thunderbird as fused + 1.5 votes alone (.68)."""


@dataclass(frozen=True, slots=True)
class Ranker:
    weights: tuple[float, ...] = START
    """One for each of FEATURES."""

    def to_json(self) -> dict[str, float]:
        return dict(zip(FEATURES, self.weights, strict=True))

    @classmethod
    def from_json(cls, said: Mapping[str, float]) -> Ranker:
        return cls(tuple(float(said[name]) for name in FEATURES))

    def score(self, matrix: Vectors) -> Vectors:
        """Scores of rows of features; higher is better."""
        return np.asarray(matrix @ np.asarray(self.weights, np.float32), np.float32)


def read_features(
    keys: Sequence[str],
    scaled: Mapping[str, Mapping[str, float]],
    evidence: Mapping[str, Evidence],
) -> Vectors:
    """Features of documents, float32 (documents, len(FEATURES)).

    Args:
        keys: Documents, in the order of the rows.
        scaled: Rankings by name ("semantic", "lexical", "title"), scores scaled to 0..1.
        evidence: What precedents say, by document.
    """
    nothing: Mapping[str, float] = {}
    rankings = [scaled.get(name, nothing) for name in FEATURES[:3]]
    rows = []
    for key in keys:
        said = evidence.get(key, NOTHING)
        rows.append(
            (
                *(scores.get(key, 0.0) for scores in rankings),
                said.votes,
                said.second_nearest,
                said.centre,
                said.prior,
            )
        )
    return np.asarray(rows, np.float32).reshape(len(rows), len(FEATURES))


def keep_places(
    learned: Sequence[str], unlearned: Sequence[str], protected: AbstractSet[str]
) -> list[str]:
    """The learned order, in which no protected document falls behind its unlearned place.

    A new or just changed article has solved nothing yet: what others solved must not bury it.

    Args:
        learned: All documents, best first.
        unlearned: The same documents or fewer, in the order without learning.
        protected: Documents that keep at least their unlearned place.
    """
    due = [(place, key) for place, key in enumerate(unlearned) if key in protected]
    order: dict[str, None] = {}
    following = iter(learned)
    while len(order) < len(learned):
        while due and due[0][1] in order:
            due.pop(0)
        if due and due[0][0] <= len(order):
            order[due.pop(0)[1]] = None
            continue
        order.setdefault(next(following), None)
    return list(order)
