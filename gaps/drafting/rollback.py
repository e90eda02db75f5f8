"""Taking a publication back, and finishing what a kill left half done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from gaps import repository
from gaps.drafting.article_file import delete_article_file, write_article_file
from gaps.drafting.drafts import read_draft, update_draft
from gaps.drafting.publications import (
    read_publication,
    read_unwritten,
    write_delivery,
    write_file_written,
    write_rolled_back,
)
from gaps.drafting.publish import (
    ArticleChange,
    PrepareArticle,
    PreparedArticle,
    WriteFile,
    check_file,
)
from gaps.drafting.review import check_permission
from gaps.drafting.workflow import Decision, next_state
from gaps.types import Draft, GapStatus, Publication
from kb import articles, audit, intake
from kb.database import Database
from kb.errors import ConflictError, KbError, NotFoundError, StaleError
from kb.types import Document, Role

log = logging.getLogger("kb.publishing")
DeleteFile = Callable[[Path], bool | None]
Writers = tuple[WriteFile, DeleteFile]


def rollback_publication(
    database: Database,
    publication_id: str,
    *,
    reviewer: str,
    role: Role,
    reason: str,
    now: datetime,
    prepare: PrepareArticle,
    write_file: WriteFile = write_article_file,
    delete_file: DeleteFile = delete_article_file,
    acts_for: str | None = None,
) -> Publication:
    """Serve what was served before: the previous text as a new version, or nothing at all.

    Raises:
        NotFoundError: No such publication.
        ForbiddenError: The reviewer neither owns the draft nor is an editor.
        ConflictError: It was rolled back already.
        StaleError: A later version, or a change in the folder, would be lost.
        OSError: The file could not be written back; `finish_publications` does it later.
    """
    with database.read() as connection:
        publication = read_publication(connection, publication_id)
        draft = read_draft(connection, publication.draft_id)
        check_permission(draft.owner, reviewer, role, acts_for)
        next_state(draft.state, Decision.ROLLBACK)
        document = articles.read_document(connection, publication.document_id)
        _check_current(document, publication)
        previous = (
            articles.read_version(connection, document.document_id, publication.previous_version)
            if publication.previous_version is not None
            else None
        )
    prepared: PreparedArticle | None = None
    if previous is not None:
        change = replace(
            _stored_change(document, previous.markdown), title=previous.title, verified_at=None
        )
        prepared = prepare(change)
        check_file(prepared, document)
    with database.write() as connection:
        _take_back(connection, publication, draft, prepared, reviewer, reason, now)
    _converge_file(database, publication, prepared, write_file, delete_file)
    return replace(publication, rolled_back_at=now)


def _take_back(
    connection: Connection,
    publication: Publication,
    draft: Draft,
    prepared: PreparedArticle | None,
    reviewer: str,
    reason: str,
    now: datetime,
) -> None:
    current = read_draft(connection, draft.draft_id)
    state = next_state(current.state, Decision.ROLLBACK)
    _check_current(articles.read_document(connection, publication.document_id), publication)
    write_rolled_back(connection, publication, now)
    version: int | None = None
    if prepared is None:
        intake.delete_document(connection, publication.document_id, now=now)
    else:
        version = intake.write_version(
            connection, prepared.parsed, prepared.chunks, now=now, author=reviewer,
            reason=f"rollback of {publication.publication_id}: {reason}",
        )  # fmt: skip
    update_draft(
        connection,
        replace(current, state=state, updated_at=now),
        expected_hash=draft.draft_hash,
    )
    repository.write_gap_status(connection, draft.gap_id, GapStatus.OPEN, now=now)
    audit.write_entry(
        connection, at=now, actor=reviewer, action="draft.rollback", subject=draft.draft_id,
        details={
            "publication_id": publication.publication_id,
            "document_id": publication.document_id,
            "version": version,
            "reason": reason,
        },
    )  # fmt: skip


def _check_current(document: Document, publication: Publication) -> None:
    if document.version != publication.version:
        raise StaleError(
            f"{document.document_id} has changed again since this publication",
            version=document.version,
            published_version=publication.version,
        )


def _stored_change(document: Document, markdown: str) -> ArticleChange:
    said = document.metadata
    return ArticleChange(
        document_id=document.document_id,
        source=document.source,
        title=said.title,
        markdown=markdown,
        audience=said.audience,
        owner=said.owner,
        base=document,
        verified_at=said.last_verified_at,
    )


def _converge_file(
    database: Database,
    publication: Publication,
    prepared: PreparedArticle | None,
    write_file: WriteFile,
    delete_file: DeleteFile,
) -> None:
    done: bool | None = None
    if publication.path is not None:
        if prepared is not None and prepared.file is not None:
            done = write_file(prepared.file, prepared.file_text)
        elif prepared is None:
            done = delete_file(Path(publication.path))
    if done is False:
        return
    with database.write() as connection:
        write_file_written(connection, publication.publication_id)


def finish_publications(
    database: Database,
    *,
    prepare: PrepareArticle,
    now: datetime,
    writers_of: Callable[[Publication], Writers] = lambda _: (
        write_article_file,
        delete_article_file,
    ),
) -> list[str]:
    """Make every file say what the database says; run it at start-up and before a sync.

    A file that somebody changed in the meantime is left alone: the next sync reads it as theirs.
    A source that cannot be reached does not keep the others' files from being written.

    Returns:
        Ids of the publications that were finished.

    Raises:
        KbError: The first that a source answered with, when all others are done.
        OSError: Likewise.
    """
    with database.read() as connection:
        pending = read_unwritten(connection)
    finished = []
    failed: list[KbError | OSError] = []
    for publication in pending:
        try:
            if _finish(database, publication, prepare, writers_of(publication), now):
                finished.append(publication.publication_id)
        except (KbError, OSError) as error:
            failed.append(error)
    if failed:
        log.warning("%d publication(s) could not be finished", len(failed))
        raise failed[0]
    return finished


def _finish(
    database: Database,
    publication: Publication,
    prepare: PrepareArticle,
    writers: Writers,
    now: datetime,
) -> bool:
    """Whether the publication's file says now what the database says."""
    with database.read() as connection:
        try:
            document = articles.read_document(connection, publication.document_id)
        except NotFoundError:
            document = None
        text = (
            articles.read_version(connection, document.document_id, document.version).markdown
            if document is not None
            else ""
        )
    prepared: PreparedArticle | None = None
    if document is not None:
        prepared = prepare(_stored_change(document, text))
        if _is_foreign(database, prepared, publication):
            prepared = replace(prepared, file=None)
            _note_kept(database, publication, now)
    _converge_file(database, publication, prepared, *writers)
    with database.read() as connection:
        return publication.publication_id not in {
            waiting.publication_id for waiting in read_unwritten(connection)
        }


def _is_foreign(database: Database, prepared: PreparedArticle, publication: Publication) -> bool:
    """Whether the file holds a text that no stored version of the document has."""
    if prepared.present_hash is None:
        return False
    with database.read() as connection:
        known = {
            v.content_hash for v in articles.read_versions(connection, publication.document_id)
        }
    return prepared.present_hash not in known | {prepared.parsed.content_hash}


def _note_kept(database: Database, publication: Publication, now: datetime) -> None:
    with database.write() as connection:
        write_delivery(
            connection,
            publication.publication_id,
            {"state": "held", "why": "the source has a newer text, which stands"},
        )
        audit.write_entry(
            connection, at=now, actor="kbops", action="publication.file_kept",
            subject=publication.publication_id, details={"path": publication.path},
        )  # fmt: skip


def require_no_pending(database: Database) -> None:
    """Raises ConflictError while a file still has to be written."""
    with database.read() as connection:
        pending = read_unwritten(connection)
    if pending:
        raise ConflictError(
            "files of publications are not written yet",
            publications=[p.publication_id for p in pending],
        )
