"""Which articles lie near each other, in blocks of a matrix product; pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kb.ports import Vectors

BLOCK_ROWS = 256
MOST_TWINS = 10
"""Of one article: a thousand copies of one text are one matter, and a million pairs are none."""


def find_twins(
    vectors: Vectors, compared: Sequence[int], floor: float
) -> list[tuple[int, int, float]]:
    """Rows near enough to the compared ones, at most the ten nearest of each.

    Args:
        vectors: Unit vectors, one a row.
        compared: Rows that are new; pairs of two old ones are known already.
        floor: Least cosine.

    Returns:
        Lower row, higher row, cosine; each pair once, in order.
    """
    found: dict[tuple[int, int], float] = {}
    wanted: NDArray[np.int64] = np.asarray(sorted(compared), np.int64)
    for start in range(0, len(wanted), BLOCK_ROWS):
        rows = wanted[start : start + BLOCK_ROWS]
        similar = vectors[rows] @ vectors.T
        similar[np.arange(len(rows)), rows] = -1.0
        if len(vectors) > MOST_TWINS:
            nearest = np.argpartition(-similar, MOST_TWINS - 1, axis=1)[:, :MOST_TWINS]
        else:
            nearest = np.tile(np.arange(len(vectors)), (len(rows), 1))
        cosines = np.take_along_axis(similar, nearest, axis=1)
        for i, j in zip(*np.nonzero(cosines >= floor), strict=True):
            one, two = int(rows[i]), int(nearest[i, j])
            found[min(one, two), max(one, two)] = float(cosines[i, j])
    return [(one, two, cosine) for (one, two), cosine in sorted(found.items())]
