"""llama-index's quick start on Chroma: `VectorStoreIndex.from_documents`, its own splitter.

The title is metadata, which llama-index embeds with every passage unless told otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve import first_articles, model_directory, read_units

PASSAGES = 40


class LlamaIndexSystem:
    def __init__(self) -> None:
        self._retriever: Any = None

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        from llama_index.core import Document, StorageContext, VectorStoreIndex

        store = self._connect(options)
        documents = [
            Document(
                id_=f"{place}:{unit['article']}",
                text=unit["text"],
                metadata={"title": unit["title"]},
            )
            for place, unit in enumerate(read_units(options))
        ]
        VectorStoreIndex.from_documents(
            documents,
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=self._encoder(),
        )
        return {"units": store.client.count()}

    def open(self, options: dict[str, Any]) -> None:
        from llama_index.core import VectorStoreIndex

        index = VectorStoreIndex.from_vector_store(
            self._connect(options), embed_model=self._encoder()
        )
        self._retriever = index.as_retriever(similarity_top_k=PASSAGES)

    def _connect(self, options: dict[str, Any]) -> Any:
        import chromadb
        from llama_index.vector_stores.chroma import ChromaVectorStore

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(
            path=str(Path(options["store"]) / "chroma"), settings=settings
        )
        return ChromaVectorStore(chroma_collection=client.get_or_create_collection("quickstart"))

    def _encoder(self) -> Any:
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        return HuggingFaceEmbedding(model_name=model_directory())

    def search(self, query: str) -> list[str]:
        found = self._retriever.retrieve(query)
        return first_articles(hit.node.ref_doc_id.partition(":")[2] for hit in found)

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        pass


SYSTEM = LlamaIndexSystem()
