"""From a gap to a stored draft: what the writer sees, which writer writes, what is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from gaps import repository
from gaps.drafting.checks import (
    DUPLICATE_SIMILARITY,
    CheckedDraft,
    find_nearest_article,
    run_checks,
)
from gaps.drafting.drafts import compute_draft_hash, make_id, read_drafts, write_draft
from gaps.drafting.style import GREEN, LOOK
from gaps.drafting.target import (
    choose_target,
    find_related,
    find_stronger,
    unique_document_id,
)
from gaps.drafting.writing.evidence import collect_evidence
from gaps.drafting.writing.extractive import WrittenArticle, write_article
from gaps.drafting.writing.keeping_encoder import KeepingEncoder
from gaps.drafting.writing.model_writing import ModelError, Worded, word_article
from gaps.drafting.writing.questions import ask_about_change
from gaps.drafting.writing.smallest_edit import write_smallest_edit
from gaps.types import (
    Check,
    Draft,
    DraftState,
    Gap,
    GapKind,
    GapStatus,
    Refusal,
    Ticket,
)
from kb import articles, audit, live_chunks
from kb.database import Database
from kb.errors import ConflictError, KbError, UnavailableError
from kb.hierarchy import invalid_reason
from kb.ports import Completion, Encoder, LanguageModel
from kb.retrieval.retriever import Retriever
from kb.types import Audience, Document, StoredChunk, Version

HELD_BACK_SHARE = 3
"""One ticket in three is kept from the writer, to measure the effect on what it never saw."""
WRITER = "writer"
"""Name of the check that tells how a configured model did."""
UNDER_REVIEW = (DraftState.IN_REVIEW, DraftState.CHANGES_ASKED, DraftState.APPROVED)
Gate = Callable[[Draft, Sequence[Ticket]], Check]
"""Asks real questions with and without the draft; handed in by api/wiring."""
Announce = Callable[[Connection, Draft], None]


@dataclass(frozen=True, slots=True)
class DraftingSettings:
    """What the team decided about drafts."""

    publish_to: str
    """Source that new articles are published to."""
    authorities: tuple[str, ...]
    """Strongest first."""
    drafts_per_drive: int = 5
    announce: Announce | None = None
    """Tells the owner of a new draft, in the transaction that stores it; handed in by api."""
    language_model: LanguageModel | None = None
    """Words new articles; what it cannot do well is extracted as without it."""


def create_draft(
    database: Database,
    retriever: Retriever,
    encoder: Encoder,
    gap_id: str,
    *,
    now: datetime,
    settings: DraftingSettings,
    gate: Gate | None = None,
    actor: str = "kbops",
) -> Draft:
    """Write, check and store a draft for a gap; a refusal is stored too, with its questions.

    Args:
        database: Where gaps and drafts are.
        retriever: Finds related passages, with the gap's audience.
        encoder: Compares sentences.
        gap_id: The gap.
        now: The moment; later tickets are not seen.
        settings: Where to publish and who beats whom.
        gate: Asks the frozen questions and the gap's tickets with and without the draft.
        actor: Who asked for it, for the audit log.

    Raises:
        NotFoundError: No such gap.
        ConflictError: The gap is closed, or a draft of it is under review.
        UnavailableError: The encoder or the database is away.
    """
    with database.read() as connection:
        gap = repository.read_gap(connection, gap_id)
        _check_gap(connection, gap)
    draft = compose_draft(database, retriever, encoder, gap, now=now, settings=settings, gate=gate)
    with database.write() as connection:
        _check_gap(connection, repository.read_gap(connection, gap_id))
        _store(connection, draft, actor, now)
        if settings.announce is not None:
            settings.announce(connection, draft)
    return draft


def compose_draft(
    database: Database,
    retriever: Retriever,
    encoder: Encoder,
    gap: Gap,
    *,
    now: datetime,
    settings: DraftingSettings,
    gate: Gate | None = None,
) -> Draft:
    """Write and check a draft from what the gap's tickets say now, without storing it."""
    with database.read() as connection:
        tickets = repository.read_tickets(connection, ids=gap.ticket_ids)
        target = choose_target(connection, gap, settings.authorities)
    tickets = [t for t in tickets if t.created_at <= now]
    held_back = hold_back([t.ticket_id for t in tickets])
    seen = [t for t in tickets if t.ticket_id not in set(held_back)]
    related = find_related(retriever, gap, seen)
    keeping = KeepingEncoder(database, encoder)
    with database.read() as connection:
        stronger = (
            find_stronger(connection, target[0], gap, related, settings.authorities, now)
            if target is not None
            else []
        )
    written, told = _write(gap, seen, related, target, stronger, keeping, settings.language_model)
    if target is None and isinstance(written, WrittenArticle):
        found = find_twin(database, gap, written, keeping)
        edited = _edit_twin(gap, found, seen, keeping) if found is not None else None
        if found is not None and edited is not None:
            target, written, told = found, edited, None
    with database.read() as connection:
        draft = _to_draft(connection, gap, written, target, now, settings)
    draft = replace(draft, held_back_ids=held_back, checks=(told,) if told else ())
    if draft.refused is not None:
        return draft
    checks = check_draft(
        database, keeping, draft, gap, tickets=seen, related=related, now=now,
        settings=settings, gate=gate,
    )  # fmt: skip
    return replace(draft, checks=checks)


