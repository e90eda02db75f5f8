"""An encoder that keeps every vector in the database, so that no text is embedded twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kb import vectors
from kb.database import Database
from kb.ports import Encoder, Vectors


class KeepingEncoder:
    """The given encoder behind the store of embeddings.

    Writes in its own short transactions: never use it inside one that holds the write lock.
    """

    def __init__(self, database: Database, encoder: Encoder) -> None:
        self._database = database
        self._encoder = encoder

    @property
    def recipe(self) -> str:
        return self._encoder.recipe

    @property
    def dimensions(self) -> int:
        return self._encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors in the texts' order, rows of length 1.

        Raises:
            UnavailableError: The encoder or the database is away.
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        hashed = {vectors.hash_text(text): text for text in texts}
        found, _ = vectors.embed_texts(self._database, self._encoder, hashed)
        return np.stack([found[vectors.hash_text(text)] for text in texts])
