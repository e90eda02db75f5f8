"""This run's topics: known ones with their new tickets, or all of them found anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaps.discovery.partition import discover
from gaps.finding.discovery import (
    FoundTopic,
    Grouping,
    believable_tickets,
    describe_topics,
    group_tickets,
)
from gaps.finding.window import Window
from gaps.grouping.clustering import SEED
from gaps.grouping.likeness import measure_likeness
from gaps.keeping.corrections import Corrected, keep_apart
from gaps.keeping.increment import Increment, assign_new
from gaps.keeping.lineage import TopicEvent, trace_lineage
from gaps.keeping.rediscovery import Fit, rediscovery_reason
from gaps.keeping.rows import Membership, StoredTopic
from kb.vectors import hash_text

FindUnknown = Callable[[set[str]], set[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier runs left."""

    topics: Sequence[StoredTopic]
    """Fine ones, of this run's encoder."""
    memberships: Mapping[str, Membership]
    """Of the window's tickets that were looked at before."""
    corrected: Corrected
    pairs: Mapping[str, Sequence[str]]
    """Tickets of each topic around twin articles."""

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        return {stored.topic.topic_id: stored.topic.ticket_ids for stored in self.topics}


@dataclass(frozen=True, slots=True)
class Traced:
    """The topics of a run."""

    topics: list[FoundTopic]
    events: tuple[TopicEvent, ...]
    believable: tuple[str, ...]
    """Tickets that were looked at."""
    reason: str | None
    """Why all were found anew; None where new tickets were put into known topics."""
    coarse_of: Mapping[str, int]
    """Coarse topic by ticket id; empty where not all were found anew."""


def trace_topics(
    window: Window,
    known: Known,
    find_unknown: FindUnknown,
    *,
    anew: bool = False,
    seed: int = SEED,
) -> Traced:
    """Find out which topics there are.

    Args:
        window: What was read.
        known: What earlier runs left.
        find_unknown: Of some terms, those no document holds.
        anew: Find all anew, whatever speaks against it.
        seed: Of the grouping.
    """
    believable = tuple(ticket.ticket_id for ticket in believable_tickets(window))
    fresh = [key for key in believable if key not in known.memberships]
    increment = assign_new(fresh, window.vectors, known.topics)
    reason = "asked for" if anew else _find_reason(known, believable, increment.fit)
    if reason is None:
        grouping = _add_new(window, known, believable, increment, find_unknown)
    else:
        grouping = group_tickets(window, find_unknown, seed=seed)
    usual = window.usual.middle
    lineage = trace_lineage(
        keep_apart(grouping.groups, known.corrected.apart, known.members),
        known.members,
        alike=lambda left, right: measure_likeness(left, right, window.vectors, usual),
        seen=window.tickets,
        bound=known.corrected.bound,
    )
    topics = describe_topics(lineage.topics, grouping, window)
    coarse = {} if reason is None else _find_coarse(window, believable)
    return Traced(topics, lineage.events, believable, reason, coarse)


def _find_reason(known: Known, believable: Sequence[str], arrived: Fit) -> str | None:
    """How well what came since all topics were found fits, against what they were found in."""
    if not known.topics:
        return rediscovery_reason(None, arrived, len(believable))
    before, later = (
        [m for key in believable if (m := known.memberships.get(key)) and m.anew is anew]
        for anew in (True, False)
    )
    old, since = (
        Fit(
            tuple(m.similarity for m in members if m.topic_id is not None),
            sum(m.topic_id is None for m in members),
        )
        for members in (before, later)
    )
    since = Fit((*since.assigned, *arrived.assigned), since.unassigned + arrived.unassigned)
    return rediscovery_reason(old, since, len(believable))


def _add_new(
    window: Window,
    known: Known,
    believable: Sequence[str],
    increment: Increment,
    find_unknown: FindUnknown,
) -> Grouping:
    """Known topics with their new tickets, and topics that new tickets make up.

    Without a new ticket nothing is a new topic, so that a run without news changes nothing.
    """
    held: dict[str, set[str]] = {
        stored.topic.topic_id: set(increment.members.get(stored.topic.topic_id, ()))
        for stored in known.topics
    }
    for key in believable:
        member = known.memberships.get(key)
        if member is not None and member.topic_id in held:
            held[member.topic_id].add(key)
    standing = [frozenset(group) for _, group in sorted(held.items()) if group]
    return group_tickets(
        window, find_unknown, standing=standing, news=frozenset(increment.unassigned)
    )


def _find_coarse(window: Window, ids: Sequence[str]) -> dict[str, int]:
    if not ids:
        return {}
    partition = discover(
        [hash_text(window.tickets[key].question) for key in ids],
        np.stack([window.vectors[key] for key in ids]),
        list(ids),
    )
    return dict(zip(ids, partition.coarse.tolist(), strict=True))


def split_off(events: Sequence[TopicEvent]) -> Mapping[str, str]:
    """The topic each new one was split from."""
    return {event.topic_id: event.others[0] for event in events if event.kind == "split"}
