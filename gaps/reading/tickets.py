"""Import of ticket files: a bad line is refused with its number and field, the rest is taken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from gaps import repository
from gaps.reading.ticket_line import AudienceFor, parse_ticket_line, pseudonym
from gaps.types import Ticket
from kb import audit
from kb.database import Database
from kb.errors import InvalidInputError
from kb.ports import Clock

__all__ = ["ImportReport", "hash_ticket", "import_tickets", "parse_ticket_line", "pseudonym"]

BATCH_LINES = 500


@dataclass(slots=True)
class ImportReport:
    read: int = 0
    imported: int = 0
    unchanged: int = 0
    updated: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    """`{"line", "reason"}`, in the order of the file."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def import_tickets(
    database: Database,
    lines: Iterable[bytes],
    *,
    clock: Clock,
    audience_for: AudienceFor,
    actor: str = "kb tickets import",
) -> ImportReport:
    """Import a ticket file; importing it again changes nothing.

    Each 500 lines are one transaction. Of an id that comes several times the last line wins and
    counts as updated. An import that changed something ends with an audit entry.
    """
    report = ImportReport()
    numbered = enumerate(lines, start=1)
    while batch := list(islice(numbered, BATCH_LINES)):
        parsed = list(_parse_batch(batch, report, audience_for))
        if parsed:
            _write_batch(database, parsed, report, clock.now())
    if report.imported or report.updated:
        with database.write() as connection:
            audit.write_entry(
                connection,
                at=clock.now(),
                actor=actor,
                action="tickets.import",
                subject="tickets",
                details=report.to_json() | {"refused": len(report.refused)},
            )
    return report


def hash_ticket(ticket: Ticket) -> str:
    """SHA-256 (hex) over everything that is stored of a ticket."""
    facts = json.dumps(asdict(ticket), default=str, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(facts.encode()).hexdigest()


def _parse_batch(
    batch: list[tuple[int, bytes]], report: ImportReport, audience_for: AudienceFor
) -> Iterator[tuple[Ticket, str]]:
    for number, line in batch:
        if not line.strip():
            continue
        report.read += 1
        try:
            ticket = parse_ticket_line(line, number, audience_for)
        except InvalidInputError as error:
            report.refused.append({"line": number, "reason": error.reason})
            continue
        yield ticket, hash_ticket(ticket)


def _write_batch(
    database: Database, parsed: list[tuple[Ticket, str]], report: ImportReport, now: datetime
) -> None:
    final = {ticket.ticket_id: (ticket, digest) for ticket, digest in parsed}
    with database.write() as connection:
        stored = repository.read_ticket_hashes(connection, final)
        for key, (ticket, digest) in final.items():
            if stored.get(key) != digest:
                exists = key in stored
                repository.write_ticket(connection, ticket, digest, exists=exists, now=now)
    latest = dict(stored)
    for ticket, digest in parsed:
        key = ticket.ticket_id
        if stored.get(key) == final[key][1] or latest.get(key) == digest:
            report.unchanged += 1
        elif key in latest:
            report.updated += 1
        else:
            report.imported += 1
        latest[key] = digest
