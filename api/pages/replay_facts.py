"""Real questions before and after a draft, as its page shows them to one reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from gaps.types import Draft, Replayed, Ticket
from kb.tables import documents
from kb.types import Audience

WORDS_SHOWN = 160
"""Characters of a question in the table of questions asked again."""
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What a question found, without the draft or with it."""

    answered: bool
    place: str
    """Where what is right stood: "1st", or that it was not found; empty where nothing is known
    to be right."""
    first: str
    """Title of the first hit."""


@dataclass(frozen=True, slots=True)
class ShownReplay:
    """A real question before and after."""

    outcome: str
    label: str
    text: str
    href: str | None
    before: ShownAnswer
    after: ShownAnswer
    displaced_by: tuple[str, ...]


def show_replayed(
    connection: Connection,
    draft: Draft,
    reader: Audience,
    tickets: Sequence[Ticket],
    shown: Sequence[Ticket],
) -> tuple[ShownReplay, ...]:
    """Rows with titles and words, as far as the reader may know of them.

    Args:
        connection: Reads titles.
        draft: With its checks.
        reader: Who looks.
        tickets: The gap's, for their words.
        shown: Those on the page, which rows link to.
    """
    rows = [r for c in draft.checks for r in c.replayed if reader.may_read(r.audience)]
    ids = {d for r in rows for d in (r.first_before, r.first_after, *r.displaced_by) if d}
    titles = _read_titles(connection, ids, reader)
    if draft.document_id is not None and draft.base_version is None:
        titles[draft.document_id] = f"{draft.title} (this draft)"
    words = {t.ticket_id: t.subject or t.body for t in tickets}
    anchors = {t.ticket_id: f"#ticket-{n}" for n, t in enumerate(shown, start=1)}

    def show(row: Replayed) -> ShownReplay:
        ticket = row.kind == "ticket"
        before = _show_answer(row.answerable_before, row.rank_before, row.first_before, titles)
        after = _show_answer(row.answerable_after, row.rank_after, row.first_after, titles)
        if row.rank_before is None and row.rank_after is None:
            before, after = replace(before, place=""), replace(after, place="")
        return ShownReplay(
            outcome=row.outcome,
            label=f"{'Ticket' if ticket else 'Frozen question'} {row.id}",
            text=_shorten(words.get(row.id, "") if ticket else row.text),
            href=anchors.get(row.id) if ticket else None,
            before=before,
            after=after,
            displaced_by=tuple(titles.get(d, d) for d in row.displaced_by),
        )

    return tuple(map(show, rows))


def _show_answer(
    answered: bool, rank: int | None, first: str | None, titles: dict[str, str]
) -> ShownAnswer:
    place = f"{rank}{_ORDINALS.get(rank, 'th')}" if rank is not None else "not among ten"
    return ShownAnswer(answered, place, titles.get(first, first) if first else "nothing")


def _shorten(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= WORDS_SHOWN else f"{plain[: WORDS_SHOWN - 1]}…"


def _read_titles(connection: Connection, ids: set[str], reader: Audience) -> dict[str, str]:
    rows = connection.execute(
        select(documents.c.id, documents.c.title).where(
            documents.c.id.in_(sorted(ids)),
            documents.c.audience.in_([a.value for a in reader.readable()]),
        )
    )
    return {row.id: row.title for row in rows}
