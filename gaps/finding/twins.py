"""Topics around two near-identical articles, whose tickets are mostly solved; pure.

Wording finds what was asked in vain. Duplicates show in what was answered: agents link now the
one article, now the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gaps.finding.discovery import FoundTopic
from gaps.finding.window import Window
from gaps.grouping import naming
from gaps.grouping.clustering import form_cluster
from gaps.grouping.likeness import measure_likeness
from gaps.keeping.lineage import trace_lineage
from gaps.keeping.rows import PAIR
from gaps.ranking.voices import requester_of
from gaps.triage.evidence import Library, find_twins
from gaps.triage.facts import Twins
from gaps.types import Ticket, Topic

FEWEST_LINKS = 3
"""Tickets that must link each of the two."""
ASKED_ALIKE = 0.85
"""How alike the questions are that one article and the other answer: 0.91 and 1.30 for the planted
twins of the made-up company; 0.02 to 0.82 for nearly all other pairs, the few above are of unlike
articles."""


def find_twin_topics(
    window: Window,
    library: Library,
    found: Sequence[FoundTopic],
    known: Mapping[str, Sequence[str]],
) -> list[FoundTopic]:
    """A topic for every pair of twins whose tickets are in no other topic.

    Returns:
        Topics whose ids differ from those of `found`.
    """
    taken = {key for topic in found for key in topic.topic.ticket_ids}
    free = [t for key, t in sorted(window.tickets.items()) if key not in taken]
    counts = Counter(key for ticket in free for key in ticket.linked_articles)
    linked = [key for key, count in counts.items() if count >= FEWEST_LINKS]
    continued = {topic.topic.topic_id for topic in found}
    remaining = {key: ids for key, ids in known.items() if key not in continued}
    result: list[FoundTopic] = []
    usual = window.usual.middle
    for twins in find_twins(library, linked):
        if not _are_asked_alike(twins, free, window, usual):
            continue
        pair = {twins.left_id, twins.right_id}
        tickets = [t for t in free if pair & set(t.linked_articles) and t.ticket_id not in taken]
        if len({requester_of(t) for t in tickets}) < FEWEST_LINKS:
            continue
        taken |= {t.ticket_id for t in tickets}
        topic = _describe(tickets, window, remaining, continued)
        continued.add(topic.topic.topic_id)
        remaining.pop(topic.topic.topic_id, None)
        result.append(topic)
    return result


def _are_asked_alike(twins: Twins, tickets: Sequence[Ticket], window: Window, usual: float) -> bool:
    """Whether those who were given one of the articles ask what those with the other ask."""
    left, right = (
        frozenset(
            t.ticket_id
            for t in tickets
            if own in t.linked_articles and other not in t.linked_articles
        )
        for own, other in (
            (twins.left_id, twins.right_id),
            (twins.right_id, twins.left_id),
        )
    )
    if not left or not right:
        return False
    return measure_likeness(left, right, window.vectors, usual) >= ASKED_ALIKE


def _describe(
    tickets: Sequence[Ticket],
    window: Window,
    known: Mapping[str, Sequence[str]],
    taken: set[str],
) -> FoundTopic:
    ids = [ticket.ticket_id for ticket in tickets]
    cluster = form_cluster(ids, np.stack([window.vectors[key] for key in ids]))
    lineage = trace_lineage([frozenset(ids)], known, alike=lambda _one, _two: 1.0, taken=taken)
    [(topic_id, _)] = lineage.topics
    terms = {key: naming.ticket_terms(ticket) for key, ticket in window.tickets.items()}
    requesters = {key: requester_of(ticket) for key, ticket in window.tickets.items()}
    [names] = naming.distinguishing_terms([ids], terms, requesters)
    central = tuple(window.tickets[key] for key in cluster.ticket_ids)
    topic = Topic(topic_id, naming.choose_title(central, names), names, cluster.ticket_ids)
    return FoundTopic(topic, replace(cluster), central, (), {}, level=PAIR)
