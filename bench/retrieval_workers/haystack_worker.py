"""Haystack's documented pipelines: split, embed, write; then embed and retrieve, or hybrid.

Hybrid adds BM25 beside the embeddings and joins both by reciprocal rank, as in its tutorial.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve import first_articles, model_directory, read_units

PASSAGES = 40


class HaystackSystem:
    def __init__(self) -> None:
        self._pipeline: Any = None
        self._hybrid = False

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        from haystack import Document, Pipeline
        from haystack.components.preprocessors import DocumentSplitter
        from haystack.components.writers import DocumentWriter
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
        )

        store = InMemoryDocumentStore()
        indexing = Pipeline()
        # 200 words is its default; the tutorials overlap passages.
        indexing.add_component("split", DocumentSplitter(split_by="word", split_overlap=20))
        embedder = SentenceTransformersDocumentEmbedder(
            model=model_directory(), meta_fields_to_embed=["title"], progress_bar=False
        )
        indexing.add_component("embed", embedder)
        indexing.add_component("write", DocumentWriter(store))
        indexing.connect("split", "embed")
        indexing.connect("embed", "write")
        documents = [
            Document(content=u["text"], meta={"article": u["article"], "title": u["title"]})
            for u in read_units(options)
        ]
        indexing.run({"split": {"documents": documents}})
        store.save_to_disk(str(Path(options["store"]) / "documents.json"))
        return {"units": store.count_documents()}

    def open(self, options: dict[str, Any]) -> None:
        from haystack import Pipeline
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers.in_memory import (
            InMemoryBM25Retriever,
            InMemoryEmbeddingRetriever,
        )
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersTextEmbedder,
        )

        self._hybrid = options["hybrid"]
        store = InMemoryDocumentStore.load_from_disk(str(Path(options["store"]) / "documents.json"))
        asking = Pipeline()
        embedder = SentenceTransformersTextEmbedder(model=model_directory(), progress_bar=False)
        asking.add_component("embed", embedder)
        asking.add_component("near", InMemoryEmbeddingRetriever(store, top_k=PASSAGES))
        asking.connect("embed.embedding", "near.query_embedding")
        if self._hybrid:
            asking.add_component("words", InMemoryBM25Retriever(store, top_k=PASSAGES))
            asking.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
            asking.connect("near", "join")
            asking.connect("words", "join")
        asking.warm_up()
        self._pipeline = asking

    def search(self, query: str) -> list[str]:
        asked = {"embed": {"text": query}}
        if self._hybrid:
            asked["words"] = {"query": query}
        found = self._pipeline.run(asked)["join" if self._hybrid else "near"]["documents"]
        return first_articles(document.meta["article"] for document in found)

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        pass


SYSTEM = HaystackSystem()
