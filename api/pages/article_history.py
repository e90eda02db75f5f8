"""Where each version of an article came from, who let it through, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from gaps.drafting.drafts import Review, read_reviews
from gaps.drafting.workflow import APPROVING
from gaps.operating.effect import read_effects
from gaps.tables import drafts, gaps, publications
from gaps.types import Effect
from kb.audit import AuditEntry, verify_chain
from kb.errors import IntegrityError
from kb.tables import audit
from kb.types import Version


@dataclass(frozen=True, slots=True)
class Provenance:
    """The publication that made a version."""

    publication_id: str
    draft_id: str
    gap_id: str
    gap_title: str
    published_at: datetime
    rolled_back_at: datetime | None
    approvals: tuple[Review, ...]
    """Of the text that was published, oldest first."""
    effect: Effect | None
    """The last one measured."""


@dataclass(frozen=True, slots=True)
class ShownVersion:
    version: Version
    origin: str
    """"publication", "rollback" or "sync"."""
    provenance: Provenance | None


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What recomputing the whole audit log found."""

    holds: bool
    count: int
    head: str
    fault: str


def show_versions(connection: Connection, versions: Sequence[Version]) -> list[ShownVersion]:
    """Every version with where it came from, in the order given."""
    if not versions:
        return []
    made = _read_provenance(connection, versions[0].document_id)
    shown = []
    for version in versions:
        provenance = made.get(version.version)
        if provenance is not None:
            origin = "publication"
        else:
            origin = "rollback" if version.reason.startswith("rollback") else "sync"
        shown.append(ShownVersion(version, origin, provenance))
    return shown


def _read_provenance(connection: Connection, document_id: str) -> dict[int, Provenance]:
    rows = connection.execute(
        select(publications, drafts.c.gap_id, drafts.c.draft_hash, gaps.c.title)
        .join(drafts, drafts.c.id == publications.c.draft_id)
        .join(gaps, gaps.c.id == drafts.c.gap_id)
        .where(publications.c.document_id == document_id)
    ).all()
    return {
        row.version: Provenance(
            publication_id=row.id,
            draft_id=row.draft_id,
            gap_id=row.gap_id,
            gap_title=row.title,
            published_at=row.published_at,
            rolled_back_at=row.rolled_back_at,
            approvals=tuple(
                review
                for review in read_reviews(connection, row.draft_id)
                if review.draft_hash == row.draft_hash
                and review.decision in {d.value for d in APPROVING}
            ),
            effect=next(iter(read_effects(connection, row.id)), None),
        )
        for row in rows
    }


def read_trail(
    connection: Connection, document_id: str, *, limit: int, offset: int = 0
) -> tuple[list[AuditEntry], int]:
    """Audit entries on an article, its drafts and its publications, newest first, and how many."""
    own_drafts = select(drafts.c.id).where(drafts.c.document_id == document_id)
    own_publications = select(publications.c.id).where(publications.c.document_id == document_id)
    concerns = (
        (audit.c.subject == document_id)
        | audit.c.subject.in_(own_drafts)
        | audit.c.subject.in_(own_publications)
    )
    count = connection.execute(select(func.count()).select_from(audit).where(concerns)).scalar_one()
    rows = connection.execute(
        select(audit).where(concerns).order_by(audit.c.seq.desc()).limit(limit).offset(offset)
    )
    return [AuditEntry(**row._mapping) for row in rows], count


def judge_chain(connection: Connection) -> ChainVerdict:
    """Recompute every digest of the audit log; a broken chain is a verdict, no failure."""
    try:
        count, head = verify_chain(connection)
    except IntegrityError as error:
        return ChainVerdict(False, 0, "", error.message)
    return ChainVerdict(True, count, head, "")


def show_details(details: dict[str, Any]) -> list[tuple[str, str]]:
    """An entry's details as words and figures; lists in one line, nothing left out."""
    lines = []
    for name, value in details.items():
        if value is None or value == "":
            continue
        if isinstance(value, list):
            text = ", ".join(str(one) for one in value)
        else:
            text = str(value)
        lines.append((name.replace("_", " "), text))
    return lines
