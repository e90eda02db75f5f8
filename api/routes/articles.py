"""Articles and their versions, for readers and owners."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import AnyCaller, Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import ReasonBody, RollbackBody, document_json, version_json
from kb import articles, audit
from kb.errors import ForbiddenError
from kb.types import Role

router = APIRouter(prefix="/v1/articles", tags=["articles"])


@router.get("")
def list_articles(
    kb: Kb, caller: AnyCaller, page: Page, source: Annotated[str | None, Query()] = None
) -> dict[str, Any]:
    with kb.database.read() as connection:
        found = articles.read_documents(
            connection, caller.audience, source=source, limit=page.limit + 1, offset=page.offset
        )
    return page_json([document_json(document) for document in found], page)


@router.get("/{document_id:path}/versions")
def list_versions(document_id: str, kb: Kb, caller: AnyCaller, page: Page) -> dict[str, Any]:
    """Versions newest first; texts only of the version that the audience may read today."""
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id, caller.audience)
        found = articles.read_versions(connection, document_id)
    trusted = caller.role.includes(Role.OWNER)
    rows = [version_json(v, text=trusted or v.version == document.version) for v in found]
    return page_json(rows[page.offset : page.offset + page.limit + 1], page)


@router.post("/{document_id:path}/verify")
def verify(document_id: str, body: ReasonBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Confirm that the current version is true."""
    now = kb.clock.now()
    with kb.database.write() as connection:
        document = articles.read_document(connection, document_id, caller.audience)
        if caller.role is Role.OWNER and document.metadata.owner != caller.owner:
            raise ForbiddenError(f"{document_id} is owned by {document.metadata.owner}")
        articles.write_verification(connection, document_id, by=caller.name, now=now)
        audit.write_entry(
            connection,
            at=now,
            actor=caller.name,
            action="article.verify",
            subject=document_id,
            details={"version": document.version, "reason": body.reason},
        )
        return document_json(articles.read_document(connection, document_id, caller.audience))


@router.post("/{document_id:path}/rollback")
def rollback(document_id: str, body: RollbackBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Serve an earlier version's text again, as a new version."""
    return kb.publishing.rollback_article(document_id, body.version, caller)


@router.get("/{document_id:path}")
def show_article(document_id: str, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id, caller.audience)
        version = articles.read_version(connection, document_id, document.version)
    return document_json(document) | {"markdown": version.markdown}
