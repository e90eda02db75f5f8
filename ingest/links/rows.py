"""SQL for the links of documents and what was found behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from ingest.links.judging import KnownDocument, LinkState, LinkVerdict
from kb.tables import documents, links, sources, versions


def read_known_documents(connection: Connection) -> list[KnownDocument]:
    """Every document ever seen, with the folder of its source."""
    rows = connection.execute(
        select(
            documents.c.id, sources.c.location, documents.c.path, documents.c.url,
            documents.c.confidence_state, documents.c.deleted_at,
        ).join(sources, sources.c.name == documents.c.source)
    )  # fmt: skip
    return [
        KnownDocument(
            row.id, row.location or "", row.path, row.url, row.confidence_state,
            row.deleted_at is not None,
        )
        for row in rows
    ]  # fmt: skip


def read_published_texts(connection: Connection) -> list[tuple[str, int, str]]:
    """Document id, version and Markdown of what is served, by document id."""
    rows = connection.execute(
        select(documents.c.id, documents.c.version, versions.c.markdown)
        .join(
            versions,
            (versions.c.document_id == documents.c.id)
            & (versions.c.version == documents.c.version),
        )
        .where(documents.c.deleted_at.is_(None), documents.c.confidence_state != "archived")
        .order_by(documents.c.id)
    )
    return [(row.id, row.version, row.markdown) for row in rows]


def read_states(connection: Connection) -> dict[str, LinkState]:
    """The latest finding for every URL that was fetched, whichever document it stands in."""
    rows = connection.execute(
        select(links)
        .where(links.c.url.like("http%"), links.c.verdict != LinkVerdict.ARCHIVED.value)
        .order_by(links.c.checked_at)
    )
    return {row.url: _to_state(row) for row in rows}


def write_state(
    connection: Connection, document_id: str, version: int, url: str, state: LinkState
) -> None:
    connection.execute(delete(links).where(links.c.document_id == document_id, links.c.url == url))
    facts = asdict(state) | {"verdict": state.verdict.value}
    connection.execute(
        insert(links).values(document_id=document_id, version=version, url=url, **facts)
    )


def delete_others(connection: Connection, kept: Iterable[tuple[str, str]]) -> int:
    """Forget the links that no published text has any more; returns how many."""
    stored = {
        (row.document_id, row.url)
        for row in connection.execute(select(links.c.document_id, links.c.url))
    }
    gone = stored - set(kept)
    for document_id, url in sorted(gone):
        connection.execute(
            delete(links).where(links.c.document_id == document_id, links.c.url == url)
        )
    return len(gone)


def read_links(
    connection: Connection, verdicts: Iterable[LinkVerdict] = ()
) -> list[dict[str, Any]]:
    """Links with their findings, by document and URL; no verdicts means all."""
    query = select(links).order_by(links.c.document_id, links.c.url)
    wanted = [verdict.value for verdict in verdicts]
    if wanted:
        query = query.where(links.c.verdict.in_(wanted))
    return [dict(row._mapping) for row in connection.execute(query)]


def _to_state(row: Any) -> LinkState:
    return LinkState(LinkVerdict(row.verdict), row.status_code, row.target, row.checked_at)