def _check_gap(connection: Connection, gap: Gap) -> None:
    if gap.status in (GapStatus.DISMISSED, GapStatus.RESOLVED, GapStatus.PUBLISHED):
        raise ConflictError(f"gap {gap.gap_id} is {gap.status.value}", gap_id=gap.gap_id)
    waiting = read_drafts(connection, gap_id=gap.gap_id, states=UNDER_REVIEW, limit=1)
    if waiting:
        raise ConflictError(
            f"draft {waiting[0].draft_id} of this gap is under review",
            draft_id=waiting[0].draft_id,
        )


def _store(connection: Connection, draft: Draft, actor: str, now: datetime) -> None:
    write_draft(connection, draft)
    if draft.refused is None:
        repository.write_gap_status(connection, draft.gap_id, GapStatus.DRAFTING, now=now)
    audit.write_entry(
        connection, at=now, actor=actor, action="draft.create", subject=draft.draft_id,
        details={
            "gap_id": draft.gap_id,
            "document_id": draft.document_id,
            "state": draft.state.value,
            "draft_hash": draft.draft_hash,
        },
    )  # fmt: skip


def hold_back(ticket_ids: Sequence[str]) -> tuple[str, ...]:
    """A third of the tickets by the digest of their id, at least two of six; none below four.

    The choice depends on nothing but the ids, so that it is the same for every draft of a gap.
    """
    count = len(ticket_ids) // HELD_BACK_SHARE
    if len(ticket_ids) < 4:
        return ()
    ordered = sorted(ticket_ids, key=lambda i: (hashlib.sha256(i.encode()).hexdigest(), i))
    return tuple(sorted(ordered[: max(1, count)]))


def _write(
    gap: Gap,
    seen: Sequence[Ticket],
    related: Sequence[StoredChunk],
    target: tuple[Document, Version] | None,
    stronger: Sequence[StoredChunk],
    encoder: Encoder,
    model: LanguageModel | None,
) -> tuple[WrittenArticle | Refusal, Check | None]:
    """What was written, and how a model did where one is configured."""
    if target is not None:
        document, version = target
        # The article's readers may be less trusted than the gap's requesters.
        lower = min(gap.audience, document.metadata.audience, key=lambda a: a.rank)
        edited = write_smallest_edit(
            replace(gap, audience=lower),
            document.document_id,
            version.title,
            version.markdown,
            seen,
            stronger,
            encoder,
        )
        return edited, None
    if gap.kind is GapKind.DUPLICATE:
        why = "which of the duplicates stays is the owner's choice"
        return ask_about_change(gap, why, None), None
    extract = write_article(gap, seen, related, encoder)
    if model is None or isinstance(extract, Refusal):
        # Evidence too thin to extract from is too thin to word anew.
        return extract, None
    pack = collect_evidence(seen, related, audience=gap.audience)
    try:
        worded = word_article(gap, pack, related, model, encoder)
    except UnavailableError as error:
        spent = error.completion if isinstance(error, ModelError) else None
        took = f" ({tell_cost(spent)})" if spent is not None else ""
        return extract, Check(WRITER, LOOK, f"extracted, because {error.message}{took}")
    return worded.article, tell_writer(model.name, worded)


def find_twin(
    database: Database, gap: Gap, written: WrittenArticle, encoder: Encoder
) -> tuple[Document, Version] | None:
    """The article of the same subject that the gap's audience can read already, if there is one."""
    with database.read() as connection:
        documents = {
            d.document_id: d
            for d in articles.read_documents(connection, gap.audience)
            if d.metadata.audience is gap.audience and d.metadata.customer is None
        }
        versions = {
            key: articles.read_version(connection, key, d.version) for key, d in documents.items()
        }
    if not versions:
        return None
    texts = {key: (v.title, v.markdown) for key, v in versions.items()}
    key, value = find_nearest_article(written.title, written.markdown, texts, encoder)
    return (documents[key], versions[key]) if value >= DUPLICATE_SIMILARITY else None


