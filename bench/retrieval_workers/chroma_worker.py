"""chromadb as in its getting-started: a persistent collection, `add` and `query`.

It does not split texts: what counts as a text is the row's `units`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from serve import first_articles, model_directory, read_units

BATCH = 1_000
PASSAGES = 60
"""Nearest passages asked for, so that ten articles are among them."""


class ChromaSystem:
    def __init__(self) -> None:
        self._collection: Any = None

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        client, encoder = self._connect(options)
        collection = client.create_collection("articles", embedding_function=encoder)
        units = read_units(options)
        for start in range(0, len(units), BATCH):
            part = units[start : start + BATCH]
            collection.add(
                ids=[str(start + place) for place in range(len(part))],
                documents=[f"{unit['title']}\n{unit['text']}" for unit in part],
                metadatas=[{"article": unit["article"]} for unit in part],
            )
        return {"units": len(units)}

    def open(self, options: dict[str, Any]) -> None:
        client, encoder = self._connect(options)
        self._collection = client.get_collection("articles", embedding_function=encoder)

    def _connect(self, options: dict[str, Any]) -> tuple[Any, Any]:
        import chromadb
        from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(path=options["store"], settings=settings)
        return client, SentenceTransformerEmbeddingFunction(model_name=model_directory())

    def search(self, query: str) -> list[str]:
        found = self._collection.query(
            query_texts=[query], n_results=PASSAGES, include=["metadatas"]
        )
        return first_articles(held["article"] for held in found["metadatas"][0])

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        pass


SYSTEM = ChromaSystem()
