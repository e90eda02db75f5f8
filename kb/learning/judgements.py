"""SQL for judgements: questions that people solved, with the documents that solved them.

Derived: every `kb learn` replaces them by what the tickets and outcomes say then. The question's
text is not kept here, only the hash its vector is kept under.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from kb import intake
from kb.tables import api_keys, documents, judgements, outcomes, searches
from kb.types import Audience
from kb.vectors import hash_text

INSERT_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """One solved question."""

    ref: str
    """"ticket:…", "outcome:…"."""
    kind: str
    question: str
    document_ids: tuple[str, ...]
    audience: Audience
    """The least trusted audience that may be shown anything of it."""
    requester: str
    """Who asked or reported: each counts once, however often they say it."""
    at: datetime
    """When it became known."""

    @property
    def order(self) -> tuple[datetime, str, tuple[str, ...], str]:
        """Oldest first, and of one instant by what was asked: the ids of outcomes are drawn."""
        return (self.at, hash_text(self.question), self.document_ids, self.ref)


def read_outcomes(connection: Connection) -> list[Judgement]:
    """Searches that a caller reported as resolved by documents, oldest first.

    All reports of one key are one requester's. Reported by an owner's key or a higher role they
    are corrections; they weigh the same.
    """
    rows = connection.execute(
        select(
            outcomes.c.id,
            outcomes.c.key_id,
            outcomes.c.document_ids,
            outcomes.c.at,
            searches.c.query,
            searches.c.audience,
            api_keys.c.role,
        )
        .join(searches, searches.c.id == outcomes.c.search_id)
        .outerjoin(api_keys, api_keys.c.id == outcomes.c.key_id)
        .where(outcomes.c.outcome == "resolved")
        .order_by(outcomes.c.at, outcomes.c.id)
    )
    return [
        Judgement(
            ref=f"outcome:{row.id}",
            kind="outcome" if row.role in (None, "agent") else "correction",
            question=row.query,
            document_ids=tuple(row.document_ids),
            audience=Audience(row.audience),
            requester=f"key:{row.key_id}",
            at=row.at,
        )
        for row in rows
        if row.document_ids
    ]


def write_judgements(
    connection: Connection, found: Iterable[Judgement], *, only_known: bool = False
) -> int:
    """Replace what is stored; links to documents that are not live are left out.

    Args:
        connection: The caller's transaction.
        found: What tickets and outcomes say now.
        only_known: Take back what is no longer said, and add nothing: what was refused at the
            gate must not come in as precedents of the version that goes on serving.

    Returns:
        How many judgements were kept.
    """
    live = {
        row.id
        for row in connection.execute(
            select(documents.c.id).where(documents.c.deleted_at.is_(None))
        )
    }
    rows = [
        {
            "ref": judgement.ref,
            "document_id": document_id,
            "kind": judgement.kind,
            "content_hash": hash_text(judgement.question),
            "audience": judgement.audience.value,
            "requester": judgement.requester,
            "at": judgement.at,
        }
        for judgement in found
        for document_id in dict.fromkeys(judgement.document_ids)
        if document_id in live
    ]
    if only_known:
        known = {tuple(row) for row in connection.execute(select(judgements))}
        rows = [row for row in rows if tuple(row[c.name] for c in judgements.columns) in known]
    connection.execute(delete(judgements))
    for start in range(0, len(rows), INSERT_BATCH):
        connection.execute(insert(judgements), rows[start : start + INSERT_BATCH])
    intake.next_sequence(connection)
    return len({row["ref"] for row in rows})


def delete_judgement(connection: Connection, ref: str) -> set[str]:
    """Forget what a ticket or outcome taught; the next search does without it.

    Returns:
        Hashes that its question was kept under.
    """
    intake.next_sequence(connection)
    mine = judgements.c.ref == ref
    found = set(connection.execute(select(judgements.c.content_hash).where(mine)).scalars())
    connection.execute(delete(judgements).where(mine))
    return found


@dataclass(frozen=True, slots=True)
class StoredJudgement:
    """A judgement as retrieval reads it."""

    ref: str
    content_hash: str
    document_ids: tuple[str, ...]
    audience: Audience
    requester: str


def read_judgements(connection: Connection, until: datetime, limit: int) -> list[StoredJudgement]:
    """Judgements known by an instant, oldest first.

    Each requester's newest come before anybody's second newest, so that nobody crowds out others
    by asking often; and each audience has a limit of its own, so that what a reader may not see
    cannot crowd out what it may.
    """
    told = (
        select(judgements.c.ref, judgements.c.at, judgements.c.audience, judgements.c.requester)
        .where(judgements.c.at <= until)
        .distinct()
        .subquery()
    )
    newest_first = (told.c.at.desc(), told.c.ref.desc())
    by_requester = [told.c.audience, told.c.requester]
    turns = select(
        told,
        func.row_number().over(partition_by=by_requester, order_by=newest_first).label("turn"),
    ).subquery()
    by_turn = (turns.c.turn, turns.c.at.desc(), turns.c.ref.desc())
    placed = select(
        turns.c.ref,
        func.row_number().over(partition_by=turns.c.audience, order_by=by_turn).label("place"),
    ).subquery()
    rows = connection.execute(
        select(judgements)
        .join(placed, placed.c.ref == judgements.c.ref)
        .where(placed.c.place <= limit)
        .order_by(judgements.c.at, judgements.c.ref, judgements.c.document_id)
    )
    found: dict[str, StoredJudgement] = {}
    linked: dict[str, list[str]] = {}
    for row in rows:
        linked.setdefault(row.ref, []).append(row.document_id)
        found[row.ref] = StoredJudgement(
            row.ref, row.content_hash, (), Audience(row.audience), row.requester
        )
    return [
        StoredJudgement(ref, j.content_hash, tuple(linked[ref]), j.audience, j.requester)
        for ref, j in found.items()
    ]


def hashes_of(found: Sequence[StoredJudgement]) -> list[str]:
    return sorted({judgement.content_hash for judgement in found})
