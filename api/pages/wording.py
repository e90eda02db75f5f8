"""What states, kinds and figures are called on the pages; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gaps.drafting.lessons import Because

LABELS = {
    "in_review": "Waiting for you",
    "changes_asked": "Changes asked",
    "approved": "Approved",
    "refused": "Needs answers",
    "rejected": "Rejected",
    "published": "Published",
    "rolled_back": "Rolled back",
    "missing": "Missing",
    "stale": "Out of date",
    "wrong": "Wrong",
    "unfindable": "Hard to find",
    "conflict": "In conflict",
    "duplicate": "Duplicate",
    "needs_action": "Needs an action",
    "restricted": "Restricted",
    "approve": "Approved",
    "edit": "Edited and approved",
    "reject": "Rejected",
    "ask_changes": "Asked for changes",
    "rollback": "Rolled back",
    "publish": "Published",
    "not_validated": "Not validated",
    "work_in_progress": "Work in progress",
    "green": "Fine",
    "look": "Look",
    "red": "Problem",
    "due": "Review due",
    "baseline": "Before publication",
    "no_effect_shown": "No effect shown",
    "not_yet_measurable": "Not yet measurable",
    "drafting": "Being drafted",
    "any": "Any",
    "priority": "Priority",
    "impact": "Tickets saved",
    "growth": "Rising fastest",
    "newest": "Newest",
    "lost": "Worse",
    "waiting": "Waiting",
    "snoozed": "Snoozed",
    "woken": "Taken back now",
    "handed_over": "Handed over",
    "comment": "Said",
    "gained": "Better",
    "moved": "Changed",
}
TONES = {
    "in_review": "accent",
    "changes_asked": "warn",
    "approved": "good",
    "refused": "warn",
    "rejected": "quiet",
    "published": "good",
    "rolled_back": "quiet",
    "stale": "warn",
    "green": "good",
    "look": "warn",
    "red": "bad",
    "fresh": "good",
    "due": "warn",
    "superseded": "quiet",
    "unknown": "quiet",
    "worked": "good",
    "worse": "bad",
    "approve": "good",
    "edit": "good",
    "reject": "bad",
    "ask_changes": "warn",
    "open": "accent",
    "solved": "good",
    "closed": "quiet",
    "drafting": "accent",
    "resolved": "good",
    "dismissed": "quiet",
    "lost": "bad",
    "gained": "good",
    "moved": "quiet",
}

REASONS = {
    Because.NOT_A_GAP: "Not a gap: no article is needed",
    Because.WRONG_KIND: "Another kind of gap",
    Because.ALREADY_ANSWERED: "An article answers it already",
    Because.NEEDS_ACTION: "Somebody has to do something",
    Because.EVIDENCE_WRONG: "The evidence is wrong or mixed",
}
"""What was wrong with a rejected draft, as a person would say it."""
DONE = {
    "approve": "approved and published",
    "snooze": "snoozed",
    "hand_over": "handed over",
    "reject": "rejected",
}


@dataclass(frozen=True, slots=True)
class Due:
    """How a due date is told, and how urgently."""

    text: str
    tone: str


def tell_due(due_at: datetime, now: datetime) -> Due:
    """In whole days: overdue, today, or in how many."""
    days = (due_at.date() - now.date()).days
    if days < 0:
        return Due(f"{plural(-days, 'day')} overdue", "bad")
    if days == 0:
        return Due("due today", "warn")
    if days == 1:
        return Due("due tomorrow", "warn")
    return Due(f"due in {days} days", "quiet")


def label(value: str) -> str:
    """A state, kind or verdict as a person would say it."""
    known = LABELS.get(value)
    if known is not None:
        return known
    words = str(value).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def tone(value: str) -> str:
    """The colour family of a chip: accent, good, warn, bad or quiet."""
    return TONES.get(value, "quiet")


def figure(number: float) -> str:
    """A figure short enough to compare at a glance."""
    if abs(number) >= 100 or float(number).is_integer():
        return f"{number:,.0f}"
    return f"{number:,.1f}"


def percent(share: float) -> str:
    """A share as whole percent; never rounded up to certainty or down to impossibility."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
