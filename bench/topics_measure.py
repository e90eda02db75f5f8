"""How well a partition agrees with gold topics, where the number of topics is free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score


def measure_partition(gold: Sequence[str], found: Sequence[int]) -> dict[str, float]:
    """ACC, NMI and ARI in per cent, the number of topics and the share of rows in none.

    ACC maps topics to gold topics one to one so that most rows agree (Hungarian method); a row in
    no topic counts as wrong. NMI and ARI take all rows in no topic as one topic.
    """
    labels = np.asarray(found)
    return {
        "acc": 100 * one_to_one_accuracy(gold, labels),
        "nmi": 100 * float(normalized_mutual_info_score(gold, labels)),
        "ari": 100 * float(adjusted_rand_score(gold, labels)),
        "topics": float(len(set(labels[labels >= 0].tolist()))),
        "unassigned": 100 * float((labels < 0).mean()),
    }


def one_to_one_accuracy(gold: Sequence[str], found: np.ndarray) -> float:
    inside = found >= 0
    if not inside.any():
        return 0.0
    names, gold_at = np.unique(np.asarray(gold), return_inverse=True)
    _, found_at = np.unique(found[inside], return_inverse=True)
    shared = np.zeros((len(names), int(found_at.max()) + 1))
    np.add.at(shared, (gold_at[inside], found_at), 1)
    rows, columns = linear_sum_assignment(-shared)
    return float(shared[rows, columns].sum() / len(found))
