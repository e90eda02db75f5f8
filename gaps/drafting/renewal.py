"""A waiting draft is written anew when its gap has grown well past what the writer saw.

Nobody has decided on it yet, and an approval binds the text's hash: whoever is reading the old text
at that moment is told so (412) instead of approving what they did not read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gaps import repository
from gaps.drafting.drafts import (
    compute_draft_hash,
    read_draft,
    read_drafts,
    read_reviews,
    update_draft,
)
from gaps.drafting.snapshot import read_evidence, write_evidence
from gaps.drafting.writer import DraftingSettings, Gate, compose_draft, hold_back
from gaps.types import Draft, DraftState, Gap, GapStatus
from kb import audit
from kb.database import Database
from kb.ports import Encoder
from kb.retrieval.retriever import Retriever

GROWTH = 1.5
"""Times the tickets that the waiting draft was written from; judgement, not measurement."""


def find_outgrown(database: Database) -> list[tuple[Draft, Gap]]:
    """Untouched drafts in review whose gap has grown, strongest gap first."""
    found = []
    with database.read() as connection:
        for gap in repository.read_gaps(connection, status=GapStatus.DRAFTING):
            drafts = read_drafts(
                connection, gap_id=gap.gap_id, states=(DraftState.IN_REVIEW,), limit=1
            )
            if not drafts or read_reviews(connection, drafts[0].draft_id):
                continue
            known = max(1, len(drafts[0].held_back_ids))
            if len(hold_back(gap.ticket_ids)) >= GROWTH * known:
                found.append((drafts[0], gap))
    return found


def renew_draft(
    database: Database,
    retriever: Retriever,
    encoder: Encoder,
    draft: Draft,
    gap: Gap,
    *,
    now: datetime,
    settings: DraftingSettings,
    gate: Gate | None = None,
    actor: str = "kbops",
) -> Draft | None:
    """Write the draft again from all the gap's tickets.

    Returns:
        The new text under the old id, or None where the writer has nothing better to offer or
        somebody has decided meanwhile.

    Raises:
        StaleError: The draft changed while it was being written.
        UnavailableError: The encoder or the database is away.
    """
    fresh = compose_draft(database, retriever, encoder, gap, now=now, settings=settings, gate=gate)
    if fresh.refused is not None or fresh.markdown == draft.markdown:
        return None
    # The id was promised to whoever has seen the draft, whatever the new title is.
    renewed = replace(
        fresh,
        draft_id=draft.draft_id,
        document_id=draft.document_id,
        created_at=draft.created_at,
        updated_at=now,
        draft_hash=compute_draft_hash(
            title=fresh.title,
            markdown=fresh.markdown,
            document_id=draft.document_id,
            base_version=fresh.base_version,
            statements=fresh.statements,
        ),
    )
    if renewed.base_version != draft.base_version:
        return None
    with database.write() as connection:
        current = read_draft(connection, draft.draft_id)
        if current.state is not DraftState.IN_REVIEW or read_reviews(connection, draft.draft_id):
            return None
        update_draft(connection, renewed, expected_hash=draft.draft_hash)
        write_evidence(connection, draft.draft_id, read_evidence(connection, renewed.statements))
        audit.write_entry(
            connection,
            at=now,
            actor=actor,
            action="draft.renew",
            subject=draft.draft_id,
            details={"before": draft.draft_hash, "after": renewed.draft_hash},
        )
    return renewed
