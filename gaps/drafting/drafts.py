"""SQL for drafts and reviews, and the digest an approval binds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, insert, select, update

from gaps.drafting.snapshot import read_evidence, write_evidence
from gaps.tables import drafts, reviews
from gaps.types import Check, Citation, Draft, DraftState, Dropped, Refusal, Replayed, Statement
from kb.errors import NotFoundError, StaleError
from kb.types import Audience

REVIEW_WITHIN = timedelta(days=7)
"""A draft is due before the next weekly Drive looks at its gap again; judgement."""
WORST_FIRST = ("red", "look", "green")


@dataclass(frozen=True, slots=True)
class Review:
    """One person's decision on one text of a draft."""

    review_id: str
    draft_id: str
    at: datetime
    reviewer: str
    decision: str
    reason: str | None
    draft_hash: str
    markdown: str | None
    """The text the reviewer put in place, where the decision was an edit."""
    because: str | None = None
    """Of a rejection: what was wrong, of `gaps.drafting.lessons.Because`."""
    because_value: str | None = None
    """The right kind, the document that answers it, the tickets that do not belong."""
    evidence_hash: str | None = None
    """Of an approval: the evidence it vouches for."""


def compute_draft_hash(
    *,
    title: str,
    markdown: str,
    document_id: str | None,
    base_version: int | None,
    statements: Sequence[Statement],
) -> str:
    """SHA-256 (hex) over everything an approval vouches for."""
    facts = [title, markdown, document_id, base_version, [asdict(s) for s in statements]]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def make_id(prefix: str) -> str:
    """A new random id, "prefix_" and 20 hex digits."""
    return f"{prefix}_{uuid4().hex[:20]}"


def write_draft(connection: Connection, draft: Draft) -> None:
    """Insert a new draft."""
    connection.execute(
        insert(drafts).values(
            id=draft.draft_id,
            gap_id=draft.gap_id,
            created_at=draft.created_at,
            document_id=draft.document_id,
            base_version=draft.base_version,
            source=draft.source,
            audience=draft.audience.value,
            owner=draft.owner,
            refused=asdict(draft.refused) if draft.refused else None,
            due_at=draft.created_at + REVIEW_WITHIN,
            **_changing_columns(draft),
        )
    )
    write_evidence(connection, draft.draft_id, read_evidence(connection, draft.statements))


def update_draft(connection: Connection, draft: Draft, *, expected_hash: str) -> None:
    """Store a draft's state, text and checks.

    Raises:
        StaleError: Somebody changed the text since it was read.
    """
    changed = connection.execute(
        update(drafts)
        .where(drafts.c.id == draft.draft_id, drafts.c.draft_hash == expected_hash)
        .values(**_changing_columns(draft))
    )
    if changed.rowcount == 0:
        raise StaleError("the draft changed since it was read", draft_id=draft.draft_id)


def _changing_columns(draft: Draft) -> dict[str, Any]:
    return {
        "state": draft.state.value,
        "title": draft.title,
        "markdown": draft.markdown,
        "statements": [asdict(s) for s in draft.statements],
        "checks": [_check_to_json(c, Audience.INTERNAL) for c in draft.checks],
        "held_back_ids": list(draft.held_back_ids),
        "draft_hash": draft.draft_hash,
        "updated_at": draft.updated_at,
        "verdict": worst_verdict(draft.checks),
    }


def worst_verdict(checks: Sequence[Check]) -> str:
    """ "red" before "look" before "green"; empty where nothing was checked."""
    said = {check.verdict for check in checks}
    return next((verdict for verdict in WORST_FIRST if verdict in said), "")


def read_draft(connection: Connection, draft_id: str) -> Draft:
    """Raises NotFoundError where there is none."""
    row = connection.execute(select(drafts).where(drafts.c.id == draft_id)).first()
    if row is None:
        raise NotFoundError("draft", draft_id)
    return _to_draft(row)


