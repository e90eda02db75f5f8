"""What a draft's evidence said when it was checked, and whether it still says so.

An approval vouches for the text *and* for what it rests on: a ticket that was imported again with
other words, or a cited document that moved to another version, makes the approval stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, select, update

from gaps.tables import drafts, tickets
from gaps.types import Statement
from kb.tables import chunks, documents

BATCH = 500
GONE = ""


@dataclass(frozen=True, slots=True, order=True)
class EvidenceItem:
    """One thing that statements rest on, as it was at a moment."""

    kind: str
    """"ticket" or "document"; "chunk" where nobody knows any more whose it was."""
    id: str
    state: str
    """A ticket's content hash, a document's version; empty where it is gone."""


@dataclass(frozen=True, slots=True)
class EvidenceChange:
    kind: str
    id: str
    before: str
    after: str

    @property
    def is_gone(self) -> bool:
        return self.after == GONE


def read_evidence(
    connection: Connection, statements: Sequence[Statement]
) -> tuple[EvidenceItem, ...]:
    """Everything that the statements cite as it is now, each once, by kind and id."""
    cited = {(c.kind, c.id) for statement in statements for c in statement.citations}
    wanted_tickets = {key for kind, key in cited if kind == "ticket"}
    hashes = _read_pairs(connection, tickets.c.id, tickets.c.content_hash, wanted_tickets)
    found = {EvidenceItem("ticket", key, hashes.get(key, GONE)) for key in wanted_tickets}
    wanted_chunks = {key for kind, key in cited if kind != "ticket"}
    owners = _read_pairs(connection, chunks.c.id, chunks.c.document_id, wanted_chunks)
    live = _read_versions(connection, set(owners.values()))
    for chunk_id in wanted_chunks:
        document_id = owners.get(chunk_id)
        if document_id is None:
            found.add(EvidenceItem("chunk", chunk_id, GONE))
        else:
            found.add(EvidenceItem("document", document_id, live.get(document_id, GONE)))
    return tuple(sorted(found))


def hash_evidence(items: Iterable[EvidenceItem]) -> str:
    """SHA-256 (hex) over the items, whatever their order."""
    facts = sorted([item.kind, item.id, item.state] for item in items)
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def compare_evidence(
    before: Iterable[EvidenceItem], after: Iterable[EvidenceItem]
) -> tuple[EvidenceChange, ...]:
    """What of `after` was otherwise before; what is no longer cited does not matter."""
    known = {(item.kind, item.id): item.state for item in before}
    return tuple(
        EvidenceChange(item.kind, item.id, known.get((item.kind, item.id), GONE), item.state)
        for item in sorted(after)
        if known.get((item.kind, item.id)) != item.state
    )


def read_snapshot(connection: Connection, draft_id: str) -> tuple[EvidenceItem, ...] | None:
    """The evidence as the draft was checked against; None for drafts of before it was kept."""
    kept = connection.execute(select(drafts.c.evidence).where(drafts.c.id == draft_id)).scalar()
    return None if kept is None else tuple(EvidenceItem(*facts) for facts in kept)


def write_evidence(connection: Connection, draft_id: str, items: Sequence[EvidenceItem]) -> None:
    """Keep what the draft has just been checked against."""
    connection.execute(
        update(drafts)
        .where(drafts.c.id == draft_id)
        .values(
            evidence=[[item.kind, item.id, item.state] for item in items],
            evidence_hash=hash_evidence(items),
        )
    )


def find_changes(
    connection: Connection, draft_id: str, statements: Sequence[Statement]
) -> tuple[EvidenceChange, ...]:
    """What changed under the statements since the draft was checked."""
    kept = read_snapshot(connection, draft_id)
    if kept is None:
        return ()
    return compare_evidence(kept, read_evidence(connection, statements))


def _read_versions(connection: Connection, ids: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for batch in _batches(ids):
        rows = connection.execute(
            select(documents.c.id, documents.c.version).where(
                documents.c.id.in_(batch), documents.c.deleted_at.is_(None)
            )
        )
        found |= {row.id: str(row.version) for row in rows}
    return found


def _read_pairs(
    connection: Connection, key: Column[str], value: Column[str], wanted: set[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for batch in _batches(wanted):
        rows = connection.execute(select(key, value).where(key.in_(batch)))
        found |= {row[0]: row[1] for row in rows}
    return found


def _batches(values: set[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]
