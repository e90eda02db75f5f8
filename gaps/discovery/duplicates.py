"""Which tickets say the same, exactly or nearly; pure, and never quadratic.

Copies shatter a neighbour graph: what was sent two hundred times has only its copies as neighbours.
So they are set aside before topics are looked for, and join their first copy's topic afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gaps.discovery.rows import read_rows
from kb.ports import Vectors

Places = NDArray[np.intp]

NEAR_DUPLICATE = 0.97
"""Cosine from which two texts count as one."""
PAIRED = 10_000
"""Up to so many rows every pair is compared."""
BITS = 64
ROTATIONS = (0, 16, 32, 48)
WINDOW = 4
"""Rows compared in each sorted list of signatures."""
DIFFERENT_BITS = 12
"""At cosine .97 two signatures differ in 5 of 64 bits on average (Charikar, "Similarity estimation
techniques from rounding algorithms", STOC 2002), and in more than 12 about once in 800."""
BLOCK = 20_000
THINNED = 500
HYPERPLANE_SEED = 64


def find_leaders(text_hashes: Sequence[str], vectors: Vectors, rows: Places) -> Places:
    """Each position's leader: the first one with the same text or a nearly equal vector.

    Equal texts are always found, near duplicates always up to 10,000 distinct texts and above that
    mostly: only those close in one of four sorted lists of their signatures are compared.

    Args:
        text_hashes: One a position; equal means the same text.
        vectors: float (any, dimensions), rows of length 1; may be memory-mapped.
        rows: Row of each position in `vectors`.

    Returns:
        Positions; a leader is its own, and nothing comes before its leader.
    """
    leaders = find_copies(text_hashes)
    distinct = np.nonzero(leaders == np.arange(len(leaders)))[0]
    first = distinct[find_near_leaders(vectors, rows[distinct])]
    return np.asarray(first[np.searchsorted(distinct, leaders)], np.intp)


def find_copies(text_hashes: Sequence[str]) -> Places:
    """Each row's first row with the same text."""
    first: dict[str, int] = {}
    return np.fromiter(
        (first.setdefault(text_hash, row) for row, text_hash in enumerate(text_hashes)),
        np.intp,
        len(text_hashes),
    )


def find_near_leaders(vectors: Vectors, rows: Places) -> Places:
    """Each position's first one that is near it, or near one that is near it, and so on."""
    search = _every_pair if len(rows) <= PAIRED else _likely_pairs
    count = len(rows)
    nothing = np.zeros(0, np.intp)
    left, right = zip((nothing, nothing), *search(vectors, rows), strict=True)
    near = (np.concatenate(left), np.concatenate(right))
    groups = coo_array((np.ones(len(near[0]), bool), near), shape=(count, count))
    _, group_of = connected_components(groups, directed=False)
    _, first = np.unique(group_of, return_index=True)
    return np.asarray(first[group_of], np.intp)


def _every_pair(vectors: Vectors, rows: Places) -> Iterator[tuple[Places, Places]]:
    matrix = read_rows(vectors, rows)
    for start in range(0, len(rows), PAIRED // 10):
        near = matrix[start : start + PAIRED // 10] @ matrix[start:].T >= NEAR_DUPLICATE
        left, right = np.nonzero(np.triu(near, 1))
        yield left + start, right + start


def _likely_pairs(vectors: Vectors, rows: Places) -> Iterator[tuple[Places, Places]]:
    signatures = _sign(vectors, rows)
    for rotation in ROTATIONS:
        turned = (signatures << np.uint64(rotation)) | (
            signatures >> np.uint64((BITS - rotation) % BITS)
        )
        order = np.argsort(turned, kind="stable")
        for step in range(1, WINDOW + 1):
            left, right = order[:-step], order[step:]
            alike = np.bitwise_count(signatures[left] ^ signatures[right]) <= DIFFERENT_BITS
            yield _keep_near(vectors, rows, left[alike], right[alike])


def _sign(vectors: Vectors, rows: Places) -> NDArray[np.uint64]:
    """On which side of 64 random hyperplanes through the origin each row lies.

    Not through the middle of all rows: a flood of near copies would be their middle, and be cut.
    """
    planes = np.random.default_rng(HYPERPLANE_SEED).normal(size=(vectors.shape[1], BITS))
    planes = planes.astype(np.float32)
    signatures = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), BLOCK):
        side = read_rows(vectors, rows[start : start + BLOCK]) @ planes > 0
        signatures[start : start + BLOCK] = np.packbits(side, axis=1).view(np.uint64)[:, 0]
    return signatures


def _keep_near(
    vectors: Vectors, rows: Places, left: Places, right: Places
) -> tuple[Places, Places]:
    near = np.zeros(len(left), bool)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        first = read_rows(vectors, rows[left[part]])
        second = read_rows(vectors, rows[right[part]])
        near[part] = np.einsum("ij,ij->i", first, second) >= NEAR_DUPLICATE
    return left[near], right[near]


def thin(matrix: Vectors, *, likeness: float, crowd: int, most: int) -> Places:
    """The first rows of which none has more than a few as alike as that before it.

    Args:
        matrix: float32 (rows, dimensions), rows of length 1.
        likeness: Cosine from which rows are alike.
        crowd: A row is dropped once so many kept ones are alike it.
        most: Rows to keep.
    """
    kept = np.zeros((0, matrix.shape[1]), np.float32)
    places: list[int] = []
    for start in range(0, len(matrix), THINNED):
        block = matrix[start : start + THINNED]
        alike = (block @ kept.T >= likeness).sum(axis=1)
        close = np.triu(block @ block.T >= likeness, 1)
        for row in range(len(block)):
            if alike[row] < crowd:
                alike += close[row]
                places.append(start + row)
        if len(places) >= most:
            break
        kept = matrix[places]
    return np.asarray(places[:most], np.intp)
