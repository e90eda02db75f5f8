"""Everything the page of one draft shows, read in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from api.pages.evidence_facts import ShownChange, ShownCitation, ShownStatement, show_changes
from api.pages.replay_facts import ShownReplay, show_replayed
from api.review_desk import count_needed
from gaps.drafting.drafts import Review, read_draft, read_reviews
from gaps.drafting.handling import Dates, Note, NoteKind, read_dates, read_notes
from gaps.drafting.publications import read_publication_of
from gaps.drafting.review import read_approvers
from gaps.drafting.snapshot import hash_evidence, read_evidence
from gaps.repository import read_gap, read_tickets
from gaps.tables import effects
from gaps.types import Citation, Draft, Gap, Publication, Statement, Ticket
from kb import articles
from kb.errors import NotFoundError
from kb.tables import chunks, documents
from kb.types import Audience, Document

TICKETS_SHOWN = 8
"""Uncited tickets on the page before the rest waits behind a link."""


@dataclass(frozen=True, slots=True)
class ShownEffect:
    """What the change did, as label and figure."""

    verdict: str
    measured_at: datetime
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DraftFacts:
    draft: Draft
    gap: Gap
    document: Document | None
    """The article as it is served now; None for a new or deleted one."""
    base_text: str | None
    """Text of the version that the draft was written against."""
    current_text: str | None
    tickets: tuple[Ticket, ...]
    """Cited ones first, then newest first."""
    ticket_count: int
    statements: tuple[ShownStatement, ...]
    replayed: tuple[ShownReplay, ...]
    """Real questions that the draft answers otherwise, as far as the reader may know of them."""
    reviews: tuple[Review, ...]
    publication: Publication | None
    effects: tuple[ShownEffect, ...]
    notes: tuple[Note, ...]
    dates: Dates
    approvers: tuple[str, ...]
    """Who approved this text on this evidence."""
    approvals_needed: int
    changes: tuple[ShownChange, ...]
    """Evidence that changed since the draft was checked; none once it is published."""
    evidence_hash: str
    """Of the evidence as it is now."""

    @property
    def comments(self) -> list[Note]:
        return [note for note in self.notes if note.kind is NoteKind.COMMENT]

    @property
    def approvals_missing(self) -> int:
        return max(0, self.approvals_needed - len(self.approvers))

    @property
    def cited_tickets(self) -> list[Ticket]:
        cited = _cited_tickets(self.draft)
        return [ticket for ticket in self.tickets if ticket.ticket_id in cited]

    @property
    def base_changed(self) -> bool:
        """Whether the article moved on since the draft was written against it."""
        now = self.document.version if self.document else None
        return self.publication is None and self.draft.base_version != now


def read_draft_facts(
    connection: Connection, draft_id: str, reader: Audience, *, all_tickets: bool = False
) -> DraftFacts:
    """What the page shows to a reader.

    Raises:
        NotFoundError: There is no such draft.
    """
    draft = read_draft(connection, draft_id)
    gap = read_gap(connection, draft.gap_id)
    document = _read_document(connection, draft.document_id)
    tickets = _order_tickets(draft, read_tickets(connection, ids=gap.ticket_ids))
    cited = len(_cited_tickets(draft))
    shown = tickets if all_tickets else tickets[: cited + TICKETS_SHOWN]
    publication = read_publication_of(connection, draft_id)
    return DraftFacts(
        draft=draft,
        gap=gap,
        document=document,
        base_text=_read_text(connection, draft.document_id, draft.base_version),
        current_text=(
            _read_text(connection, document.document_id, document.version) if document else None
        ),
        tickets=tuple(shown),
        ticket_count=len(tickets),
        statements=_show_statements(connection, draft.statements, shown),
        replayed=show_replayed(connection, draft, reader, tickets, shown),
        reviews=tuple(read_reviews(connection, draft_id)),
        publication=publication,
        effects=_read_effects(connection, publication),
        notes=tuple(read_notes(connection, draft_id)),
        dates=read_dates(connection, draft_id),
        approvers=tuple(sorted(read_approvers(connection, draft))),
        approvals_needed=count_needed(connection, draft),
        changes=show_changes(connection, draft) if publication is None else (),
        evidence_hash=hash_evidence(read_evidence(connection, draft.statements)),
    )


def _read_document(connection: Connection, document_id: str | None) -> Document | None:
    if document_id is None:
        return None
    try:
        return articles.read_document(connection, document_id)
    except NotFoundError:
        return None


def _read_text(connection: Connection, document_id: str | None, version: int | None) -> str | None:
    if document_id is None or version is None:
        return None
    try:
        return articles.read_version(connection, document_id, version).markdown
    except NotFoundError:
        return None


def _cited_tickets(draft: Draft) -> set[str]:
    return {c.id for s in draft.statements for c in s.citations if c.kind == "ticket"}


def _order_tickets(draft: Draft, tickets: Sequence[Ticket]) -> list[Ticket]:
    cited = _cited_tickets(draft)
    newest = sorted(tickets, key=lambda t: (t.created_at, t.ticket_id), reverse=True)
    return sorted(newest, key=lambda t: t.ticket_id not in cited)


def _show_statements(
    connection: Connection, statements: Sequence[Statement], tickets: Sequence[Ticket]
) -> tuple[ShownStatement, ...]:
    anchors = {t.ticket_id: f"#ticket-{n}" for n, t in enumerate(tickets, start=1)}
    wanted = {c.id for s in statements for c in s.citations if c.kind == "chunk"}
    passages = _read_passages(connection, wanted)

    def show(citation: Citation) -> ShownCitation:
        if citation.kind == "ticket":
            return ShownCitation(f"Ticket {citation.id}", citation.quote, anchors.get(citation.id))
        label, href = passages.get(citation.id, (f"Passage {citation.id}", None))
        return ShownCitation(label, citation.quote, href)

    return tuple(ShownStatement(s.text, tuple(map(show, s.citations))) for s in statements)


def _read_passages(
    connection: Connection, chunk_ids: set[str]
) -> dict[str, tuple[str, str | None]]:
    """Title with version, and address, of the articles that chunks were cut from."""
    rows = connection.execute(
        select(chunks.c.id, chunks.c.version, documents.c.id.label("document_id"),
               documents.c.title, documents.c.authority)
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(chunks.c.id.in_(sorted(chunk_ids)))
    )  # fmt: skip
    return {
        row.id: (
            f"{row.title} ({row.authority.replace('_', ' ')}, version {row.version})",
            f"/articles/{row.document_id}?version={row.version}",
        )
        for row in rows
    }


def _read_effects(
    connection: Connection, publication: Publication | None
) -> tuple[ShownEffect, ...]:
    """Measurements, newest first."""
    if publication is None:
        return ()
    rows = connection.execute(
        select(effects)
        .where(effects.c.publication_id == publication.publication_id)
        .order_by(effects.c.measured_at.desc())
    )
    return tuple(
        ShownEffect(row.verdict, row.measured_at, tuple(_flatten(row.report))) for row in rows
    )


def _flatten(report: Any, path: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Every figure and sentence of a report, with the keys that lead to it."""
    if isinstance(report, dict):
        return [line for key, value in report.items() for line in _flatten(value, (*path, key))]
    if report is None or isinstance(report, list) or not path:
        return []
    label = ", ".join(part.replace("_", " ") for part in path)
    label = label[:1].upper() + label[1:]
    if isinstance(report, bool):
        return [(label, "yes" if report else "no")]
    if isinstance(report, float):
        share = path[-1].endswith("_share") or path[-1].startswith("share")
        return [(label, f"{report:.0%}" if share else f"{report:.3g}")]
    return [(label, str(report))]
