"""Evidence as the pages show it: beside the statement that rests on it, and where it changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection

from api.pages.layout import reveal_hidden
from api.pages.word_diff import Diff, diff_texts
from gaps.drafting.snapshot import EvidenceChange, find_changes
from gaps.repository import read_tickets
from gaps.types import Draft, Ticket
from kb import articles
from kb.errors import NotFoundError

QUOTES_SHOWN = 3
QUOTE_CHARACTERS = 240
_CITES = re.compile(
    r'(?:<a href="#statement-\d+" class="cite" rel="noopener noreferrer">\d+</a> ?)+'
)
_NUMBER = re.compile(r'href="#statement-(\d+)"')


@dataclass(frozen=True, slots=True)
class ShownCitation:
    """A quote and where on these pages it can be read in full."""

    label: str
    quote: str
    href: str | None


@dataclass(frozen=True, slots=True)
class ShownStatement:
    text: str
    citations: tuple[ShownCitation, ...]


@dataclass(frozen=True, slots=True)
class ShownChange:
    """Evidence that is no longer what the draft was checked against."""

    label: str
    quotes: tuple[str, ...]
    """What the draft quotes from it."""
    now: str
    """What a ticket says now; empty where it is gone, or a document."""
    is_gone: bool
    href: str | None = None
    diff: Diff | None = None
    """Of a document: the cited version against the one served now."""


def attach_evidence(body: Markup, statements: Sequence[ShownStatement]) -> Markup:
    """Put each statement's quotes beside the link to it, for those who hover or focus it.

    The quotes are listed in full further down, so that nobody needs a pointer to read them.

    Args:
        body: From `render_markdown`, with links to `#statement-n`.
        statements: In the order of those numbers.
    """

    def put(match: re.Match[str]) -> str:
        links = match.group()
        numbers = [int(number) for number in _NUMBER.findall(links)]
        known = [(n, statements[n - 1]) for n in numbers if n <= len(statements)]
        cards = Markup("").join(_card(n, statement) for n, statement in known)
        return f'<span class="cited-by">{links}<span class="pop">{cards}</span></span>'

    return Markup(_CITES.sub(put, str(body)))


def _card(number: int, statement: ShownStatement) -> Markup:
    quotes = Markup("").join(
        Markup('<span class="pop-quote">“{}” <span class="pop-from">{}</span></span>').format(
            _shown(citation.quote), _shown(citation.label)
        )
        for citation in statement.citations[:QUOTES_SHOWN]
    )
    more = len(statement.citations) - QUOTES_SHOWN
    if more > 0:
        quotes += Markup('<span class="pop-from">and {} more below</span>').format(more)
    if not statement.citations:
        quotes = Markup('<span class="pop-from">No evidence is cited.</span>')
    return Markup(
        '<span class="pop-card"><span class="pop-number">{}</span><span>{}</span></span>'
    ).format(number, quotes)


def _shown(text: str) -> str:
    plain = " ".join(reveal_hidden(text).split())
    return plain if len(plain) <= QUOTE_CHARACTERS else f"{plain[: QUOTE_CHARACTERS - 1]}…"


def show_changes(connection: Connection, draft: Draft) -> tuple[ShownChange, ...]:
    """What changed under a draft since it was checked, with the words of before and now."""
    changes = find_changes(connection, draft.draft_id, draft.statements)
    ids = [change.id for change in changes if change.kind == "ticket"]
    tickets = {t.ticket_id: t for t in read_tickets(connection, ids=ids)} if ids else {}
    return tuple(_show_change(connection, draft, change, tickets) for change in changes)


def _show_change(
    connection: Connection, draft: Draft, change: EvidenceChange, tickets: dict[str, Ticket]
) -> ShownChange:
    quotes = tuple(c.quote for s in draft.statements for c in s.citations if c.id == change.id)
    if change.kind == "ticket":
        ticket = tickets.get(change.id)
        words = [ticket.subject, ticket.body, ticket.resolution or ""] if ticket else []
        return ShownChange(
            f"Ticket {change.id}", quotes, "\n\n".join(filter(None, words)), change.is_gone
        )
    diff = None
    if not change.is_gone and change.before:
        try:
            old = articles.read_version(connection, change.id, int(change.before))
            new = articles.read_version(connection, change.id, int(change.after))
            diff = diff_texts(old.markdown, new.markdown)
        except (NotFoundError, ValueError):
            diff = None
    now = f"version {change.after}" if change.after else "gone"
    label = f"{change.id}, version {change.before or '?'} when checked, {now} now"
    return ShownChange(
        label, (), "", change.is_gone, None if change.is_gone else f"/articles/{change.id}", diff
    )
