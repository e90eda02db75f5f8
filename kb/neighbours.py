"""Which texts lie near each other across documents, in blocks of a matrix; pure.

Twenty thousand sentences are four hundred million cosines: seconds in blocks of numpy, hours one
document pair at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kb.ports import Vectors

BLOCK_ROWS = 512
Places = NDArray[np.int64]
Near = tuple[Places, Places, Vectors]
"""Left rows, right rows and their cosines."""


def find_near(
    vectors: Vectors, owners: Places, related: Vectors, floors: tuple[tuple[float, float], ...]
) -> Near:
    """Pairs of rows of two owners that lie near enough for how near their owners lie.

    Args:
        vectors: Unit vectors, one a row.
        owners: Of each row, in ascending order.
        related: Cosines between owners; -1 where two are not to be compared.
        floors: Pairs of least cosine between owners and least cosine between rows; one that holds
            is enough.

    Returns:
        Left rows, right rows (of a later owner) and their cosines, in the order of rows.
    """
    found = list(_blocks(vectors, owners, related, floors))
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0, np.float32)
    rows, columns, cosines = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(cosines)


def _blocks(
    vectors: Vectors, owners: Places, related: Vectors, floors: tuple[tuple[float, float], ...]
) -> Iterator[Near]:
    least = min(rows for _, rows in floors)
    for start in range(0, len(vectors), BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, len(vectors))
        # Owners are in order: everything of a later owner stands further on.
        first = int(np.searchsorted(owners, owners[start], side="right"))
        if first == len(vectors):
            return
        similar = vectors[start:stop] @ vectors[first:].T
        rows, columns = np.nonzero(similar >= least)
        cosines = similar[rows, columns]
        rows, columns = rows + start, columns + first
        near = related[owners[rows], owners[columns]]
        kept = np.zeros(len(rows), bool)
        for owner_floor, row_floor in floors:
            kept |= (near >= owner_floor) & (cosines >= row_floor)
        kept &= owners[rows] < owners[columns]
        yield rows[kept], columns[kept], cosines[kept]


def keep_mutual(near: Near, owners: Places) -> Near:
    """Only pairs in which each is the other's nearest of that owner; ties all stay.

    Args:
        near: Pairs.
        owners: Of each row of the vectors the pairs are of.
    """
    rows, columns, cosines = near
    count = int(owners.max()) + 1 if len(owners) else 1
    kept = np.ones(len(rows), bool)
    for mine, other in ((rows, columns), (columns, rows)):
        group = mine * count + owners[other]
        order = np.argsort(group, kind="stable")
        if not len(order):
            break
        sorted_group = group[order]
        starts = np.flatnonzero(np.r_[True, sorted_group[1:] != sorted_group[:-1]])
        best = np.maximum.reduceat(cosines[order], starts)
        sizes = np.diff(np.r_[starts, len(order)])
        kept[order] &= cosines[order] >= np.repeat(best, sizes) - 1e-6
    return select_near(near, kept)


def select_near(near: Near, kept: NDArray[np.bool_]) -> Near:
    rows, columns, cosines = near
    return rows[kept], columns[kept], cosines[kept]
