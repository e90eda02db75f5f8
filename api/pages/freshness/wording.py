"""How verdicts and signals are called on the freshness pages."""

from __future__ import annotations

from gaps.freshness.queue import CONFIRMED, READY, WAITING
from gaps.freshness.verdicts import CheckVerdict

VERDICTS: dict[str, tuple[str, str]] = {
    CheckVerdict.STALE.value: ("Stale", "bad"),
    CheckVerdict.CONFLICT.value: ("Contradicted", "bad"),
    CheckVerdict.SUPERSEDED.value: ("Superseded", "warn"),
    CheckVerdict.DEAD_LINK.value: ("Dead link", "warn"),
    CheckVerdict.DUE.value: ("Review due", "warn"),
    CheckVerdict.DUPLICATE.value: ("Duplicate", "quiet"),
    CheckVerdict.UNKNOWN.value: ("Never confirmed", "quiet"),
    CheckVerdict.FRESH.value: ("Fresh", "good"),
}
"""Name and tone, what to do first at the top."""
SIGNALS: dict[str, str] = {
    "superseded": "Replaced by another",
    "ended": "Past its end",
    "conflict": "Contradicted",
    "tickets": "Tickets came back",
    "resolution_value": "Solved with another figure",
    "resolution_menu": "Solved with another menu",
    "resolution_code": "Solved with another code",
    "resolution_version": "Solved with another version",
    "followed": "Followed in vain",
    "marked_wrong": "Marked wrong",
    "release": "A release touched it",
    "releases_since": "Releases since",
    "old_version": "Names an old version",
    "vanished": "Names what is gone",
    "new_terms": "Lacks what tickets say",
    "date_passed": "Names a past date",
    "dead_link": "Dead link",
    "archived_link": "Link to archived",
    "moved_link": "Moved link",
    "falling": "Helps less than before",
    "shown_in_vain": "Shown, then a ticket",
    "ends_soon": "Ends soon",
    "age": "Past its interval",
    "near_duplicate": "Says what another says",
    "never_retrieved": "Nobody finds it",
}
"""What speaks against an article, what is surest at the top."""
SHOWS = {WAITING: "Waiting", READY: "Ready to confirm", CONFIRMED: "Settled since"}
LINKS: dict[str, tuple[str, str]] = {
    "dead": ("Dead", "bad"),
    "archived": ("Archived", "warn"),
    "redirected": ("Moved", "warn"),
    "unknown": ("Not known", "quiet"),
    "ok": ("Fine", "good"),
}


def verdict_label(verdict: str) -> str:
    return VERDICTS.get(verdict, (verdict.capitalize(), "quiet"))[0]


def verdict_tone(verdict: str) -> str:
    return VERDICTS.get(verdict, ("", "quiet"))[1]


def signal_label(signal: str) -> str:
    return SIGNALS.get(signal, signal.replace("_", " ").capitalize())


def sentence(text: str) -> str:
    """With a capital and a full stop; an address in front stays as it is."""
    start = text[:1] if text.startswith(("http://", "https://")) else text[:1].upper()
    return f"{start}{text[1:]}{'' if text.endswith('.') else '.'}"
