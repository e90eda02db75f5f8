"""A LangChain retriever: documents with verdicts, in the order of `/v1/search`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, SecretStr

from api.compat.answers import Answer, hit_metadata, score_hits
from api.compat.connections import Connection, connect

try:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ImportError as error:
    raise ImportError(
        "api.compat.langchain needs langchain-core: pip install 'kbops[langchain]'"
    ) from error


class KbopsRetriever(BaseRetriever):
    """Asks over HTTP (`url`) or in this process (`config`, the path of kb.toml), as the key may.

    Every document has its verdicts as metadata, and as `score` the confidence that the question is
    answered, shared out by rank.
    """

    key: SecretStr = SecretStr("")
    """An agent's key; what it may read is what is found."""
    url: str | None = None
    """Of a running service."""
    config: Path | None = None
    """Path of kb.toml, to ask in this process."""
    connection: Connection | None = Field(default=None, exclude=True, repr=False)
    """In place of these three."""
    top_k: int = Field(default=10, ge=1, le=50)
    labels: list[str] = Field(default_factory=list)
    """Only documents with one of them; all where empty."""
    products: list[str] = Field(default_factory=list)
    """Only what holds for one of them; all where empty."""
    only_answerable: bool = False
    """No documents where the knowledge base does not answer the question."""
    _connected: Connection = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Connect.

        Raises:
            InvalidInputError: Neither or both of url and config, or a wrong kb.toml.
            UnauthenticatedError: In this process, the key is not valid.
        """
        super().model_post_init(context)
        self._connected = self.connection or connect(
            key=self.key.get_secret_value(), url=self.url, config=self.config
        )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self._read(self._connected.search(self._body(query)))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self._read(await self._connected.asearch(self._body(query)))

    def _body(self, query: str) -> dict[str, Any]:
        return {
            "query": query,
            "top_k": self.top_k,
            "labels": self.labels,
            "products": self.products,
        }

    def _read(self, answer: Answer) -> list[Document]:
        if self.only_answerable and not answer["answerable"]:
            return []
        return [
            Document(
                id=hit["chunk_id"],
                page_content=hit["text"],
                metadata=hit_metadata(answer, hit) | {"score": score},
            )
            for hit, score in zip(answer["hits"], score_hits(answer), strict=True)
        ]
