"""Bring what is stored to what a source states: all of it, or nothing.

Embeddings come first, because they are slow and true whatever happens next. Then one write
transaction plans against the state it sees, applies the plan, tells the audit log and commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ingest.chunking import chunk_document
from ingest.plan import Refusal, SyncPlan, plan_sync
from ingest.sources.port import Source, SourceFacts, SourceListing
from kb import articles, intake
from kb.audit import write_entry
from kb.database import Database
from kb.errors import ConflictError
from kb.ports import Clock, Encoder
from kb.types import Chunk
from kb.vectors import ENCODE_BATCH, embed_texts

MAX_ATTEMPTS = 5
"""Plans made stale by another writer before giving up; each needs a write between two reads."""

Progress = Callable[[int, int], None]
Parts = Mapping[str, Sequence[Chunk]]
Held = Callable[[Connection], Collection[str]]
"""Ids of documents that somebody else is just bringing into the source's files."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What one sync of one source did; counts of documents, and of texts encoded."""

    name: str
    listed: int
    new: int
    changed: int
    metadata_only: int
    deleted: int
    unchanged: int
    refused: tuple[dict[str, Any], ...]
    """Each with path and reason, and the line where there is one."""
    embedded: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listed": self.listed,
            "new": self.new,
            "changed": self.changed,
            "metadata_only": self.metadata_only,
            "deleted": self.deleted,
            "unchanged": self.unchanged,
            "refused": list(self.refused),
            "embedded": self.embedded,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class _Start:
    """What was stored before the source was read: what differs later is newer than the listing."""

    states: Mapping[str, articles.StoredState]
    held: frozenset[str]


def sync_source(
    database: Database,
    encoder: Encoder,
    source: Source,
    *,
    clock: Clock,
    actor: str = "sync",
    progress: Progress | None = None,
    held: Held = lambda _connection: (),
) -> SourceReport:
    """Sync one source.

    An unchanged source writes nothing and encodes nothing. What a stopped sync leaves behind is
    the earlier state, plus embeddings the next one need not make again. A document that changes in
    the database while the source is read, as by a publication, is left to the next sync.

    Args:
        database: Holds the truth.
        encoder: Embeds new texts.
        source: What to read.
        clock: Dates what is written.
        actor: Author of versions and of the audit entry.
        progress: Told texts embedded so far and in all.
        held: Names the documents to leave alone: their files do not say yet what is stored.

    Raises:
        InvalidInputError: The source's location is wrong.
        UnavailableError: Source, encoder or database cannot be reached; nothing was changed.
        ConflictError: Others kept changing what is stored.
    """
    started = time.monotonic()
    with database.read() as connection:
        start = _Start(articles.read_states(connection), frozenset(held(connection)))
    listing = source.read_documents()
    parts: dict[str, list[Chunk]] = {}
    embedded = 0
    for _ in range(MAX_ATTEMPTS):
        with database.read() as connection:
            plan = _plan(connection, listing, source.name, start, held)
            settled = plan.writes_nothing and _is_stored(connection, source.facts)
        if not settled:
            parts |= {
                parsed.document_id: chunk_document(parsed)
                for parsed in (*plan.new, *plan.changed)
                if parsed.document_id not in parts
            }
            embedded += _embed_parts(database, encoder, parts, progress)
            with database.write() as connection:
                settled = _plan(connection, listing, source.name, start, held) == plan
                if settled:
                    _apply(connection, plan, parts, source.facts, clock.now(), actor)
        if settled:
            return _report(source.name, listing, plan, embedded, time.monotonic() - started)
    raise ConflictError(f"source {source.name}: others kept changing its documents; try again")


def _plan(
    connection: Connection, listing: SourceListing, name: str, start: _Start, held: Held
) -> SyncPlan:
    states = articles.read_states(connection)
    moving = {key for key, state in states.items() if start.states.get(key) != state}
    moving |= start.held | set(held(connection))
    plan = plan_sync(
        [parsed for parsed in listing.documents if parsed.document_id not in moving],
        {key: state for key, state in states.items() if key not in moving},
        name,
        complete=listing.complete,
        refused_paths={path for path, _ in listing.refused},
    )
    left = tuple(parsed for parsed in listing.documents if parsed.document_id in moving)
    return replace(plan, unchanged=plan.unchanged + left)


def _is_stored(connection: Connection, facts: SourceFacts) -> bool:
    row = next((r for r in articles.read_sources(connection) if r["name"] == facts.name), None)
    return row is not None and all(
        row[key] == value for key, value in _source_columns(facts).items()
    )


def _source_columns(facts: SourceFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "kind": facts.kind,
        "location": facts.location,
        "authority": facts.authority,
        "audience": facts.audience,
        "owner": facts.owner,
        "review_every_days": facts.review_every_days,
    }


def _embed_parts(
    database: Database, encoder: Encoder, parts: Parts, progress: Progress | None
) -> int:
    """Embed what has no vector yet, in slices, so that progress shows and memory stays small."""
    texts = {part.content_hash: part.embedded for chunks in parts.values() for part in chunks}
    keys = sorted(texts)
    encoded = 0
    for start in range(0, len(keys), ENCODE_BATCH):
        batch = keys[start : start + ENCODE_BATCH]
        encoded += embed_texts(database, encoder, {key: texts[key] for key in batch})[1]
        if progress is not None:
            progress(start + len(batch), len(keys))
    return encoded


def _apply(
    connection: Connection,
    plan: SyncPlan,
    parts: Parts,
    facts: SourceFacts,
    now: datetime,
    actor: str,
) -> None:
    intake.write_source(connection, **_source_columns(facts))
    for reason, group in (("new in source", plan.new), ("changed in source", plan.changed)):
        for parsed in group:
            intake.write_version(
                connection, parsed, parts[parsed.document_id],
                now=now, author=actor, reason=reason,
            )  # fmt: skip
    for parsed in plan.metadata_only:
        intake.write_metadata(connection, parsed, now=now)
    for document_id in plan.deleted:
        intake.delete_document(connection, document_id, now=now)
    intake.write_synced_at(connection, facts.name, now)
    write_entry(
        connection, at=now, actor=actor, action="sync", subject=f"source:{facts.name}",
        details=_audit_details(plan),
    )  # fmt: skip


def _audit_details(plan: SyncPlan) -> dict[str, Any]:
    """Ids where no version tells of it; counts where one does."""
    return {
        "new": len(plan.new),
        "changed": len(plan.changed),
        "metadata_only": [parsed.document_id for parsed in plan.metadata_only],
        "deleted": list(plan.deleted),
    }


def _report(
    name: str, listing: SourceListing, plan: SyncPlan, embedded: int, seconds: float
) -> SourceReport:
    return SourceReport(
        name=name,
        listed=len(listing.documents) + len(listing.refused),
        new=len(plan.new),
        changed=len(plan.changed),
        metadata_only=len(plan.metadata_only),
        deleted=len(plan.deleted),
        unchanged=len(plan.unchanged),
        refused=_describe_refused(listing, plan.refused),
        embedded=embedded,
        seconds=round(seconds, 3),
    )


def _describe_refused(
    listing: SourceListing, planned: Sequence[Refusal]
) -> tuple[dict[str, Any], ...]:
    described: list[dict[str, Any]] = []
    for path, error in listing.refused:
        entry: dict[str, Any] = {"path": path, "reason": error.reason}
        if "line" in error.details:
            entry["line"] = error.details["line"]
        described.append(entry)
    described += [{"path": refusal.path, "reason": refusal.reason} for refusal in planned]
    return tuple(sorted(described, key=lambda entry: str(entry["path"])))
