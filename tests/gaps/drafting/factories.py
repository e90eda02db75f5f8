"""Builders for the tests of drafting and operating: a desk with a real database and folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gaps import repository
from gaps.drafting.publish import ArticleChange, PreparedArticle
from gaps.drafting.writer import DraftingSettings
from gaps.keeping.rows import StoredTopic, write_members, write_topic
from gaps.reading.tickets import hash_ticket
from gaps.types import Draft, Gap, GapKind, GapStatus, Reply, Ticket, TicketStatus, Topic
from ingest.article import parse_article
from ingest.chunking import chunk_document
from ingest.parsing.metadata import Defaults
from ingest.rendering import render_changed_article, render_new_article
from kb import articles, intake, vectors
from kb.clock import FixedClock
from kb.database import Database
from kb.encoding.hashing import HashingEncoder
from kb.errors import NotFoundError
from kb.generation import GenerationStore
from kb.retrieval.index import SearchIndex
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.types import (
    Audience,
    Chunk,
    ConfidenceState,
    Metadata,
    SearchRequest,
    StoredChunk,
)
from tests.kb.factories import make_document

NOW = datetime(2026, 11, 9, 9, tzinfo=UTC)
AUTHORITIES = ("policy", "procedure", "help_article", "crm_note")
WEIGHTS = {"semantic": 0.5, "lexical": 0.3, "title": 0.2}

PORTAL_STEPS = (
    'Open Company Portal → Devices and choose "Renew device certificate". Restart the laptop.',
    'Renewed it: open Company Portal → Devices, choose "Renew device certificate", restart.',
    'Please open Company Portal → Devices and choose "Renew device certificate". Then restart it.',
    'Go to Company Portal → Devices → "Renew device certificate". Restart the laptop afterwards.',
    'Open Company Portal → Devices, choose "Renew device certificate" and restart the laptop.',
    'First open Company Portal → Devices, then choose "Renew device certificate". Restart it.',
)


def make_ticket(number: int, resolution: str | None = None, **said: Any) -> Ticket:
    """A solved ticket about CC-418 of its own requester; `said` are its fields."""
    created = said.pop("created_at", NOW - timedelta(days=20) + timedelta(hours=number))
    basics: dict[str, Any] = {
        "subject": f"CC-418 posture check failed {number}",
        "body": "The VPN says CC-418 device posture check failed since this morning.",
        "status": TicketStatus.SOLVED,
        "audience": Audience.INTERNAL,
        "resolution": resolution,
        "requester": f"e-{number}",
    }
    return Ticket(f"T-{number}", created, **{**basics, **said})


def make_tickets(count: int = 9) -> list[Ticket]:
    return [make_ticket(n, PORTAL_STEPS[n % len(PORTAL_STEPS)]) for n in range(1, count + 1)]


def make_gap(tickets: Sequence[Ticket], **said: Any) -> Gap:
    basics: dict[str, Any] = {
        "gap_id": "gap_1",
        "topic_id": "topic_1",
        "kind": GapKind.MISSING,
        "status": GapStatus.OPEN,
        "title": "CC-418 posture check failed",
        "terms": ("cc-418",),
        "priority": 5.0,
        "probability": 0.9,
        "impact_per_week": 3.0,
        "audience": Audience.INTERNAL,
        "owner": "ines",
        "ticket_ids": tuple(t.ticket_id for t in tickets),
        "document_ids": (),
        "reasons": (),
        "weekly_counts": (3, 4),
        "first_seen_at": NOW - timedelta(days=20),
        "last_seen_at": NOW - timedelta(days=1),
    }
    return Gap(**{**basics, **said})


def make_reply(body: str, role: str = "agent") -> Reply:
    return Reply(role, NOW - timedelta(days=10), body)


def make_chunk(text: str, document_id: str = "a", **said: Any) -> StoredChunk:
    """A passage of a document; `said` are fields of its metadata."""
    return StoredChunk(f"ch_{document_id}", make_document(document_id, **said), (), text, 0)


class Desk:
    """A database, a folder that is its source, and everything that works on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "articles"
        self.folder.mkdir()
        self.database = Database(f"sqlite:///{folder / 'kb.db'}")
        self.database.migrate()
        self.encoder = HashingEncoder(256)
        store = GenerationStore(self.database, folder / "data")
        self.index = SearchIndex(self.database, store, self.encoder)
        self.retriever = Retriever(
            self.database, self.index, self.encoder, FixedClock(NOW),
            RetrieverRules(AUTHORITIES, WEIGHTS), None,
        )  # fmt: skip
        self.settings = DraftingSettings("help", AUTHORITIES)
        with self.database.write() as connection:
            for name, authority in (("help", "help_article"), ("policies", "policy")):
                intake.write_source(
                    connection, name=name, kind="markdown", location=str(self.folder),
                    authority=authority, audience=Audience.INTERNAL, owner="ines",
                    review_every_days=180,
                )  # fmt: skip
            repository.write_gap_run(connection, "run_1", at=NOW, since=None, until=None, report={})

    def close(self) -> None:
        self.index.close()
        self.database.close()

    def defaults(self, source: str) -> Defaults:
        authority = "policy" if source == "policies" else "help_article"
        return Defaults(
            authority, Audience.INTERNAL, "ines", 180, AUTHORITIES,
            ("ines", "tom", "beatriz", "jonas"),
        )  # fmt: skip

    def prepare(self, change: ArticleChange) -> PreparedArticle:
        """What api/wiring hands in: render, read back, chunk, embed."""
        prepared = self.render(change)
        self.embed(prepared.chunks)
        return prepared

    def render(self, change: ArticleChange) -> PreparedArticle:
        """`prepare` without keeping vectors, as for a replay."""
        file = self.folder / (change.base.path if change.base else f"{change.document_id}.md")
        present = file.read_bytes() if file.exists() else None
        if present is not None and change.base is not None:
            text = render_changed_article(
                present.decode(),
                change.markdown,
                title=change.title,
                verified_at=change.verified_at,
            )
        else:
            said = Metadata(
                change.title, change.audience, "help_article", change.owner,
                confidence_state=ConfidenceState.VALIDATED, last_verified_at=change.verified_at,
            )  # fmt: skip
            text = render_new_article(
                change.document_id, said, change.markdown,
                source_audience="internal", source_owner="ines",
            )  # fmt: skip
        parsed = self.parse(text, file.name, change.source)
        parts = chunk_document(parsed)
        present_hash = (
            self.parse(present.decode(), file.name, change.source).content_hash if present else None
        )
        return PreparedArticle(parsed, tuple(parts), file, text, present_hash)

    def parse(self, text: str, path: str, source: str = "help") -> Any:
        return parse_article(
            text.encode(), path, source=source, document_id=Path(path).stem,
            defaults=self.defaults(source),
        )  # fmt: skip

    def embed(self, parts: Sequence[Chunk]) -> None:
        texts = {p.content_hash: p.embedded for p in parts}
        vectors.embed_texts(self.database, self.encoder, texts)

    def add_article(
        self, document_id: str, markdown: str, *, title: str = "A title", source: str = "help",
        front: str = "", now: datetime = NOW - timedelta(days=60),
    ) -> None:  # fmt: skip
        """Write a file and store it as a sync would."""
        text = f"---\nid: {document_id}\ntitle: {title}\n{front}---\n\n{markdown}\n"
        path = f"{document_id}.md"
        (self.folder / path).write_text(text, encoding="utf-8")
        parsed = self.parse(text, path, source)
        parts = chunk_document(parsed)
        self.embed(parts)
        with self.database.write() as connection:
            intake.write_version(connection, parsed, parts, now=now, author="sync", reason="test")

    def add_gap(self, tickets: Sequence[Ticket], **said: Any) -> Gap:
        gap = make_gap(tickets, **said)
        topic = Topic(gap.topic_id, gap.title, (), gap.ticket_ids)
        with self.database.write() as connection:
            known = repository.read_ticket_hashes(connection, [t.ticket_id for t in tickets])
            for ticket in tickets:
                if ticket.ticket_id not in known:
                    repository.write_ticket(
                        connection, ticket, hash_ticket(ticket), exists=False, now=NOW
                    )
            vector = self.encoder.encode([gap.title])[0]
            write_topic(connection, StoredTopic(topic, vector, self.encoder.recipe, NOW, NOW))
            write_members(connection, gap.topic_id, dict.fromkeys(gap.ticket_ids, 1.0), now=NOW)
            repository.write_gap(connection, gap, run_id="run_1", now=NOW)
        return gap

    def search(self, query: str, audience: Audience = Audience.INTERNAL) -> list[str]:
        """Document ids, best first."""
        answer = self.retriever.search(SearchRequest(query), audience)
        return [hit.chunk.document.document_id for hit in answer.hits]

    def read_gap(self, gap_id: str = "gap_1") -> Gap:
        with self.database.read() as connection:
            return repository.read_gap(connection, gap_id)

    def version_of(self, document_id: str) -> int | None:
        with self.database.read() as connection:
            try:
                return articles.read_document(connection, document_id).version
            except NotFoundError:
                return None

    def is_synced(self, draft: Draft) -> bool:
        """Whether a sync of the folder would find the draft's document unchanged."""
        file = self.folder / f"{draft.document_id}.md"
        with self.database.read() as connection:
            state = articles.read_states(connection).get(draft.document_id or "")
        if not file.exists() or state is None or state.deleted:
            return not file.exists() and (state is None or state.deleted)
        parsed = self.parse(file.read_text(encoding="utf-8"), file.name)
        return (parsed.content_hash, parsed.metadata_hash) == (
            state.content_hash,
            state.metadata_hash,
        )
