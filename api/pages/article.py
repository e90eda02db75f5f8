"""An article as it is served: its verdict, its versions compared, its trail, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection, select

from api.auth import Kb
from api.keys import Caller
from api.pages.article_history import (
    ShownVersion,
    judge_chain,
    read_trail,
    show_details,
    show_versions,
)
from api.pages.article_text import render_markdown
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.pages.word_diff import diff_texts
from api.wiring import Application
from kb import articles
from kb.errors import ConflictError, ForbiddenError, NotFoundError, StaleError
from kb.freshness import judge_freshness
from kb.retrieval.catalogue import TOLD_SIGNALS, read_superseding
from kb.tables import conflicts, freshness_verdicts, sources
from kb.types import Audience, Document, Freshness, Role, Version

TRAIL_ROWS = 100

router = APIRouter(prefix="/articles", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    document: Document
    versions: tuple[Version, ...]
    """Newest first."""
    freshness: Freshness
    history: tuple[ShownVersion, ...]
    """The versions with where they came from."""

    @property
    def current(self) -> Version:
        return self.version(self.document.version)

    def version(self, number: int) -> Version:
        """Raises NotFoundError where there is no such version."""
        for version in self.versions:
            if version.version == number:
                return version
        raise NotFoundError("version", f"{self.document.document_id}@{number}")


@router.get("/{document_id:path}/rollback")
def confirm_rollback(
    document_id: str, kb: Kb, page: PageCaller, version: Annotated[int, Query(ge=1)]
) -> HTMLResponse:
    facts = _read_facts(kb, document_id)
    _ensure_may_change(page.caller, facts.document)
    return _rollback_page(page, facts, version)


@router.post("/{document_id:path}/rollback")
def roll_back(
    document_id: str,
    kb: Kb,
    page: FormCaller,
    version: Annotated[int, Form(ge=1)],
    base: Annotated[int | None, Form(ge=1)] = None,
) -> Response:
    """Serve an earlier text again, if what is served is still what the form was shown with."""
    facts = _read_facts(kb, document_id)
    _ensure_may_change(page.caller, facts.document)
    try:
        kb.publishing.rollback_article(document_id, version, page.caller, expected=base)
    except ConflictError as error:
        status = 412 if isinstance(error, StaleError) else 409
        message = f"{error.message[:1].upper()}{error.message[1:]}."
        return _rollback_page(page, _read_facts(kb, document_id), version, status, message, base)
    return RedirectResponse(f"/articles/{document_id}", status_code=303)


def _rollback_page(
    page: PageSession,
    facts: ArticleFacts,
    version: int,
    status: int = 200,
    fault: str = "",
    seen: int | None = None,
) -> HTMLResponse:
    wanted = facts.version(version)
    moved = seen is not None and seen != facts.document.version
    return render_page(
        "rollback_article.html",
        status=status,
        viewer=page,
        section="articles",
        facts=facts,
        document=facts.document,
        wanted=wanted,
        fault=fault,
        seen=seen if moved else None,
        seen_diff=(
            diff_texts(facts.version(seen).markdown, facts.current.markdown)
            if moved and seen is not None
            else None
        ),
        diff=diff_texts(facts.current.markdown, wanted.markdown),
    )


@router.get("/{document_id:path}/compare")
def compare_versions(
    document_id: str,
    kb: Kb,
    page: PageCaller,
    before: Annotated[int, Query(ge=1)],
    after: Annotated[int, Query(ge=1)],
) -> HTMLResponse:
    """Any two versions by word, whichever is the older."""
    facts = _read_facts(kb, document_id)
    one, other = facts.version(before), facts.version(after)
    return render_page(
        "compare_versions.html",
        viewer=page,
        section="articles",
        facts=facts,
        document=facts.document,
        before=one,
        after=other,
        diff=diff_texts(one.markdown, other.markdown),
        title_changed=one.title != other.title,
        may_change=_may_change(page.caller, facts.document),
    )


@router.get("/{document_id:path}/audit")
def show_trail(
    document_id: str,
    kb: Kb,
    page: PageCaller,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """What happened to an article, and whether the log that says so is whole."""
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id)
        _ensure_may_change(page.caller, document)
        entries, count = read_trail(connection, document_id, limit=TRAIL_ROWS, offset=offset)
        chain = judge_chain(connection)
    return render_page(
        "article_audit.html",
        viewer=page,
        section="articles",
        document=document,
        entries=[(entry, show_details(entry.details)) for entry in entries],
        count=count,
        offset=offset,
        next_offset=offset + TRAIL_ROWS if offset + TRAIL_ROWS < count else None,
        previous_offset=max(0, offset - TRAIL_ROWS) if offset else None,
        chain=chain,
    )


@router.get("/{document_id:path}")
def show_article(
    document_id: str,
    kb: Kb,
    page: PageCaller,
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """The current text, or an earlier one with what changed since."""
    facts = _read_facts(kb, document_id)
    shown = facts.version(version or facts.document.version)
    is_current = shown.version == facts.document.version
    return render_page(
        "article.html",
        viewer=page,
        section="articles",
        facts=facts,
        document=facts.document,
        shown=shown,
        is_current=is_current,
        body=render_markdown(shown.markdown),
        diff=None if is_current else diff_texts(shown.markdown, facts.current.markdown),
        may_change=_may_change(page.caller, facts.document),
    )


def _may_change(caller: Caller, document: Document) -> bool:
    return caller.role.includes(Role.EDITOR) or caller.owner == document.metadata.owner


def _ensure_may_change(caller: Caller, document: Document) -> None:
    if not _may_change(caller, document):
        raise ForbiddenError(f"this article is for {document.metadata.owner} to change")


def _read_facts(kb: Application, document_id: str) -> ArticleFacts:
    now = kb.clock.now()
    with kb.database.read() as connection:
        document = articles.read_document(connection, document_id)
        freshness = judge_freshness(
            document,
            now,
            review_every_days=_read_interval(connection, document.source),
            superseded_by=[
                other.document_id
                for other in read_superseding(connection, Audience.INTERNAL)
                if document_id in other.metadata.supersedes
            ],
            contradicted_by=_read_contradicting(connection, document),
            reported_stale=_read_report(connection, document),
        )
        versions = tuple(articles.read_versions(connection, document_id))
        history = tuple(show_versions(connection, versions))
    return ArticleFacts(document, versions, freshness, history)


def _read_interval(connection: Connection, source: str) -> int | None:
    interval: int | None = connection.execute(
        select(sources.c.review_every_days).where(sources.c.name == source)
    ).scalar()
    return interval


def _read_contradicting(connection: Connection, document: Document) -> list[str]:
    """Stronger documents found to state other facts than this version."""
    return list(
        connection.execute(
            select(conflicts.c.winner_id)
            .distinct()
            .where(
                conflicts.c.loser_id == document.document_id,
                conflicts.c.loser_version == document.version,
            )
        ).scalars()
    )


def _read_report(connection: Connection, document: Document) -> str | None:
    """What the last freshness check found in tickets about this version."""
    reasons = connection.execute(
        select(freshness_verdicts.c.reasons).where(
            freshness_verdicts.c.document_id == document.document_id,
            freshness_verdicts.c.version == document.version,
            freshness_verdicts.c.verdict.in_(["stale", "conflict"]),
        )
    ).scalar()
    return next((r["text"] for r in reasons or () if r["signal"] in TOLD_SIGNALS), None)
