"""How alike tickets are, and how alike any two tickets of the corpus are; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kb.ports import Vectors

SAMPLED = 2_000
MEMBER_SPREADS = 2.0
CLUSTER_SPREADS = 3.0
CLEARLY_ALIKE = 0.5
MOST_ASKED_OF_MEMBERS, MOST_ASKED_OF_CLUSTERS = 0.4, 0.45
"""A member lies two, a cluster three spreads (median minus 16th percentile) above the median pair,
at most at 0.4 and 0.45. On the made-up company's tickets this keeps 9 in 10 of the tickets of the
planted topics and lets 2 in 3 of the others go. On real tickets (bench/README.md) 0.5 and 0.5 let a
third of the hidden articles go that these keep."""


@dataclass(frozen=True, slots=True)
class Background:
    """How alike two tickets must be to be more than tickets of the same company."""

    member: float
    """Least mean cosine of a member with the other members."""
    cluster: float
    """Least mean cosine between a cluster's members."""
    middle: float = 0.0
    """What any two have in common: their median cosine, at most half of clearly alike, or a corpus
    of one topic would have nothing beyond it."""


def measure_background(matrix: Vectors) -> Background:
    """Thresholds from the lower half of all pairs' cosines, which topics hardly touch.

    Relative to the corpus, because texts about one product are alike however different their
    questions; and to the encoder, because each has its own scale.
    """
    places = np.linspace(0, len(matrix) - 1, min(len(matrix), SAMPLED)).astype(int)
    picked = matrix[np.unique(places)]
    pairs = (picked @ picked.T)[np.triu_indices(len(picked), 1)]
    if not len(pairs):
        return Background(MOST_ASKED_OF_MEMBERS, MOST_ASKED_OF_CLUSTERS)
    low, middle = np.quantile(pairs, [0.16, 0.5])
    spread = float(middle - low)
    return Background(
        member=min(MOST_ASKED_OF_MEMBERS, float(middle) + MEMBER_SPREADS * spread),
        cluster=min(MOST_ASKED_OF_CLUSTERS, float(middle) + CLUSTER_SPREADS * spread),
        middle=min(CLEARLY_ALIKE / 2, float(middle)),
    )


def likeness_ratios(sums: Sequence[Vectors], counts: Sequence[int], usual: float = 0.0) -> Vectors:
    """Mean cosine between each two groups over that within the looser one, both above the usual;
    -inf on and below the diagonal, and for groups of one, which have no within."""
    total, size = np.stack(sums), np.asarray(counts, np.float32)
    dots = total @ total.T
    within = (np.diag(dots) - size) / np.maximum(size * (size - 1), 1)
    looser = np.maximum(np.minimum(within[:, None], within[None, :]) - usual, 1e-6)
    across = dots / np.maximum(np.outer(size, size), 1)
    ratios = np.round((across - usual) / looser, 4)
    ratios[np.tril_indices(len(counts))] = -np.inf
    ratios[size < 2, :] = ratios[:, size < 2] = -np.inf
    return np.asarray(ratios, np.float32)


def measure_likeness(
    left: Collection[str], right: Collection[str], vectors: Mapping[str, Vectors], usual: float
) -> float:
    """Mean cosine between two groups over that within the looser one.

    Args:
        left: Ticket ids.
        right: Ticket ids.
        vectors: Unit vectors by ticket id.
        usual: What any two tickets of the corpus have in common, and does not count.
    """
    parts = [np.stack([vectors[key] for key in sorted(group)]) for group in (left, right)]
    ratios = likeness_ratios([part.sum(axis=0) for part in parts], [len(p) for p in parts], usual)
    return float(ratios[0, 1]) if np.isfinite(ratios[0, 1]) else 1.0


def mean_similarities(matrix: Vectors) -> Vectors:
    """Each row's mean cosine with the other rows."""
    if len(matrix) < 2:
        return np.zeros(len(matrix), np.float32)
    total = matrix.sum(axis=0)
    own = np.einsum("ij,ij->i", matrix, matrix)
    return np.asarray((matrix @ total - own) / (len(matrix) - 1), np.float32)