def _edit_twin(
    gap: Gap, twin: tuple[Document, Version], seen: Sequence[Ticket], encoder: Encoder
) -> WrittenArticle | None:
    """What the tickets change in the article there is, else their words for finding it."""
    document, version = twin
    for kind in (GapKind.WRONG, GapKind.UNFINDABLE):
        edited = write_smallest_edit(
            replace(gap, kind=kind), document.document_id, version.title, version.markdown,
            seen, (), encoder,
        )  # fmt: skip
        if isinstance(edited, WrittenArticle):
            return edited
    return None


def tell_writer(name: str, worded: Worded) -> Check:
    """Which model wrote, for how much, and what was left out of it."""
    left = len(worded.dropped)
    return Check(
        WRITER,
        LOOK if left else GREEN,
        f"worded by {name} ({tell_cost(worded.completion)}); {left} of its statements left out",
        dropped=worded.dropped,
    )


def tell_cost(spent: Completion) -> str:
    """Tokens, and the cost where prices are configured."""
    cost = "" if spent.cost is None else f", cost {spent.cost:.4f}"
    return f"{spent.tokens_in} tokens in, {spent.tokens_out} out{cost}"


def _to_draft(
    connection: Connection,
    gap: Gap,
    written: WrittenArticle | Refusal,
    target: tuple[Document, Version] | None,
    now: datetime,
    settings: DraftingSettings,
) -> Draft:
    base = target[0] if target else None
    refused = written if isinstance(written, Refusal) else None
    article = written if isinstance(written, WrittenArticle) else WrittenArticle(gap.title, "", ())
    document_id = base.document_id if base else None
    if base is None and refused is None:
        document_id = unique_document_id(connection, article.title)
    return Draft(
        draft_id=make_id("draft"),
        gap_id=gap.gap_id,
        state=DraftState.REFUSED if refused else DraftState.IN_REVIEW,
        title=article.title,
        markdown=article.markdown,
        statements=article.statements,
        checks=(),
        audience=base.metadata.audience if base else gap.audience,
        owner=base.metadata.owner if base else gap.owner,
        source=base.source if base else settings.publish_to,
        document_id=document_id,
        base_version=base.version if base else None,
        held_back_ids=(),
        refused=refused,
        created_at=now,
        updated_at=now,
        draft_hash=compute_draft_hash(
            title=article.title,
            markdown=article.markdown,
            document_id=document_id,
            base_version=base.version if base else None,
            statements=article.statements,
        ),
    )


def check_draft(
    database: Database,
    encoder: Encoder,
    draft: Draft,
    gap: Gap,
    *,
    tickets: Sequence[Ticket],
    related: Sequence[StoredChunk],
    now: datetime,
    settings: DraftingSettings,
    gate: Gate | None,
) -> tuple[Check, ...]:
    """All checks of a draft, with what they compare it to read from the database."""
    checked = CheckedDraft(
        draft.title, draft.markdown, draft.statements, draft.audience, draft.document_id,
        draft.base_version is not None,
    )  # fmt: skip
    with database.read() as connection:
        documents = articles.read_documents(connection, draft.audience)
        openings = {
            d.document_id: (
                d.metadata.title,
                articles.read_version(connection, d.document_id, d.version).markdown,
            )
            for d in documents
        }
        cited = {c.id for s in draft.statements for c in s.citations if c.kind == "chunk"}
        chunks = live_chunks.read_chunks(connection, cited, Audience.INTERNAL)
        present = {d.document_id: d for d in documents}.get(draft.document_id or "")
        stronger = (
            find_stronger(connection, present, gap, related, settings.authorities, now)
            if present
            else [
                c for c in related if c.document.metadata.authority in settings.authorities[:2]
                and invalid_reason(c.document, now) is None
                and c.document.metadata.customer is None
            ]
        )  # fmt: skip
    told = tuple(check for check in draft.checks if check.name == WRITER)
    return told + run_checks(
        checked, tickets=tickets, chunks=chunks, stronger=stronger, articles=openings,
        encoder=encoder, regression=run_gate(gate, draft, tickets) if gate is not None else None,
    )  # fmt: skip


def run_gate(gate: Gate, draft: Draft, tickets: Sequence[Ticket]) -> Check:
    """What the gate says, or a look that says why it could not be asked."""
    try:
        return gate(draft, tickets)
    except KbError as error:
        # A draft that could not be tried is still worth a look; the reviewer is told so.
        return Check("regression", LOOK, f"not run: {error.message}")
