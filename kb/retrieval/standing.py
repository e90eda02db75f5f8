"""How one document stands at a moment, for one audience: what a hit says of it, without a query.

Nothing the audience may not read shows: not in who overrules it, and not in how fresh it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from kb import articles
from kb.freshness import judge_freshness
from kb.hierarchy import find_superseded, invalid_reason, rule_between, unverified_reason
from kb.retrieval.catalogue import read_intervals, read_reports, read_superseding
from kb.tables import conflicts
from kb.types import Audience, Document, Freshness, Ruling


@dataclass(frozen=True, slots=True)
class Standing:
    """A document with its verdicts."""

    document: Document
    freshness: Freshness
    overruled_by: tuple[Ruling, ...]
    """By winner; each beats a statement of this document, not the whole of it."""
    invalid: str | None
    """Why it may not answer at this moment: archived, ended, not yet effective, superseded."""
    unverified: str | None
    """What a manager's instruction lacks to beat weaker authorities."""


def read_standing(
    connection: Connection,
    document_id: str,
    audience: Audience,
    authorities: Sequence[str],
    *,
    now: datetime,
) -> Standing:
    """The document as it stands.

    Raises:
        NotFoundError: There is none, it is deleted, or the audience may not know it exists.
    """
    document = articles.read_document(connection, document_id, audience)
    superseded = find_superseded(read_superseding(connection, audience), now)
    rulings = _read_rulings(connection, document, audience, authorities, superseded, now)
    replaced_by = superseded.get(document_id, ())
    freshness = judge_freshness(
        document,
        now,
        review_every_days=read_intervals(connection).get(document.source),
        superseded_by=replaced_by,
        contradicted_by=[ruling.winner for ruling in rulings],
        reported_stale=read_reports(connection, document_id).get((document_id, document.version)),
    )
    invalid = invalid_reason(document, now, superseded_by=replaced_by)
    return Standing(document, freshness, rulings, invalid, unverified_reason(document))


def _read_rulings(
    connection: Connection,
    document: Document,
    audience: Audience,
    authorities: Sequence[str],
    superseded: Mapping[str, Sequence[str]],
    now: datetime,
) -> tuple[Ruling, ...]:
    """Against the document, by valid documents found to state other facts than this version."""
    mine = document.document_id
    rows = connection.execute(
        select(conflicts).where(or_(conflicts.c.winner_id == mine, conflicts.c.loser_id == mine))
    ).all()
    others = sorted({key for row in rows for key in (row.winner_id, row.loser_id)} - {mine})
    known = {mine: document} | {
        other.document_id: other
        for other in articles.read_documents(connection, audience, ids=others)
        if not invalid_reason(other, now, superseded_by=superseded.get(other.document_id, ()))
    }
    found: dict[str, Ruling] = {}
    for row in rows:
        left, right = known.get(row.winner_id), known.get(row.loser_id)
        if left is None or right is None:
            continue
        if (left.version, right.version) != (row.winner_version, row.loser_version):
            continue
        ruling = rule_between(left, right, authorities)
        if ruling is not None and ruling.loser == mine:
            found[ruling.winner] = ruling
    return tuple(found[winner] for winner in sorted(found))
