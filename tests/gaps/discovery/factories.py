from __future__ import annotations

import numpy as np

from kb.ports import Vectors

DIMENSIONS = 48


def make_blobs(
    sizes: list[int], *, noise: int = 0, spread: float = 0.6, seed: int = 1
) -> tuple[list[str], Vectors]:
    """Unit rows around random directions and in all directions, with ids that say which.

    A row's cosine with its direction is about 1 / sqrt(1 + spread squared).
    """
    generator = np.random.default_rng(seed)
    rows, ids = [], []
    for blob, size in enumerate(sizes):
        direction = generator.normal(size=DIMENSIONS)
        direction /= np.linalg.norm(direction)
        offsets = generator.normal(size=(size, DIMENSIONS)) / np.sqrt(DIMENSIONS)
        rows.append(direction + spread * offsets)
        ids += [f"b{blob:02}-{member:05}" for member in range(size)]
    rows.append(generator.normal(size=(noise, DIMENSIONS)))
    ids += [f"noise-{member:05}" for member in range(noise)]
    matrix = np.concatenate(rows)
    return ids, (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
