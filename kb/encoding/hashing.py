"""Words hashed to vectors; needs no model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from kb.ports import Vectors


class HashingEncoder:
    """Words hashed to vectors: shared words mean closeness. For tests and for soak runs.

    Deterministic on every machine, needs no model, and ranks meaningfully, so that what is
    tested on it is ranking and not luck.
    """

    def __init__(self, dimensions: int = 128) -> None:
        self._dimensions = dimensions
        self.encoded_count = 0

    @property
    def recipe(self) -> str:
        return f"hashing/{self._dimensions}/v1"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded_count += len(texts)
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                slot = int.from_bytes(digest[:4], "big") % self._dimensions
                vectors[row, slot] += 1.0 if digest[4] & 1 else -1.0
            norm = float(np.linalg.norm(vectors[row]))
            if norm == 0.0:
                vectors[row, 0] = 1.0
            else:
                vectors[row] /= norm
        return vectors
