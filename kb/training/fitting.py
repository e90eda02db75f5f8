"""Fits the ranker on solved questions; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kb.learning.ranker import START, Ranker
from kb.ports import Vectors


@dataclass(frozen=True, slots=True)
class Example:
    """One solved question with what could have been shown for it."""

    ref: str
    requester: str
    """Whose it is: all questions of one requester together weigh as much as one."""
    keys: tuple[str, ...]
    """Documents, best unlearned first, then those that only precedents bring in."""
    matrix: Vectors
    """Features, one row a document."""
    solved_by: frozenset[str]
    ranked: frozenset[str]
    """Of the documents, those that the unlearned ranking holds."""
    proven: frozenset[str]
    """Of the documents, those that precedents know."""

    @property
    def targets(self) -> Vectors:
        """Each row's share of what solved the question."""
        hit = np.array([key in self.solved_by for key in self.keys], np.float64)
        return np.asarray(hit / max(1.0, hit.sum()), np.float32)


def fit_ranker(examples: Sequence[Example], *, caution: float) -> Ranker:
    """Maximum a posteriori weights of a conditional logit over each question's documents.

    The chance that a document solves a question is a softmax of its score among the documents
    shown (McFadden 1974; ListNet's top-one loss, Cao et al. 2007). The prior is a normal around
    START: with few examples the unlearned ranking stays. No weight is negative: nothing that speaks
    for a document can be taught to speak against the others. Deterministic.

    Args:
        examples: Questions; one that no shown document solved teaches nothing, and those of one
            requester share one weight.
        caution: Precision of the prior; higher stays nearer to START.
    """
    solvable = [e for e in examples if e.targets.any()]
    asked = Counter(e.requester for e in solvable)
    usable = [
        (e.matrix.astype(float), e.targets.astype(float), 1 / asked[e.requester]) for e in solvable
    ]
    start = np.asarray(START, float)

    def cost(weights: Any) -> tuple[float, Any]:
        away = weights - start
        total, slope = 0.5 * caution * float(away @ away), caution * away
        for matrix, targets, voice in usable:
            scores = matrix @ weights
            highest = scores.max()
            spread = np.exp(scores - highest)
            total += voice * float(highest + np.log(spread.sum()) - targets @ scores)
            slope = slope + voice * (matrix.T @ (spread / spread.sum() - targets))
        return total, slope

    found = minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start),
        options={"maxiter": 500},
    )  # fmt: skip
    return Ranker(tuple(round(float(weight), 4) for weight in found.x))
