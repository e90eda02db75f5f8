"""How many people stand behind tickets, counted so that neither one loud customer nor a flood of
copies drowns the others; pure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gaps.types import Ticket

SHINGLE_WORDS = 2
COPY_SHARE = 0.6
"""Of two texts' word pairs in common (Jaccard), for one to be a copy of the other."""
SHORT_WORDS = 6
"""People say the same in so few words by themselves."""
MOST_COMPARED = 400
"""Wordings a new text is compared with, the most spoken first: a flood has few."""
_WORD = re.compile(r"[^\W\d_]+")


def requester_of(ticket: Ticket) -> str:
    """Who asked; a ticket without a requester is somebody's of their own."""
    return ticket.requester or f"ticket {ticket.ticket_id}"


def weigh_requesters(tickets: Sequence[Ticket]) -> Mapping[str, float]:
    """The voice of each requester: 1, or less for those who send copies of one text.

    n people with one wording have 1 + log2(n) voices together, whatever they call themselves; in
    texts of at most five words the square root of n, since people do say "cannot log in" alike.
    500 copies weigh 10, less than 40 people in their own words.

    Args:
        tickets: Of one topic.
    """
    wordings = _group_wordings(tickets)
    weights: dict[str, float] = {}
    for shingles, people in wordings:
        count = len(people)
        voices = math.sqrt(count) if not shingles else 1 + math.log2(count)
        for person in people:
            weights[person] = max(weights.get(person, 0.0), min(1.0, voices / count))
    return weights


def _group_wordings(tickets: Sequence[Ticket]) -> list[tuple[frozenset[str], set[str]]]:
    """Requesters by wording; a short text is a wording only with itself."""
    exact: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for ticket in tickets:
        exact[tuple(_WORD.findall(ticket.question.lower()))].add(requester_of(ticket))
    found: list[tuple[frozenset[str], set[str]]] = []
    for words, people in sorted(exact.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        shingles = _shingles(words)
        home = next((p for s, p in found[:MOST_COMPARED] if _are_copies(s, shingles)), None)
        if home is None:
            found.append((shingles, set(people)))
        else:
            home |= people
    return found


def _shingles(words: Sequence[str]) -> frozenset[str]:
    if len(words) < SHORT_WORDS:
        return frozenset()
    return frozenset(
        " ".join(words[start : start + SHINGLE_WORDS])
        for start in range(len(words) - SHINGLE_WORDS + 1)
    )


def _are_copies(left: frozenset[str], right: frozenset[str]) -> bool:
    if not left or not right:
        return False
    common = len(left & right)
    return common >= COPY_SHARE * (len(left) + len(right) - common)
