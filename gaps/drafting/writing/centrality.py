"""How central a sentence is among all of them: LexRank; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kb.ports import Vectors

LINKED = 0.3
"""Cosine from which on two sentences vote for each other; MiniLM's unrelated sentences of one
product lie below."""
DAMPING = 0.85
ITERATIONS = 50


def rank_sentences(vectors: Vectors) -> NDArray[np.float64]:
    """LexRank (Erkan and Radev, JAIR 2004): the stationary vote of sentences for their like.

    Args:
        vectors: Unit rows, one a sentence.

    Returns:
        One value a row, 1 on average; rows in the same order. Cosines below `LINKED` do not vote.
    """
    count = len(vectors)
    if count == 0:
        return np.zeros(0)
    similar = np.asarray(vectors @ vectors.T, np.float64)
    similar[similar < LINKED] = 0.0
    np.fill_diagonal(similar, 0.0)
    # Who is like nobody votes for all alike, or it would keep its vote to itself.
    similar[similar.sum(axis=1) == 0.0] = 1.0
    votes = similar / similar.sum(axis=1, keepdims=True)
    rank = np.full(count, 1.0 / count)
    for _ in range(ITERATIONS):
        rank = (1 - DAMPING) / count + DAMPING * (votes.T @ rank)
    return np.asarray(rank * count)
