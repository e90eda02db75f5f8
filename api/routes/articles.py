"""Articles and their versions, for readers and owners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from api.auth import AnyCaller, Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import RollbackBody, VerifyBody, document_json, instant_json, version_json
from kb import articles
from kb.types import Audience, Document, Role

router = APIRouter(prefix="/v1/articles", tags=["articles"])


@router.get("")
def list_articles(
    kb: Kb, caller: AnyCaller, page: Page, source: Annotated[str | None, Query()] = None
) -> dict[str, Any]:
    """Documents that the key may read, by id."""
    with kb.database.read() as connection:
        found = articles.read_documents(
            connection, caller.audience, source=source, limit=page.limit + 1, offset=page.offset
        )
        rows = _documents_json(connection, found, caller.audience)
    return page_json(rows, page)


@router.get("/{document_id:path}/versions")
def list_versions(document_id: str, kb: Kb, caller: AnyCaller, page: Page) -> dict[str, Any]:
    """Versions newest first.

    An earlier version may have been for a more trusted audience: only those who may read that see
    more of it than that it was there.
    """
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id, caller.audience)
        found = articles.read_versions(connection, document_id)
    trusted = caller.role.includes(Role.OWNER) and caller.audience is Audience.INTERNAL
    rows = [
        version_json(version, text=True)
        if trusted or version.version == document.version
        else {"version": version.version, "created_at": instant_json(version.created_at)}
        for version in found
    ]
    return page_json(rows[page.offset : page.offset + page.limit + 1], page)


@router.post("/{document_id:path}/verify")
def verify(document_id: str, body: VerifyBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Confirm that the current version is true, and for how long."""
    document = kb.freshness.verify(
        document_id, caller, reason=body.reason, interval_days=body.review_every_days,
        version=body.version,
    )  # fmt: skip
    return document_json(document)


@router.post("/{document_id:path}/rollback")
def rollback(document_id: str, body: RollbackBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Serve an earlier version's text again, as a new version."""
    return kb.publishing.rollback_article(document_id, body.version, caller)


@router.get("/{document_id:path}")
def show_article(document_id: str, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """One document with its current text."""
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id, caller.audience)
        version = articles.read_version(connection, document_id, document.version)
        shown = _documents_json(connection, [document], caller.audience)[0]
    return shown | {"markdown": version.markdown}


def _documents_json(
    connection: Connection, found: Sequence[Document], audience: Audience
) -> list[dict[str, Any]]:
    """Documents, naming of those they replace only what the audience may know of."""
    named = sorted({key for document in found for key in document.metadata.supersedes})
    known = {d.document_id for d in articles.read_documents(connection, audience, ids=named)}
    return [
        document_json(document)
        | {"supersedes": [key for key in document.metadata.supersedes if key in known]}
        for document in found
    ]
