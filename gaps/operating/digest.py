"""What owners are told, in words; pure: facts in, plain text out.

Titles and reasons come from tickets and articles, so they are quoted as one line without anything
that a mail header, a terminal or a chat could take for its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

LISTED = 10
"""Entries of each kind; a longer list is not read. Judgement, not measurement."""
LINE_CHARACTERS = 160
_REASONS = 2


@dataclass(frozen=True, slots=True)
class Message:
    """A subject of one line, and a body of plain text."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class WaitingDraft:
    draft_id: str
    title: str
    created_at: datetime
    changes_article: bool


@dataclass(frozen=True, slots=True)
class DueArticle:
    """A published article that may be untrue."""

    document_id: str
    version: int
    title: str
    verdict: str
    damage: float
    """Expected wrong answers a week, weighted by authority."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewGap:
    gap_id: str
    title: str
    kind: str
    ticket_count: int
    impact_per_week: float


@dataclass(frozen=True, slots=True)
class OwnerFacts:
    """What one owner should know this week; each list strongest first."""

    owner: str
    drafts: tuple[WaitingDraft, ...] = ()
    articles: tuple[DueArticle, ...] = ()
    gaps: tuple[NewGap, ...] = ()

    def is_empty(self) -> bool:
        return not (self.drafts or self.articles or self.gaps)


@dataclass(frozen=True, slots=True)
class Overdue:
    """Something its owner was told of and has not done."""

    key: str
    """The same for the same thing, so that nobody is reminded of it twice."""
    title: str
    what: str
    path: str
    """On the service's pages."""
    since: datetime


def compose_digest(
    facts: OwnerFacts, *, period: str, now: datetime, base_url: str | None = None
) -> Message:
    """The weekly letter to one owner.

    Args:
        facts: What waits for them.
        period: ISO week it is for.
        now: For ages.
        base_url: Of the service's pages, for links; none are given without.
    """
    counts = [
        _count(len(facts.drafts), "draft to review", "drafts to review"),
        _count(len(facts.articles), "article to check", "articles to check"),
        _count(len(facts.gaps), "new gap", "new gaps"),
    ]
    said = ", ".join(count for count in counts if count) or "nothing to do"
    parts = [f"Knowledge base, week {period}, for {quote_line(facts.owner)}: {said}."]
    parts += _list(
        "Drafts waiting for your review",
        [_draft_lines(draft, now, base_url) for draft in facts.drafts],
    )
    parts += _list(
        "Articles that may no longer be true, most damaging first",
        [_article_lines(article, base_url) for article in facts.articles],
    )
    parts += _list("New gaps", [_gap_lines(gap, base_url) for gap in facts.gaps])
    if base_url:
        parts.append(f"All of it: {_address(base_url, '/review')}")
    subject = quote_line(f"Knowledge base, week {period}: {said}")
    return Message(subject, "\n\n".join(parts) + "\n")


def compose_draft_notice(title: str, *, changes_article: bool, ticket_count: int) -> Message:
    """A new draft waits for its owner."""
    what = "a change of an article" if changes_article else "a new article"
    tickets = _count(ticket_count, "ticket asks", "tickets ask") or "nobody asks"
    return Message(
        quote_line(f"To review: {title}"),
        f"A draft waits for your review: {what}.\n\n  {quote_line(title)}\n\n"
        f"{tickets} for it. Nothing is published before you approve it.\n",
    )


def compose_approval_notice(title: str, *, approved_by: str) -> Message:
    """A draft needs a second person."""
    return Message(
        quote_line(f"Second approval needed: {title}"),
        f"{quote_line(approved_by)} has approved a draft that needs a second person.\n\n"
        f"  {quote_line(title)}\n\nIt is published when you approve the same text.\n",
    )


def compose_reminder(
    overdue: Sequence[Overdue], *, owner: str, escalated: bool, now: datetime,
    base_url: str | None = None,
) -> Message:  # fmt: skip
    """What is late, to its owner, or to who stands in for them.

    Args:
        overdue: Not empty; longest overdue first.
        owner: Whose it is.
        escalated: Whether the fallback owner is told.
        now: For ages.
        base_url: As for the digest.
    """
    count = _count(len(overdue), "thing waits", "things wait")
    who = f"{quote_line(owner)} was told of" if escalated else "You were told of"
    lines = [
        [f"{quote_line(late.title)} ({late.what}, {_days(late.since, now)})"]
        + ([_address(base_url, late.path)] if base_url else [])
        for late in overdue
    ]
    subject = f"Still waiting for {owner}: {count}" if escalated else f"Still waiting: {count}"
    closing = (
        "You are the fallback owner: decide, or hand it to somebody who can."
        if escalated
        else "Approve, edit, reject or verify; what is decided is not asked again."
    )
    parts = [*_list(f"{who} this, and it is undone", lines), closing]
    return Message(quote_line(subject), "\n\n".join(parts) + "\n")


def quote_line(text: str, limit: int = LINE_CHARACTERS) -> str:
    """Foreign text as one visible line: no controls, no hidden characters, no live URL."""
    shown = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
    line = re.sub(r"\s+", " ", shown).strip().replace("://", "[:]//")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _list(heading: str, entries: Sequence[Sequence[str]]) -> list[str]:
    if not entries:
        return []
    lines = [f"{heading}:"]
    for first, *rest in entries[:LISTED]:
        lines += [f"- {first}", *(f"    {line}" for line in rest)]
    if len(entries) > LISTED:
        lines.append(f"- and {len(entries) - LISTED} more")
    return ["\n".join(lines)]


def _draft_lines(draft: WaitingDraft, now: datetime, base_url: str | None) -> list[str]:
    what = "change" if draft.changes_article else "new article"
    lines = [f"{quote_line(draft.title)} ({what}, {_days(draft.created_at, now)})"]
    return lines + ([_address(base_url, f"/review/{draft.draft_id}")] if base_url else [])


def _article_lines(article: DueArticle, base_url: str | None) -> list[str]:
    lines = [f"{quote_line(article.title)} ({article.verdict.replace('_', ' ')})"]
    lines += [quote_line(reason) for reason in article.reasons[:_REASONS]]
    path = f"/articles/{quote(article.document_id)}"
    return lines + ([_address(base_url, path)] if base_url else [])


def _gap_lines(gap: NewGap, base_url: str | None) -> list[str]:
    tickets = _count(gap.ticket_count, "ticket", "tickets") or "no ticket"
    saved = f"about {gap.impact_per_week:.1f} a week" if gap.impact_per_week else "effect unclear"
    lines = [f"{quote_line(gap.title)} ({gap.kind.replace('_', ' ')}, {tickets}, {saved})"]
    return lines + ([_address(base_url, f"/gaps/{gap.gap_id}")] if base_url else [])


def _address(base_url: str, path: str) -> str:
    return base_url.rstrip("/") + path


def _count(number: int, one: str, many: str) -> str:
    return "" if number == 0 else f"{number} {one if number == 1 else many}"


def _days(since: datetime, now: datetime) -> str:
    days = max(0, (now - since).days)
    return "since today" if days == 0 else f"for {days} day{'s' if days > 1 else ''}"
