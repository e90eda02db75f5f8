"""txtai's quick start: `Embeddings` with content, one text an article, dense or hybrid.

txtai embeds up to 512 word pieces of a text where sentence-transformers stops at this model's 256.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from serve import DEPTH, first_articles, model_directory, read_units

PASSAGES = 60


class TxtaiSystem:
    def __init__(self) -> None:
        self._embeddings: Any = None
        self._limit = DEPTH
        self._lock = threading.Lock()
        """Without it the process ends with a fault in sqlite3 at 8 callers (txtai 9.14.0)."""
        self._articles: list[str] = []

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        from txtai import Embeddings

        units = read_units(options)
        embeddings = Embeddings(path=model_directory(), content=True, hybrid=options["hybrid"])
        embeddings.index(
            (place, f"{unit['title']}\n{unit['text']}") for place, unit in enumerate(units)
        )
        embeddings.save(options["store"])
        return {"units": embeddings.count()}

    def open(self, options: dict[str, Any]) -> None:
        from txtai import Embeddings

        self._articles = [unit["article"] for unit in read_units(options)]
        if len(set(self._articles)) < len(self._articles):
            self._limit = PASSAGES
        self._embeddings = Embeddings()
        self._embeddings.load(options["store"])

    def search(self, query: str) -> list[str]:
        with self._lock:
            found = self._embeddings.search(query, self._limit)
        return first_articles(self._articles[int(hit["id"])] for hit in found)

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        if self._embeddings is not None:
            self._embeddings.close()


SYSTEM = TxtaiSystem()
