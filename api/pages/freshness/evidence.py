"""What a reason rests on, each piece with where it can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, select

from api.pages.freshness.wording import signal_label
from gaps.freshness.queue import QueueEntry
from gaps.tables import tickets
from kb.tables import documents

BATCH = 500
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence."""

    text: str
    href: str = ""
    """Empty where there is nothing to open."""
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class ShownReason:
    """A reason as a line: what it is, in words, and what it rests on."""

    signal: str
    label: str
    text: str
    weight: float
    pieces: tuple[Piece, ...]
    more: int
    """How many pieces are left out."""


@dataclass(frozen=True, slots=True)
class Known:
    """Which of some ids are documents, with their titles, and which are tickets."""

    documents: Mapping[str, str]
    tickets: frozenset[str]


def read_known(connection: Connection, entries: Iterable[QueueEntry]) -> Known:
    """What the evidence of these entries names."""
    named = sorted({
        str(piece) for entry in entries for reason in entry.reasons for piece in reason["evidence"]
    })  # fmt: skip
    titles: dict[str, str] = {}
    found: set[str] = set()
    for start in range(0, len(named), BATCH):
        batch = named[start : start + BATCH]
        rows = connection.execute(
            select(documents.c.id, documents.c.title).where(
                documents.c.id.in_(batch), documents.c.deleted_at.is_(None)
            )
        )
        titles |= {row.id: row.title for row in rows}
        found.update(
            connection.execute(select(tickets.c.id).where(tickets.c.id.in_(batch))).scalars()
        )
    return Known(titles, frozenset(found))


def show_reasons(
    entry: QueueEntry, known: Known, *, most: int | None = None, shown: int = SHOWN
) -> list[ShownReason]:
    """An entry's reasons, heaviest first.

    Args:
        entry: With its verdict.
        known: What its evidence names.
        most: How many reasons; all where None.
        shown: How many pieces of evidence each.
    """
    return [
        ShownReason(
            signal=str(reason["signal"]),
            label=signal_label(str(reason["signal"])),
            text=str(reason["text"]),
            weight=float(reason["weight"]),
            pieces=tuple(
                show_piece(str(piece), entry.document_id, known)
                for piece in reason["evidence"][:shown]
            ),
            more=max(0, len(reason["evidence"]) - shown),
        )
        for reason in _first(entry.reasons, most)
    ]


def show_piece(piece: str, document_id: str, known: Known) -> Piece:
    """Where a piece of evidence can be read: an article, a ticket, an address, or nowhere."""
    if piece in known.documents:
        return Piece(known.documents[piece], f"/articles/{quote(piece)}")
    if piece in known.tickets:
        return Piece(piece, f"/freshness/{quote(document_id)}#{ticket_anchor(piece)}")
    # The reason's own words say the whole address.
    return Piece(urlsplit(piece).netloc, piece, True) if is_web_address(piece) else Piece(piece)


def ticket_anchor(ticket_id: str) -> str:
    """The id of a ticket's place on the page of its article."""
    return f"ticket-{quote(ticket_id, safe='')}"


def is_web_address(text: str) -> bool:
    """Whether it may be linked to: what an article names can hold any scheme."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def ticket_ids(entry: QueueEntry, known: Known) -> list[str]:
    """Tickets that its evidence names, in the order of the reasons, each once."""
    named = (str(piece) for reason in entry.reasons for piece in reason["evidence"])
    return [piece for piece in dict.fromkeys(named) if piece in known.tickets]


def _first(reasons: Sequence[Mapping[str, Any]], most: int | None) -> Sequence[Mapping[str, Any]]:
    return reasons if most is None else reasons[:most]
