"""Rows of vectors that are safe to multiply; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kb.ports import Vectors


def read_rows(vectors: Vectors, rows: NDArray[np.intp] | slice) -> Vectors:
    """float32 copies of some rows; one that is not finite becomes zero.

    Args:
        vectors: float (any, dimensions); may be float16 or memory-mapped.
    """
    matrix = np.array(vectors[rows], np.float32)
    # A sum is finite only if every number is, or nearly so large that it is no unit row.
    broken = ~np.isfinite(matrix.sum(axis=1))
    matrix[broken] = 0.0
    return matrix


def unit_rows(matrix: Vectors) -> Vectors:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(matrix, axis=-1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1.0), np.float32)
