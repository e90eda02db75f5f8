"""An approved draft becomes the served version, in one transaction; its file follows.

The database is the truth. The transaction that appends the version also notes that the file in
the source's folder is not written yet; the file is written after the commit and ticked off. A
kill in between leaves the note, and `finish_publications` makes the file say what the database
says. So nothing is lost or published twice, and the next sync of the folder finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from gaps import repository
from gaps.drafting.article_file import write_article_file
from gaps.drafting.drafts import make_id, read_draft, update_draft
from gaps.drafting.publications import read_publication_of, write_file_written, write_publication
from gaps.drafting.review import (
    approvals_needed,
    check_base,
    check_permission,
    read_approvers,
)
from gaps.drafting.workflow import Decision, next_state
from gaps.tables import effects
from gaps.types import Draft, GapStatus, Publication
from kb import audit, intake
from kb.clock import format_instant
from kb.database import Database
from kb.errors import ConflictError, StaleError
from kb.types import Audience, Chunk, Document, ParsedDocument, Role

BASELINE = "baseline"
"""Verdict of the effect row that holds what was measured before publication."""


@dataclass(frozen=True, slots=True)
class ArticleChange:
    """What a publication makes of a document."""

    document_id: str
    source: str
    title: str
    markdown: str
    audience: Audience
    owner: str
    base: Document | None
    """The document as it is stored; None for a new one."""
    verified_at: datetime | None
    """When a person confirmed the text; None leaves the date as it is."""


@dataclass(frozen=True, slots=True)
class PreparedArticle:
    """A change as the source will state it, chunked and embedded."""

    parsed: ParsedDocument
    """Read back from `file_text`, so that the next sync sees the same two hashes."""
    chunks: tuple[Chunk, ...]
    file: Path | None
    """Where the source keeps it; None where the source is not a folder."""
    file_text: str
    present_hash: str | None
    """Content hash of the file as it lies in the folder now; None where there is none."""
    present: bytes | None = None
    """That file; what a source compares with before it takes the change."""


PrepareArticle = Callable[[ArticleChange], PreparedArticle]
"""Renders, parses, chunks and embeds; opens no transaction that stays open, changes no file, and
gives the same for the same change. Handed in by api/wiring, because gaps do not know ingest."""
MeasureBefore = Callable[[Draft], dict[str, Any]]
"""Asks the gap's tickets before the new version is served; the report is kept for the effect."""
WriteFile = Callable[[Path, str], bool | None]
"""Brings the text to its source; False where it only lies there as a proposal so far."""
ApproveInside = Callable[[Connection, PreparedArticle], None]


def publish_draft(
    database: Database,
    draft_id: str,
    *,
    reviewer: str,
    role: Role,
    now: datetime,
    prepare: PrepareArticle,
    measure_before: MeasureBefore | None = None,
    write_file: WriteFile = write_article_file,
    acts_for: str | None = None,
    approve: ApproveInside | None = None,
) -> Publication:
    """Serve an approved draft.

    Args:
        database: Where drafts and documents are.
        draft_id: The draft.
        reviewer: Who publishes.
        role: What they may do.
        now: The moment.
        prepare: Renders, chunks and embeds.
        measure_before: Asks the gap's tickets before.
        write_file: Writes the article's file.
        acts_for: The owner the reviewer decides for; the reviewer themself where left out.
        approve: Approves the draft inside the transaction that publishes it, or raises.

    Raises:
        NotFoundError: No such draft.
        ForbiddenError: The reviewer neither owns it nor is an editor.
        ConflictError: It is not approved, or is published already.
        StaleError: The document, or its file in the folder, changed since the draft was written.
        UnavailableError: The encoder or the database is away; nothing was published.
        OSError: The file could not be written. The version *is* served; `finish_publications`
            writes the file later.
    """
    with database.read() as connection:
        draft = read_draft(connection, draft_id)
        check_permission(draft.owner, reviewer, role, acts_for)
        if approve is None:
            next_state(draft.state, Decision.PUBLISH)
        base = check_base(connection, draft)
    prepared = prepare(change_of(draft, base, now))
    check_file(prepared, base)
    before = measure_before(draft) if measure_before is not None else None
    with database.write() as connection:
        if approve is not None:
            approve(connection, prepared)
        publication = _publish(connection, draft, prepared, reviewer, now, before)
    if prepared.file is not None and write_file(prepared.file, prepared.file_text) is not False:
        with database.write() as connection:
            write_file_written(connection, publication.publication_id)
    return publication


