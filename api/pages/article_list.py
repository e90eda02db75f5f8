"""All articles: by words in title, id or text, by owner, source and audience."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import ColumnElement, Connection, and_, func, select

from api.auth import Kb
from api.pages.layout import render_page
from api.pages.session import PageCaller
from api.wiring import Application
from kb.errors import KbError
from kb.tables import documents, freshness_verdicts
from kb.types import Audience, SearchRequest

ROWS = 50
LONGEST_TEXT = 200
FOUND_IN_TEXT = 10
Word = Annotated[str, Query(max_length=80)]

router = APIRouter(prefix="/articles", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ArticleQuery:
    """What of the list is asked for; an empty string means all."""

    text: str = ""
    owner: str = ""
    source: str = ""
    audience: str = ""
    offset: int = 0

    def link(self, **changed: Any) -> str:
        """The address of this list with something changed; back to its start unless said."""
        asked = replace(self, **({"offset": 0} | changed))
        said = {
            name: str(getattr(asked, name))
            for name in ("text", "owner", "source", "audience", "offset")
            if getattr(asked, name)
        }
        return f"/articles?{urlencode(said)}" if said else "/articles"


@dataclass(frozen=True, slots=True)
class ArticleRow:
    document_id: str
    title: str
    source: str
    audience: str
    authority: str
    owner: str
    version: int
    updated_at: datetime
    last_verified_at: datetime | None
    verdict: str | None
    """Of the last freshness check, where it was about this version."""


@router.get("")
def list_articles(
    kb: Kb,
    page: PageCaller,
    text: Annotated[str, Query(max_length=1_000)] = "",
    owner: Word = "",
    source: Word = "",
    audience: Word = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """Articles by title; words are looked for in titles and ids, then in the texts."""
    known = audience if audience in set(Audience) else ""
    asked = ArticleQuery(" ".join(text.split())[:LONGEST_TEXT], owner, source, known, offset)
    with kb.database.read() as connection:
        rows = _read_rows(connection, _matches(asked), limit=ROWS + 1, offset=offset)
        count = connection.execute(
            select(func.count()).select_from(documents).where(_matches(asked))
        ).scalar_one()
        owners, sources = _read_values(connection)
    shown = rows[:ROWS]
    return render_page(
        "articles.html",
        viewer=page,
        section="articles",
        asked=asked,
        rows=shown,
        count=count,
        further=_find_in_text(kb, asked, {row.document_id for row in shown}),
        owners=owners,
        sources=sources,
        audiences=[one.value for one in Audience],
        next_link=asked.link(offset=offset + ROWS) if len(rows) > ROWS else None,
        previous_link=asked.link(offset=max(0, offset - ROWS)) if offset else None,
    )


def _find_in_text(kb: Application, asked: ArticleQuery, shown: set[str]) -> list[ArticleRow]:
    """What search finds with these words in one passage, in its order, beside the titles.

    Search alone always names something near; somebody who looks for words means the words.
    """
    if len(asked.text) < 3 or asked.offset:
        return []
    try:
        found = kb.retriever.search(
            SearchRequest(asked.text, top_k=50, group_by="chunk"), Audience.INTERNAL
        )
    except KbError:
        return []
    words = asked.text.casefold().split()
    ids = [
        hit.chunk.document.document_id
        for hit in found.hits
        if all(word in hit.chunk.text.casefold() for word in words)
    ]
    ids = [one for one in dict.fromkeys(ids) if one not in shown][:FOUND_IN_TEXT]
    narrowed = _matches(replace(asked, text="")) & documents.c.id.in_(ids)
    with kb.database.read() as connection:
        rows = {row.document_id: row for row in _read_rows(connection, narrowed, limit=len(ids))}
    return [rows[one] for one in ids if one in rows]


def _matches(asked: ArticleQuery) -> ColumnElement[bool]:
    tests: list[ColumnElement[bool]] = [documents.c.deleted_at.is_(None)]
    for word in asked.text.casefold().split():
        heap = func.lower(documents.c.title + " " + documents.c.id)
        tests.append(heap.contains(word, autoescape=True))
    for column, value in (
        (documents.c.owner, asked.owner),
        (documents.c.source, asked.source),
        (documents.c.audience, asked.audience),
    ):
        if value:
            tests.append(column == value)
    return and_(*tests)


def _read_rows(
    connection: Connection, condition: ColumnElement[bool], *, limit: int, offset: int = 0
) -> list[ArticleRow]:
    verdicts = freshness_verdicts
    rows = connection.execute(
        select(
            documents.c.id.label("document_id"), documents.c.title, documents.c.source,
            documents.c.audience, documents.c.authority, documents.c.owner, documents.c.version,
            documents.c.updated_at, documents.c.last_verified_at, verdicts.c.verdict,
        )
        .outerjoin(
            verdicts,
            and_(
                verdicts.c.document_id == documents.c.id,
                verdicts.c.version == documents.c.version,
            ),
        )
        .where(condition)
        .order_by(func.lower(documents.c.title), documents.c.id)
        .limit(limit)
        .offset(offset)
    )  # fmt: skip
    return [ArticleRow(**row._mapping) for row in rows]


def _read_values(connection: Connection) -> tuple[list[str], list[str]]:
    live = documents.c.deleted_at.is_(None)
    owners, sources = (
        list(connection.execute(select(column).distinct().where(live).order_by(column)).scalars())
        for column in (documents.c.owner, documents.c.source)
    )
    return owners, sources
