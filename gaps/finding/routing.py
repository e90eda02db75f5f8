"""Who may read a gap, who owns it, and in which state it goes on; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from scipy.stats import poisson

from gaps.ranking.weeks import RATE_WEEKS, recent_counts, weekly_rate
from gaps.repository import StoredGap
from gaps.triage.facts import DocumentFacts, Judgement
from gaps.types import GapKind, GapStatus, Ticket
from kb.lexical import stem, stems_of
from kb.types import Audience

SHARED_AUDIENCE = 0.8
OWNER_SHARE = 0.2
"""Share of a topic's tickets that must hold one of an owner's topic words."""
UNSEEN = timedelta(weeks=8)
ACCIDENT = 0.001
"""Chance that a topic which did not grow looks as if it had; looked at weekly, for years."""
CHANGES_DOCUMENT = frozenset(
    {GapKind.STALE, GapKind.WRONG, GapKind.UNFINDABLE, GapKind.CONFLICT, GapKind.DUPLICATE}
)


def choose_audience(tickets: Sequence[Ticket]) -> tuple[Audience, list[Ticket]]:
    """The audience a gap's text is for, and the tickets that may be its evidence.

    The most trusted audience among the tickets; a less trusted one only where 80% share it, and
    then without the others.
    """
    counts = Counter(ticket.audience for ticket in tickets)
    for audience in sorted(counts, key=lambda a: a.rank):
        if counts[audience] >= SHARED_AUDIENCE * len(tickets):
            return audience, [t for t in tickets if audience.may_read(t.audience)]
    return max(counts, key=lambda a: a.rank), list(tickets)


def choose_owner(
    judgement: Judgement,
    tickets: Sequence[Ticket],
    nearest: Sequence[str],
    documents: Mapping[str, DocumentFacts],
    owner_topics: Mapping[str, Sequence[str]],
    default_owner: str,
) -> str:
    """Who is accountable: the owner of the document to change, or of the topic's words.

    Args:
        judgement: Its first document is the one to change.
        tickets: The topic's.
        nearest: The documents its questions found first, most often found first.
        documents: By id.
        owner_topics: Topic words by owner.
        default_owner: Of what nobody claims.
    """
    if judgement.kind in CHANGES_DOCUMENT and judgement.document_ids:
        return documents[judgement.document_ids[0]].owner
    claimed = _claimed_share(tickets, owner_topics)
    if claimed and max(claimed.values()) >= OWNER_SHARE:
        return max(sorted(claimed), key=lambda owner: claimed[owner])
    for key in (*judgement.document_ids, *nearest):
        if key in documents:
            return documents[key].owner
    return default_owner


def _claimed_share(
    tickets: Sequence[Ticket], owner_topics: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Share of the tickets that hold a word of each owner, words of many owners' tickets alike."""
    held = [stems_of(ticket.question) for ticket in tickets]
    shares = {}
    for owner, topics in owner_topics.items():
        words = {stem(part) for topic in topics for part in topic.lower().replace("-", " ").split()}
        matches = sum(len(words & stems) for stems in held)
        holding = sum(1 for stems in held if words & stems)
        # Several different words of one owner in a ticket weigh more than one word alone.
        shares[owner] = holding / len(held) + 0.1 * matches / len(held) if holding else 0.0
    return shares


def next_status(
    stored: StoredGap | None, weekly_counts: Sequence[int], *, reopen_growth: float
) -> GapStatus:
    """The state of a gap whose topic this run found.

    Dismissed stays dismissed until the topic has grown; what is being drafted or published goes
    on; what was resolved and is asked again opens again.
    """
    if stored is None or stored.gap.status is GapStatus.RESOLVED:
        return GapStatus.OPEN
    if stored.gap.status is GapStatus.DISMISSED:
        grown = _has_grown(stored, weekly_counts, stored.dismissed_growth or reopen_growth)
        return GapStatus.OPEN if grown else GapStatus.DISMISSED
    return stored.gap.status


def _has_grown(stored: StoredGap, weekly_counts: Sequence[int], growth: float) -> bool:
    """Whether it is asked so many times as often, and that is no accident of a few tickets.

    By the week, since a window that fills holds more tickets of a topic that does not grow.
    """
    recent = recent_counts(weekly_counts)
    before = stored.dismissed_weekly
    if before is None:
        return sum(weekly_counts) >= growth * (stored.dismissed_ticket_count or 1)
    if weekly_rate(weekly_counts) < growth * max(before, 1 / RATE_WEEKS):
        return False
    # One more than seen: a rate read off a few weeks may have been higher.
    expected = before * len(recent) + 1
    return float(poisson.sf(sum(recent) - 1, expected)) < ACCIDENT


def has_faded(stored: StoredGap, until: datetime) -> bool:
    """Whether a gap this run did not find has not been asked about for eight weeks."""
    going_on = stored.gap.status in (GapStatus.OPEN, GapStatus.DRAFTING, GapStatus.PUBLISHED)
    return going_on and until - stored.gap.last_seen_at >= UNSEEN
