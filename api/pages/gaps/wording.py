"""What a kind of gap means and asks for, and how sure is sure, in plain words; pure."""

from __future__ import annotations

from dataclasses import dataclass

from api.pages.wording import figure
from gaps.types import OUTCOME, SIGNAL, Gap, GapKind
from kb.types import Audience


@dataclass(frozen=True, slots=True)
class KindText:
    meaning: str
    """For a line of the list."""
    next_step: str


KINDS: dict[GapKind, KindText] = {
    GapKind.MISSING: KindText(
        "Nothing in the knowledge base answers it.",
        "Have an article written from what solved these tickets.",
    ),
    GapKind.STALE: KindText(
        "An article describes how it used to be.",
        "Bring the article named below up to date and have its owner confirm it.",
    ),
    GapKind.WRONG: KindText(
        "An article is linked, and people who follow it come back.",
        "Find the step that fails for them and correct it.",
    ),
    GapKind.UNFINDABLE: KindText(
        "The answer is written down, in other words than people ask with.",
        "Put the words people use into the article's title and headings.",
    ),
    GapKind.CONFLICT: KindText(
        "Two documents say different things.",
        "Decide which of the two holds and bring the other into line.",
    ),
    GapKind.DUPLICATE: KindText(
        "Two articles say nearly the same, and agents link now one, now the other.",
        "Keep the better one and retire the other.",
    ),
    GapKind.NEEDS_ACTION: KindText(
        "Somebody had to do something; reading alone solves none of it.",
        "Offer the action itself, or say in an article how to ask for it.",
    ),
    GapKind.RESTRICTED: KindText(
        "The answer stands where the people who ask may not look.",
        "Open it to them, or write a version that they may read.",
    ),
}
AUDIENCES: dict[Audience, str] = {
    Audience.PUBLIC: "Anyone",
    Audience.CUSTOMER: "Customers",
    Audience.PARTNER: "Partners",
    Audience.INTERNAL: "Staff",
}
NOTICES = {
    "dismissed": "Dismissed. It stays off the list until it is asked much more often.",
    "kind": "Noted. It keeps this kind in every later run.",
    "assigned": "Assigned. It stays theirs in every later run.",
    "renamed": "Renamed.",
    "merged": "Merged: this gap has the tickets of both now, and they stay together.",
    "split": "Split off: this is the new gap, and it stays apart.",
}


def certainty(gap: Gap) -> str:
    """In one or two words how sure the judgement is."""
    if gap.needs_look:
        return "too close to call"
    if gap.probability >= 0.9:
        return "almost certain"
    if gap.probability >= 0.75:
        return "likely"
    if gap.probability >= 0.5:
        return "rather likely"
    return "possible"


def count_tickets(gap: Gap) -> int:
    """Without what agents told beside them."""
    return sum(not key.startswith((SIGNAL, OUTCOME)) for key in gap.ticket_ids)


def interval(gap: Gap) -> str:
    """What is expected to be saved, from and to; empty where it was not estimated."""
    if gap.impact_high <= 0:
        return ""
    return f"{_short(gap.impact_low)}–{_short(gap.impact_high)}"


def saved(gap: Gap) -> str:
    """Tickets a week that a right text would save; never "0" while some are expected."""
    return "< 0.1" if 0 < gap.impact_per_week < 0.05 else figure(gap.impact_per_week)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.1f}".removesuffix(".0")
