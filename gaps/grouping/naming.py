"""What a topic is called and which terms set it apart; pure.

A name is made of what several people wrote: nothing of one person alone, no masks, no addresses
and nothing that gives orders gets into it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from gaps.types import Ticket
from kb.hostile_text import find_hostile
from kb.lexical import extract_terms

MOST_TERMS = 8
FEWEST_HOLDERS = 2
"""People who must have written a term; with one, a signature would name the topic."""
LONGEST_TITLE = 90
_MASK = re.compile(r"\[(?:email|phone|card|token|ip|iban)\]")
_ADDRESS = re.compile(r"https?://|www\.|\b[\w-]+\.(?:example|com|net|org|io)\b|@|[<>{}\\]")
_REPLY_PREFIX = re.compile(r"^\s*(?:(?:re|fw|fwd|aw|wg|tr|rv|antw)\s*:\s*)+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_ANONYMOUS = frozenset("kind regards thanks dear hi hello bonjour bom dia subject".split())


def ticket_terms(ticket: Ticket) -> frozenset[str]:
    """The words, neighbouring pairs of words and error code a ticket's question holds."""
    text = _MASK.sub(" . ", ticket.question)
    words = [w for w in extract_terms(text) if not w.isdigit() and w not in _ANONYMOUS]
    known = set(words)
    found = {word for word in words if len(word) > 1}
    for left, right in _neighbours(text):
        if left in known and right in known and left != right:
            found.add(f"{left} {right}")
    if ticket.error_code:
        found.add(ticket.error_code.lower())
    return frozenset(found)


def _neighbours(text: str) -> list[tuple[str, str]]:
    matches = list(_WORD.finditer(text))
    return [
        (left.group().lower(), right.group().lower())
        for left, right in pairwise(matches)
        if text[left.end() : right.start()].isspace()
    ]


def distinguishing_terms(
    groups: Sequence[Collection[str]],
    terms: Mapping[str, frozenset[str]],
    requesters: Mapping[str, str],
) -> list[tuple[str, ...]]:
    """Terms that set each group of tickets apart from all other tickets.

    Class-based TF-IDF (Grootendorst, "BERTopic", arXiv 2203.05794) where a ticket counts a term
    once: share of the group's tickets that hold it, times ln(1 + tickets / tickets that hold it).

    Args:
        groups: Ticket ids of each group.
        terms: Terms of every ticket, the ungrouped included.
        requesters: Requester by ticket id.

    Returns:
        For each group at most eight terms, strongest first; ties by term.
    """
    everywhere: Counter[str] = Counter()
    for held in terms.values():
        everywhere.update(held)
    return [_terms_of(group, terms, requesters, everywhere) for group in groups]


def _terms_of(
    group: Collection[str],
    terms: Mapping[str, frozenset[str]],
    requesters: Mapping[str, str],
    everywhere: Counter[str],
) -> tuple[str, ...]:
    people: defaultdict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for ticket_id in group:
        for term in terms[ticket_id]:
            people[term].add(requesters[ticket_id])
            counts[term] += 1
    scores = {
        term: count / len(group) * math.log(1 + len(terms) / everywhere[term])
        for term, count in counts.items()
        if len(people[term]) >= FEWEST_HOLDERS
    }
    chosen: list[str] = []
    for term in sorted(scores, key=lambda t: (-scores[t], t)):
        if not _is_said(term, chosen, counts):
            chosen.append(term)
        if len(chosen) == MOST_TERMS:
            break
    return tuple(chosen)


def _is_said(term: str, chosen: Sequence[str], counts: Counter[str]) -> bool:
    """Whether a chosen term says it already: a word of a chosen pair, or a pair around a word."""
    parts = set(term.split())
    for other in chosen:
        shared = parts <= set(other.split()) or set(other.split()) <= parts
        if shared and 2 * min(counts[term], counts[other]) >= max(counts[term], counts[other]):
            return True
    return False


def choose_title(tickets: Sequence[Ticket], terms: Sequence[str]) -> str:
    """The subject of the most central question that can stand as a title, else the terms.

    Args:
        tickets: Most central first.
        terms: The topic's terms, strongest first.

    Returns:
        One line of at most 90 characters.
    """
    subjects = [subject for ticket in tickets if (subject := clean_subject(ticket)) is not None]
    leading = {word for term in terms[:3] for word in term.split()}
    for subject in subjects[: max(10, len(subjects) // 2)]:
        if leading & set(extract_terms(subject)):
            return subject
    if subjects:
        return subjects[0]
    return ", ".join(terms[:3])[:LONGEST_TITLE] or "Untitled topic"


def clean_subject(ticket: Ticket) -> str | None:
    """A subject fit for a title: of two words and more, without masks, addresses and orders, and
    not shouted."""
    subject = re.sub(r"\s+", " ", _REPLY_PREFIX.sub("", ticket.subject)).strip(" .,;:!-–—")
    words = _WORD.findall(subject)
    if len(words) < 2 or len(subject) > LONGEST_TITLE or not subject.isprintable():
        return None
    if _MASK.search(subject) or _ADDRESS.search(subject) or subject.startswith("("):
        return None
    if find_hostile(ticket.question) or len(extract_terms(subject)) < 1:
        return None
    if subject.isupper():
        subject = subject.lower()
    return subject[0].upper() + subject[1:]
