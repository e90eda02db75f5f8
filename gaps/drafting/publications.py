"""SQL for publications, the outbox of files still to be written included."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gaps.tables import drafts, publications
from gaps.types import Publication
from kb.errors import ConflictError, NotFoundError


def write_publication(
    connection: Connection, publication: Publication, *, file_written: bool
) -> None:
    """Insert a publication; `file_written` False puts its file into the outbox."""
    connection.execute(
        insert(publications).values(
            id=publication.publication_id,
            draft_id=publication.draft_id,
            document_id=publication.document_id,
            version=publication.version,
            previous_version=publication.previous_version,
            path=publication.path,
            file_written=file_written,
            published_at=publication.published_at,
            published_by=publication.published_by,
            rolled_back_at=publication.rolled_back_at,
        )
    )


def write_file_written(connection: Connection, publication_id: str) -> None:
    """Tick a publication's file off the outbox."""
    connection.execute(
        update(publications).where(publications.c.id == publication_id).values(file_written=True)
    )


def write_delivery(connection: Connection, publication_id: str, delivery: dict[str, Any]) -> None:
    """Keep what became of a publication at its source."""
    connection.execute(
        update(publications).where(publications.c.id == publication_id).values(delivery=delivery)
    )


def write_rolled_back(connection: Connection, publication: Publication, now: datetime) -> None:
    """Raises ConflictError where it was rolled back meanwhile."""
    changed = connection.execute(
        update(publications)
        .where(
            publications.c.id == publication.publication_id,
            publications.c.rolled_back_at.is_(None),
        )
        .values(rolled_back_at=now, file_written=publication.path is None)
    )
    if changed.rowcount == 0:
        raise ConflictError("rolled back already", publication_id=publication.publication_id)


def read_publication(connection: Connection, publication_id: str) -> Publication:
    """Raises NotFoundError where there is none."""
    row = connection.execute(
        select(publications).where(publications.c.id == publication_id)
    ).first()
    if row is None:
        raise NotFoundError("publication", publication_id)
    return _to_publication(row)


def read_publication_of(connection: Connection, draft_id: str) -> Publication | None:
    """What a draft was published as, rolled back or not."""
    row = connection.execute(
        select(publications).where(publications.c.draft_id == draft_id)
    ).first()
    return _to_publication(row) if row else None


def read_publication_of_version(
    connection: Connection, document_id: str, version: int
) -> Publication | None:
    """The publication that made a version, if it is not rolled back."""
    row = connection.execute(
        select(publications).where(
            publications.c.document_id == document_id,
            publications.c.version == version,
            publications.c.rolled_back_at.is_(None),
        )
    ).first()
    return None if row is None else _to_publication(row)


def read_publications(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    live_only: bool = False,
    gap_id: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Publication]:
    """Publications by time, oldest first, published in `since` <= t < `until`.

    Args:
        connection: Any.
        since: From then on.
        until: Before then.
        live_only: Without those that were rolled back.
        gap_id: Only what was published for this gap.
        limit: At most so many.
        offset: After so many.
    """
    query = select(publications).order_by(publications.c.published_at, publications.c.id)
    if gap_id is not None:
        own = select(drafts.c.id).where(drafts.c.gap_id == gap_id)
        query = query.where(publications.c.draft_id.in_(own))
    if since is not None:
        query = query.where(publications.c.published_at >= since)
    if until is not None:
        query = query.where(publications.c.published_at < until)
    if live_only:
        query = query.where(publications.c.rolled_back_at.is_(None))
    if limit is not None:
        query = query.limit(limit).offset(offset)
    return [_to_publication(row) for row in connection.execute(query)]


def read_unwritten(connection: Connection) -> list[Publication]:
    """Publications whose file does not say yet what the database says, oldest first."""
    rows = connection.execute(
        select(publications)
        .where(publications.c.file_written.is_(False))
        .order_by(publications.c.published_at, publications.c.id)
    )
    return [_to_publication(row) for row in rows]


def _to_publication(row: Row[Any]) -> Publication:
    return Publication(
        publication_id=row.id,
        draft_id=row.draft_id,
        document_id=row.document_id,
        version=row.version,
        previous_version=row.previous_version,
        path=row.path,
        published_at=row.published_at,
        published_by=row.published_by,
        rolled_back_at=row.rolled_back_at,
        delivery=row.delivery,
    )
