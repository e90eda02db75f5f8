"""What states, kinds and figures are called on the pages; pure."""

from __future__ import annotations

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