def change_of(draft: Draft, base: Document | None, now: datetime) -> ArticleChange:
    """What publishing the draft makes of its document.

    Raises:
        ConflictError: The draft names no document.
    """
    if draft.document_id is None:
        raise ConflictError("the draft names no document", draft_id=draft.draft_id)
    return ArticleChange(
        document_id=draft.document_id,
        source=base.source if base else draft.source,
        title=draft.title,
        markdown=draft.markdown,
        audience=base.metadata.audience if base else draft.audience,
        owner=base.metadata.owner if base else draft.owner,
        base=base,
        verified_at=now,
    )


def check_file(prepared: PreparedArticle, base: Document | None) -> None:
    """Never write over what somebody changed in the folder and no sync has read yet.

    Raises:
        StaleError: The file is not the one the stored version was read from.
    """
    known = {prepared.parsed.content_hash} | ({base.content_hash} if base else set())
    if prepared.present_hash is not None and prepared.present_hash not in known:
        raise StaleError(
            f"{prepared.parsed.path} was changed in its folder; sync the source first",
            path=prepared.parsed.path,
        )


def _publish(
    connection: Connection,
    draft: Draft,
    prepared: PreparedArticle,
    reviewer: str,
    now: datetime,
    before: dict[str, Any] | None,
) -> Publication:
    current = read_draft(connection, draft.draft_id)
    state = next_state(current.state, Decision.PUBLISH)
    if current.draft_hash != draft.draft_hash:
        raise StaleError("the draft changed since it was read", draft_id=draft.draft_id)
    base = check_base(connection, current)
    approvers = read_approvers(connection, current)
    if len(approvers) < approvals_needed(base):
        raise ConflictError("not enough people approved this text", approvers=sorted(approvers))
    version = intake.write_version(
        connection, prepared.parsed, prepared.chunks, now=now, author=reviewer,
        reason=f"draft {draft.draft_id} for gap {draft.gap_id}",
    )  # fmt: skip
    intake.write_verification(connection, prepared.parsed.document_id, by=reviewer, now=(
        prepared.parsed.metadata.last_verified_at or now
    ))  # fmt: skip
    publication = Publication(
        publication_id=make_id("pub"),
        draft_id=draft.draft_id,
        document_id=prepared.parsed.document_id,
        version=version,
        previous_version=base.version if base else None,
        path=str(prepared.file) if prepared.file else None,
        published_at=now,
        published_by=reviewer,
        rolled_back_at=None,
    )
    write_publication(connection, publication, file_written=prepared.file is None)
    update_draft(
        connection, replace(current, state=state, updated_at=now), expected_hash=draft.draft_hash
    )
    repository.write_gap_status(connection, draft.gap_id, GapStatus.PUBLISHED, now=now)
    if before is not None:
        connection.execute(
            insert(effects).values(
                id=make_id("eff"), publication_id=publication.publication_id, measured_at=now,
                verdict=BASELINE, report=before,
            )
        )  # fmt: skip
    audit.write_entry(
        connection, at=now, actor=reviewer, action="draft.publish", subject=draft.draft_id,
        details={
            "publication_id": publication.publication_id,
            "document_id": publication.document_id,
            "version": version,
            "previous_version": publication.previous_version,
            "draft_hash": draft.draft_hash,
            "content_hash": prepared.parsed.content_hash,
            "approved_by": sorted(approvers),
        },
    )  # fmt: skip
    return publication


def publish_approved(
    database: Database, draft_id: str, *, reviewer: str, role: Role, now: datetime,
    prepare: PrepareArticle, **others: Any,
) -> Publication:  # fmt: skip
    """`publish_draft`, answering a repeated call with the publication that is there already."""
    with database.read() as connection:
        existing = read_publication_of(connection, draft_id)
        if existing is not None and existing.rolled_back_at is None:
            owner = read_draft(connection, draft_id).owner
            check_permission(owner, reviewer, role, others.get("acts_for"))
            return existing
    return publish_draft(
        database, draft_id, reviewer=reviewer, role=role, now=now, prepare=prepare, **others
    )


def publication_to_json(publication: Publication) -> dict[str, Any]:
    """What `kb drafts approve` prints."""
    return {
        "publication_id": publication.publication_id,
        "draft_id": publication.draft_id,
        "document_id": publication.document_id,
        "version": publication.version,
        "previous_version": publication.previous_version,
        "published_at": format_instant(publication.published_at),
        "published_by": publication.published_by,
        "rolled_back_at": format_instant(publication.rolled_back_at)
        if publication.rolled_back_at
        else None,
        "delivery": publication.delivery,
    }
