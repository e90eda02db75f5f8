"""Builders shared by the tests of `kb`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.chunking import chunk_document
from ingest.fingerprints import hash_content, hash_metadata
from kb import intake
from kb.clock import FixedClock
from kb.database import Database
from kb.encoding.hashing import HashingEncoder
from kb.fusion import FUSION_WEIGHTS
from kb.generation import Generation, GenerationStore
from kb.ports import Encoder
from kb.retrieval.index import SearchIndex
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.types import (
    Audience,
    Document,
    Freshness,
    FreshnessVerdict,
    Hit,
    Metadata,
    ParsedDocument,
    SearchRequest,
    SearchResponse,
    StoredChunk,
)
from kb.vectors import embed_live

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
AUTHORITIES = ("policy", "procedure", "manager_instruction", "help_article", "crm_note")


def make_metadata(title: str = "A title", **said: Any) -> Metadata:
    basics = {"audience": Audience.PUBLIC, "authority": "help_article", "owner": "ana"}
    return Metadata(title, **{**basics, **said})


def make_document(document_id: str = "a", *, updated_at: datetime = NOW, **said: Any) -> Document:
    """A stored document; `said` are fields of its metadata."""
    return Document(
        document_id=document_id,
        source="help",
        path=f"{document_id}.md",
        metadata=make_metadata(**said),
        version=1,
        content_hash="c",
        metadata_hash="m",
        updated_at=updated_at,
    )


def make_hit(text: str, *, document_id: str = "a", title: str = "T", **said: Any) -> Hit:
    """A hit on one passage; `said` are fields of the hit itself."""
    chunk = StoredChunk(f"ch_{document_id}", make_document(document_id, title=title), (), text, 0)
    fresh = Freshness(FreshnessVerdict.FRESH, (), None, 0)
    return Hit(chunk, 1.0, fresh, **said)


def make_parsed(
    document_id: str, markdown: str = "Press the button.", **said: Any
) -> ParsedDocument:
    """What a source would state; `said` are fields of the metadata."""
    metadata = make_metadata(**{"title": f"About {document_id}", **said})
    path = f"{document_id}.md"
    return ParsedDocument(
        document_id,
        "help",
        path,
        metadata,
        markdown,
        hash_content(markdown, metadata.title),
        hash_metadata(metadata, path),
    )


class Knowledge:
    """A knowledge base on a real SQLite file and, once built, real Chroma generations."""

    def __init__(self, folder: Path, encoder: Encoder | None = None) -> None:
        self.folder = folder
        self.clock = FixedClock(NOW)
        self.encoder = encoder or HashingEncoder(64)
        self.database = Database(f"sqlite:///{folder / 'kb.db'}")
        self.database.migrate()
        self.store = GenerationStore(self.database, folder)
        self._index: SearchIndex | None = None

    @property
    def index(self) -> SearchIndex:
        """As a new process would find it, until `forget` is called."""
        if self._index is None:
            self._index = SearchIndex(self.database, self.store, self.encoder)
        return self._index

    def forget(self) -> None:
        if self._index is not None:
            self._index.close()
        self._index = None

    def put(self, *documents: ParsedDocument) -> None:
        """Store a new version of each document, and embed what is live."""
        with self.database.write() as connection:
            self._write_source(connection)
            for parsed in documents:
                intake.write_version(
                    connection, parsed, chunk_document(parsed), now=NOW, author="t", reason="test"
                )
        embed_live(self.database, self.encoder)

    def put_metadata(self, parsed: ParsedDocument) -> None:
        with self.database.write() as connection:
            intake.write_metadata(connection, parsed, now=NOW)

    def delete(self, document_id: str) -> None:
        with self.database.write() as connection:
            intake.delete_document(connection, document_id, now=NOW)

    def _write_source(self, connection: Any) -> None:
        intake.write_source(
            connection, name="help", kind="markdown", location="articles",
            authority="help_article", audience=Audience.PUBLIC, owner="ana",
            review_every_days=90,
        )  # fmt: skip

    def build(self) -> Generation:
        """Seal a generation and serve it."""
        generation = self.store.build(self.encoder.recipe, now=NOW)
        self.store.activate(generation.generation_id, actor="t", now=NOW)
        return generation

    def ask(
        self,
        query: str,
        audience: Audience = Audience.INTERNAL,
        *,
        now: datetime = NOW,
        **request: Any,
    ) -> SearchResponse:
        rules = RetrieverRules(AUTHORITIES, FUSION_WEIGHTS)
        retriever = Retriever(self.database, self.index, self.encoder, FixedClock(now), rules, None)
        return retriever.search(SearchRequest(query, **request), audience)

    def find(self, query: str, audience: Audience = Audience.INTERNAL, **asked: Any) -> list[str]:
        """Ids of the documents found, best first."""
        return ids_of(self.ask(query, audience, **asked).hits)

    def close(self) -> None:
        self.forget()
        self.database.close()


def ids_of(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.document.document_id for hit in hits]


def with_said(document: Document, **said: Any) -> Document:
    """The document with other metadata."""
    return replace(document, metadata=replace(document.metadata, **said))
