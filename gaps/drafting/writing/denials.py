"""What resolutions say is gone, wrong or not to be used, and which sentences advise it; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gaps.drafting.writing.evidence import origin_of, usable_texts
from gaps.drafting.writing.extractive import CORROBORATION
from gaps.types import Ticket
from kb.hostile_text import is_hostile
from kb.statements import Sentence, content_words, split_sentences

_GONE = re.compile(
    r"\b(?:no longer (?:exists?|needed|used|works?|recommended|available)|(?:was|is|has been"
    r"|were|are) (?:taken"
    r" down|removed|gone|retired|replaced|discontinued|switched off)|does(?:n't| not) exist"
    r"|(?:has|have)"
    r" gone|out of date|not (?:use|recommend\w*)|never use|instead of|rather than"
    r"|not needed any ?more)\b",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"\b(?:no|not|never|without|instead of|rather than|cause(?: is| was)?:?|because of)"
    r"\s+(?:use|using|the|any|a|an)?\s*([a-z-]{4,})"
    r"|\b([A-Za-z-]{4,})(?:\s+\w+){0,2}\s+(?:must not|should not|may not|can(?:no|['’])t"
    r"|(?:is|are) not"
    r"|(?:is|are) read wrongly|misreads?|do(?:es)? not work|hold a different|(?:is|are) wrong)\b"
    r"|\b(?:replace|swap|exchange)d?\s+(?:the\s+)?([a-z-]{4,})[^.,;]{0,20}\s(?:by|for|with)\b",
    re.IGNORECASE,
)
_ADVISES = re.compile(
    r"\b(?:recommend|use|choose|take|prefer|best|should|advise|suitable|need|enter|open|go to)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[\w./-]*)?")


def collect_denials(tickets: Sequence[Ticket]) -> list[tuple[str, str]]:
    """Who says of what that it is gone, wrong or not to be used; agents' texts only."""
    return [
        (origin_of(ticket), sentence.text)
        for ticket in tickets
        for text in usable_texts(ticket)
        if not is_hostile(text)
        for sentence in split_sentences(text)
        if _GONE.search(sentence.text) or DENIED.search(sentence.text)
    ]


def find_failing_steps(
    markdown: str, tickets: Sequence[Ticket], told: Sequence[tuple[str, str]]
) -> list[Sentence]:
    """Numbered steps at an address no resolution uses any more, where people say it is gone."""
    people = {who for who, text in told if _GONE.search(text)}
    if len(people) < CORROBORATION:
        return []
    used = _used_addresses(tickets)
    return [
        s
        for s in split_sentences(markdown)
        if s.numbered and {a.rstrip("./") for a in _ADDRESS.findall(s.text)} - used
    ]


def find_denied_words(told: Sequence[tuple[str, str]]) -> set[str]:
    """What at least two people's resolutions deny by name."""
    people: dict[str, set[str]] = {}
    for who, text in told:
        for match in DENIED.finditer(text):
            for word in content_words(" ".join(g for g in match.groups() if g)):
                people.setdefault(word, set()).add(who)
    return {word for word, who in people.items() if len(who) >= CORROBORATION and len(word) > 3}


def find_denied_sentences(markdown: str, denied: set[str]) -> list[Sentence]:
    """Sentences that advise what is denied."""
    sentences = split_sentences(markdown)
    found = []
    for sentence in sentences:
        words = content_words(sentence.text) & denied
        # A word all over the article is its subject, not the advice that failed.
        telling = [w for w in words if sum(w in content_words(s.text) for s in sentences) <= 3]
        if telling and not _GONE.search(sentence.text) and _ADVISES.search(sentence.text):
            found.append(sentence)
    return found


def _used_addresses(tickets: Sequence[Ticket]) -> set[str]:
    """Addresses at least two resolutions still send people to."""
    people: dict[str, set[str]] = {}
    for ticket in tickets:
        for text in usable_texts(ticket):
            for address in _ADDRESS.findall(text):
                people.setdefault(address.rstrip("./"), set()).add(
                    ticket.requester or ticket.ticket_id
                )
    return {a for a, who in people.items() if len(who) >= CORROBORATION}
