"""SQL that keeps what was read of tickets, so that a run reads only those that are new.

A ticket is read once for each content it had: the articles it was used on, whether they failed, and
its terms. What its resolution states otherwise is compared again only when the article changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from gaps import repository
from gaps.drafting.writing.evidence import origin_of
from gaps.freshness.facts import Told, Uses
from gaps.freshness.resolutions import (
    Claim,
    agree_on,
    find_claims,
    find_named,
    followed_in_vain,
    read_claims,
)
from gaps.freshness.terms import READING, find_ticket_terms
from gaps.tables import freshness_terms, freshness_tickets, freshness_uses, tickets
from gaps.types import Ticket
from kb import articles
from kb.database import Database
from kb.tables import documents

BATCH = 500
QUARTER, MONTH, YEAR = timedelta(days=90), timedelta(days=28), timedelta(days=365)
FEWEST_BEFORE = 8
"""Tickets that must have used a term before its silence says anything."""
SHOWN_EVIDENCE = 20


def read_new_tickets(database: Database, names: Mapping[str, str]) -> int:
    """Read every ticket whose present content was not read yet; commits batch by batch.

    Args:
        database: Any.
        names: Document id by what requesters call it, lower case.

    Returns:
        How many were read.
    """
    with database.read() as connection:
        found = list(connection.execute(_unread()).scalars())
    for start in range(0, len(found), BATCH):
        ids = found[start : start + BATCH]
        with database.read() as connection:
            batch = repository.read_tickets(connection, ids=ids)
            hashes = repository.read_ticket_hashes(connection, ids)
        uses = [row for ticket in batch for row in _read_uses(ticket, names)]
        terms = [row for ticket in batch for row in _read_terms(ticket)]
        with database.write() as connection:
            forget_tickets(connection, ids)
            for table, rows in (
                (freshness_uses, uses),
                (freshness_terms, terms),
                (freshness_tickets, [_read_row(t, hashes[t.ticket_id]) for t in batch]),
            ):
                if rows:
                    connection.execute(insert(table), rows)
    return len(found)


def _unread() -> Any:
    known = freshness_tickets
    return (
        select(tickets.c.id)
        .outerjoin(known, known.c.ticket_id == tickets.c.id)
        .where(
            or_(
                known.c.ticket_id.is_(None),
                known.c.content_hash != f"{READING}:" + tickets.c.content_hash,
            )
        )
        .order_by(tickets.c.id)
    )


def _read_row(ticket: Ticket, content_hash: str) -> dict[str, Any]:
    return {"ticket_id": ticket.ticket_id, "content_hash": f"{READING}:{content_hash}"}


def forget_tickets(connection: Connection, ticket_ids: Sequence[str]) -> None:
    """Forget what was read of tickets."""
    for table in (freshness_uses, freshness_terms, freshness_tickets):
        connection.execute(delete(table).where(table.c.ticket_id.in_(list(ticket_ids))))


def _read_uses(ticket: Ticket, names: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    customer = [r.body for r in ticket.replies if r.author_role == "customer"]
    named = find_named("\n".join([ticket.question, *customer]), names)
    linked = set(ticket.linked_articles)
    for document_id in sorted(named | linked):
        yield {
            "ticket_id": ticket.ticket_id,
            "document_id": document_id,
            "at": ticket.created_at,
            "origin": origin_of(ticket)[:140],
            "linked": document_id in linked,
            "failed": document_id in linked and ticket.has_failed,
            "followed": followed_in_vain(ticket, named=document_id in named),
            "compared": None,
            "told": [],
        }


def _read_terms(ticket: Ticket) -> Iterable[dict[str, Any]]:
    texts = [ticket.question, ticket.resolution or "", *(r.body for r in ticket.replies)]
    for term in find_ticket_terms("\n".join(texts)):
        yield {"ticket_id": ticket.ticket_id, "term": term, "at": ticket.created_at}


def compare_resolutions(database: Database, now: datetime) -> int:
    """Hold resolutions against the articles they used, where either is new; commits by batch.

    Returns:
        How many pairs of ticket and article were compared.
    """
    with database.read() as connection:
        rows = connection.execute(_uncompared(now)).all()
    by_document: dict[str, list[str]] = defaultdict(list)
    versions = {row.document_id: (row.version, row.content_hash) for row in rows}
    for row in rows:
        by_document[row.document_id].append(row.ticket_id)
    work = sorted(by_document.items())
    done: list[dict[str, Any]] = []
    for document_id, ids in work:
        version, content_hash = versions[document_id]
        with database.read() as connection:
            markdown = articles.read_version(connection, document_id, version).markdown
            found = repository.read_tickets(connection, ids=ids)
        claims = read_claims(markdown)
        for ticket in found:
            told = [asdict(claim) for claim in find_claims(claims, ticket)]
            done.append(
                {"t": ticket.ticket_id, "d": document_id, "compared": content_hash, "told": told}
            )
        if len(done) >= BATCH:
            _write_claims(database, done)
            done = []
    _write_claims(database, done)
    return len(rows)


def _uncompared(now: datetime) -> Any:
    uses = freshness_uses
    return (
        select(
            uses.c.ticket_id, uses.c.document_id, documents.c.version, documents.c.content_hash
        )
        .join(documents, documents.c.id == uses.c.document_id)
        .where(
            _counts(now - QUARTER, now),
            or_(uses.c.compared.is_(None), uses.c.compared != documents.c.content_hash),
        )
        .order_by(uses.c.document_id, uses.c.ticket_id)
    )  # fmt: skip


def _counts(since: datetime, now: datetime) -> Any:
    """What an earlier text did wrong is not this version's fault."""
    uses = freshness_uses
    return and_(
        uses.c.at >= since,
        uses.c.at < now,
        documents.c.deleted_at.is_(None),
        or_(documents.c.version == 1, uses.c.at >= documents.c.updated_at),
    )