def read_drafts(
    connection: Connection,
    *,
    gap_id: str | None = None,
    states: Sequence[DraftState] = (),
    owner: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Draft]:
    """Drafts, newest first; no states means all."""
    query = select(drafts).order_by(drafts.c.created_at.desc(), drafts.c.id)
    if gap_id is not None:
        query = query.where(drafts.c.gap_id == gap_id)
    if states:
        query = query.where(drafts.c.state.in_([s.value for s in states]))
    if owner is not None:
        query = query.where(drafts.c.owner == owner)
    return [_to_draft(row) for row in connection.execute(query.limit(limit).offset(offset))]


def write_review(connection: Connection, review: Review) -> None:
    """Insert a decision; reviews are never changed."""
    facts = asdict(review)
    connection.execute(insert(reviews).values(id=facts.pop("review_id"), **facts))


def read_reviews(connection: Connection, draft_id: str) -> list[Review]:
    """A draft's reviews, oldest first."""
    rows = connection.execute(
        select(reviews).where(reviews.c.draft_id == draft_id).order_by(reviews.c.at, reviews.c.id)
    )
    return [
        Review(
            row.id, row.draft_id, row.at, row.reviewer, row.decision, row.reason,
            row.draft_hash, row.markdown, row.because, row.because_value, row.evidence_hash,
        )
        for row in rows
    ]  # fmt: skip


def _check_to_json(check: Check, reader: Audience) -> dict[str, Any]:
    said: dict[str, Any] = {"name": check.name, "verdict": check.verdict, "detail": check.detail}
    rows = [asdict(row) for row in check.replayed if reader.may_read(row.audience)]
    if rows:
        said["replayed"] = rows
    if check.dropped:
        said["dropped"] = [asdict(row) for row in check.dropped]
    return said


def _to_check(said: dict[str, Any]) -> Check:
    rows = tuple(
        Replayed(
            **row
            | {"audience": Audience(row["audience"]), "displaced_by": tuple(row["displaced_by"])}
        )
        for row in said.get("replayed", ())
    )
    dropped = tuple(Dropped(**row) for row in said.get("dropped", ()))
    return Check(said["name"], said["verdict"], said["detail"], rows, dropped)


def draft_to_json(draft: Draft, reader: Audience = Audience.PUBLIC) -> dict[str, Any]:
    """What `kb drafts create` prints and the API answers.

    Args:
        draft: As stored.
        reader: Who reads it: replayed questions of others are left out.
    """
    said: dict[str, Any] = {
        "draft_id": draft.draft_id,
        "gap_id": draft.gap_id,
        "state": draft.state.value,
        "document_id": draft.document_id,
        "base_version": draft.base_version,
        "title": draft.title,
        "markdown": draft.markdown,
        "statements": [asdict(s) for s in draft.statements],
        "checks": [_check_to_json(c, reader) for c in draft.checks],
        "dropped": [asdict(row) for check in draft.checks for row in check.dropped],
        "audience": draft.audience.value,
        "owner": draft.owner,
        "source": draft.source,
        "held_back": list(draft.held_back_ids),
        "draft_hash": draft.draft_hash,
        "created_at": draft.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": draft.updated_at.isoformat().replace("+00:00", "Z"),
    }
    if draft.refused is not None:
        said["refused"] = asdict(draft.refused)
    return json.loads(json.dumps(said))  # type: ignore[no-any-return]


def _to_draft(row: Row[Any]) -> Draft:
    return Draft(
        draft_id=row.id,
        gap_id=row.gap_id,
        state=DraftState(row.state),
        title=row.title,
        markdown=row.markdown,
        statements=tuple(
            Statement(s["text"], tuple(Citation(**c) for c in s["citations"]))
            for s in row.statements
        ),
        checks=tuple(_to_check(c) for c in row.checks),
        audience=Audience(row.audience),
        owner=row.owner,
        source=row.source,
        document_id=row.document_id,
        base_version=row.base_version,
        held_back_ids=tuple(row.held_back_ids),
        refused=Refusal(row.refused["why"], tuple(row.refused["questions"]))
        if row.refused
        else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        draft_hash=row.draft_hash,
    )
