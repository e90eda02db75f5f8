"""A LlamaIndex retriever: nodes with verdicts, in the order of `/v1/search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.compat.answers import Answer, hit_metadata, score_hits
from api.compat.connections import Connection, connect

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.callbacks.base import CallbackManager
    from llama_index.core.schema import (
        NodeRelationship,
        NodeWithScore,
        QueryBundle,
        RelatedNodeInfo,
        TextNode,
    )
except ImportError as error:
    raise ImportError(
        "api.compat.llama_index needs llama-index-core: pip install llama-index-core"
    ) from error

SHOWN_TO_MODELS = frozenset(
    {"document_id", "title", "url", "authority", "freshness", "action_class", "unverified"}
)
"""Metadata that LlamaIndex puts before a node's text in a prompt; the rest stays on the node."""


class KbopsRetriever(BaseRetriever):
    """Asks over HTTP (`url`) or in this process (`config`, the path of kb.toml), as the key may.

    Every node has the document's verdicts as metadata, and a score that is the confidence that the
    question is answered, shared out by rank.
    """

    def __init__(
        self,
        *,
        key: str = "",
        url: str | None = None,
        config: Path | str | None = None,
        connection: Connection | None = None,
        top_k: int = 10,
        labels: Sequence[str] = (),
        products: Sequence[str] = (),
        only_answerable: bool = False,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """Connect.

        Args:
            key: An agent's key; what it may read is what is found.
            url: Of a running service.
            config: Path of kb.toml, to ask in this process.
            connection: In place of these three.
            top_k: Most nodes, 1 to 50.
            labels: Only documents with one of them; all where empty.
            products: Only what holds for one of them; all where empty.
            only_answerable: No nodes where the knowledge base does not answer the question.
            callback_manager: LlamaIndex's own.

        Raises:
            InvalidInputError: Neither or both of url and config, or a wrong kb.toml.
            UnauthenticatedError: In this process, the key is not valid.
        """
        super().__init__(callback_manager=callback_manager)
        self._connection = connection or connect(key=key, url=url, config=config)
        self._only_answerable = only_answerable
        self._limits: dict[str, Any] = {
            "top_k": top_k, "labels": list(labels), "products": list(products),
        }  # fmt: skip

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._read(self._connection.search(self._body(query_bundle)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._read(await self._connection.asearch(self._body(query_bundle)))

    def _body(self, asked: QueryBundle) -> dict[str, Any]:
        return {"query": asked.query_str, **self._limits}

    def _read(self, answer: Answer) -> list[NodeWithScore]:
        if self._only_answerable and not answer["answerable"]:
            return []
        scores = score_hits(answer)
        return [
            NodeWithScore(node=_make_node(answer, hit), score=score)
            for hit, score in zip(answer["hits"], scores, strict=True)
        ]


def _make_node(answer: Answer, hit: dict[str, Any]) -> TextNode:
    said = hit_metadata(answer, hit)
    return TextNode(
        id_=hit["chunk_id"],
        text=hit["text"],
        metadata=said,
        excluded_embed_metadata_keys=list(said),
        excluded_llm_metadata_keys=[key for key in said if key not in SHOWN_TO_MODELS],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=hit["document_id"])},
    )