def _write_claims(database: Database, done: Sequence[Mapping[str, Any]]) -> None:
    if not done:
        return
    with database.write() as connection:
        connection.execute(
            update(freshness_uses)
            .where(
                freshness_uses.c.ticket_id == bindparam("t"),
                freshness_uses.c.document_id == bindparam("d"),
            )
            .values(compared=bindparam("compared"), told=bindparam("told")),
            list(done),
        )


def read_uses(connection: Connection, now: datetime) -> dict[str, Uses]:
    """Tickets counted by document, of the present versions."""
    uses = freshness_uses
    late, month = uses.c.at >= now - QUARTER, uses.c.at >= now - MONTH

    def count(*conditions: Any) -> Any:
        return func.sum(case((and_(*conditions), 1), else_=0))

    counted = connection.execute(
        select(
            uses.c.document_id,
            count(uses.c.linked, late).label("linked"),
            count(uses.c.linked, month).label("linked_month"),
            count(uses.c.failed, late).label("failed"),
            count(uses.c.failed, month).label("failed_month"),
            count(~uses.c.linked, late).label("named"),
            count(uses.c.linked).label("year"),
        )
        .join(documents, documents.c.id == uses.c.document_id)
        .where(_counts(now - YEAR, now))
        .group_by(uses.c.document_id)
    ).all()
    failed, followed = _read_marked(connection, now)
    return {
        row.document_id: Uses(
            row.linked, row.linked_month, row.failed, row.failed_month, row.named,
            tuple(failed[row.document_id]), tuple(followed[row.document_id]), row.year,
        )
        for row in counted
    }  # fmt: skip


def _read_marked(
    connection: Connection, now: datetime
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Tickets that failed, and those that say they followed it in vain, by document; one ticket of
    a requester counts."""
    uses = freshness_uses
    rows = connection.execute(
        select(uses.c.document_id, uses.c.ticket_id, uses.c.origin, uses.c.failed, uses.c.followed)
        .join(documents, documents.c.id == uses.c.document_id)
        .where(_counts(now - QUARTER, now), or_(uses.c.failed, uses.c.followed))
        .order_by(uses.c.document_id, uses.c.ticket_id)
    )
    failed: dict[str, list[str]] = defaultdict(list)
    followed: dict[str, list[str]] = defaultdict(list)
    heard: set[tuple[str, str]] = set()
    for row in rows:
        if row.failed and len(failed[row.document_id]) < SHOWN_EVIDENCE:
            failed[row.document_id].append(row.ticket_id)
        if row.followed and (row.document_id, row.origin) not in heard:
            heard.add((row.document_id, row.origin))
            followed[row.document_id].append(row.ticket_id)
    return failed, followed


def read_told(connection: Connection, now: datetime) -> dict[str, Told]:
    """What resolutions agree on against each document."""
    uses = freshness_uses
    rows = connection.execute(
        select(uses.c.document_id, uses.c.ticket_id, uses.c.origin, uses.c.told)
        .join(documents, documents.c.id == uses.c.document_id)
        .where(
            _counts(now - QUARTER, now), uses.c.compared == documents.c.content_hash,
            cast(uses.c.told, Text) != "[]",
        )
    )  # fmt: skip
    claims: dict[str, list[tuple[Claim, str, str]]] = defaultdict(list)
    for row in rows:
        claims[row.document_id] += [(Claim(**c), row.origin, row.ticket_id) for c in row.told]
    found = {key: agree_on(said) for key, said in claims.items()}
    return {key: told for key, told in found.items() if told is not None}


def read_term_counts(connection: Connection, now: datetime) -> dict[str, tuple[int, int]]:
    """Tickets of the year before the last 90 days, and of those, by term that was used enough."""
    terms = freshness_terms
    late = func.sum(case((terms.c.at >= now - QUARTER, 1), else_=0))
    rows = connection.execute(
        select(terms.c.term, (func.count() - late).label("before"), late.label("late"))
        .where(terms.c.at >= now - YEAR, terms.c.at < now)
        .group_by(terms.c.term)
        .having(func.count() >= FEWEST_BEFORE)
    )
    return {row.term: (row.before, row.late) for row in rows}


def count_tickets(connection: Connection, since: datetime, until: datetime) -> int:
    held = select(func.count()).where(tickets.c.created_at >= since, tickets.c.created_at < until)
    return int(connection.execute(held).scalar_one())


def read_new_terms(
    connection: Connection, now: datetime, fewest: int
) -> dict[str, list[tuple[str, int]]]:
    """Terms of the tickets each document was linked to, most frequent first."""
    uses, terms = freshness_uses, freshness_terms
    number = func.count().label("number")
    rows = connection.execute(
        select(uses.c.document_id, terms.c.term, number)
        .join(terms, terms.c.ticket_id == uses.c.ticket_id)
        .join(documents, documents.c.id == uses.c.document_id)
        .where(_counts(now - QUARTER, now), uses.c.linked)
        .group_by(uses.c.document_id, terms.c.term)
        .having(func.count() >= fewest)
    )
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in rows:
        found[row.document_id].append((row.term, int(row.number)))
    return {key: sorted(said, key=lambda e: (-e[1], e[0])) for key, said in found.items()}
