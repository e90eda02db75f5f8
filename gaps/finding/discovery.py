"""The tickets of one run to topics: which tickets belong together, under which name and id."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaps.drafting.hostile import is_hostile
from gaps.finding.window import Window
from gaps.grouping import joining, naming
from gaps.grouping.clustering import (
    SEED,
    Cluster,
    Point,
    cluster_points,
    form_cluster,
)
from gaps.grouping.likeness import measure_likeness
from gaps.keeping.lineage import Group
from gaps.keeping.rows import FINE
from gaps.ranking.voices import requester_of
from gaps.reading.cleaning import is_automatic
from gaps.reading.language import main_language
from gaps.types import Coverage, Ticket, Topic

NEAR_QUANTILE = 0.25
"""A served ticket is near a topic when it is closer than the farthest quarter of the topic's."""
FEWEST_HOLDERS = 3
NAMED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic of this run."""

    topic: Topic
    cluster: Cluster
    tickets: tuple[Ticket, ...]
    """Most central first."""
    served: tuple[Ticket, ...]
    unknown_terms: Mapping[str, tuple[str, ...]]
    level: str = FINE


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of tickets, and what their names are made of."""

    groups: tuple[Group, ...]
    terms: Mapping[str, frozenset[str]]
    """Of every ticket of the window."""
    holders: Mapping[str, tuple[str, ...]]
    """Ticket ids by word that no document holds."""


def believable_tickets(window: Window) -> list[Ticket]:
    """The unresolved tickets, by id, without those that give orders to their reader and those that
    a mailbox sent by itself: they are no evidence of anything."""
    found = (window.tickets[key] for key in sorted(window.coverage))
    return [t for t in found if not is_automatic(t) and not is_hostile(f"{t.subject}\n{t.body}")]


def group_tickets(
    window: Window,
    find_unknown: Callable[[set[str]], set[str]],
    *,
    standing: Sequence[Group] = (),
    news: Group | None = None,
    seed: int = SEED,
) -> Grouping:
    """Group the believable tickets.

    A group in another language than most tickets is left out: an encoder of one language brings
    texts of another together for their language, whatever they are about.

    Args:
        window: What was read.
        find_unknown: Of some terms, those no document holds.
        standing: Groups that are known; only what is in none of them is clustered.
        news: Tickets of which a group that is not known must hold one; any unless given.
        seed: Of the grouping.

    Returns:
        Groups with at least three distinct requesters.
    """
    believable = believable_tickets(window)
    requesters = {key: requester_of(t) for key, t in window.tickets.items()}
    terms = {key: naming.ticket_terms(ticket) for key, ticket in window.tickets.items()}
    held = frozenset[str]().union(*standing)
    free = [ticket for ticket in believable if ticket.ticket_id not in held]
    fresh: list[Group] = []
    if news is None or news:
        fresh = [frozenset(cluster.ticket_ids) for cluster in _cluster(free, window, seed)]
    groups = [*standing, *(group for group in fresh if news is None or group & news)]
    groups = joining.group_by_failed_article(groups, _failed_on(believable, window), requesters)
    holders = _unknown_holders(believable, terms, requesters, find_unknown)
    usual = window.usual.middle
    groups = joining.merge_by_markers(
        groups,
        holders,
        requesters,
        lambda left, right: measure_likeness(left, right, window.vectors, usual),
    )
    language = main_language(ticket.question for ticket in believable)
    kept = [
        group
        for group in groups
        if _shares_a_word(group, terms, requesters)
        and main_language(window.tickets[key].question for key in group) in (language, None)
    ]
    return Grouping(tuple(kept), terms, holders)


def describe_topics(
    found: Sequence[tuple[str, Group]], grouping: Grouping, window: Window
) -> list[FoundTopic]:
    """Name topics.

    Args:
        found: Topic id and its tickets.
        grouping: What names are made of.
        window: What was read.
    """
    requesters = {key: requester_of(t) for key, t in window.tickets.items()}
    named = naming.distinguishing_terms([group for _, group in found], grouping.terms, requesters)
    clusters = [_form(group, window) for _, group in found]
    served = _served_near(clusters, window)
    return [
        _describe(topic_id, cluster, names, window, grouping.holders, near)
        for (topic_id, _), cluster, names, near in zip(found, clusters, named, served, strict=True)
    ]


def _cluster(tickets: Sequence[Ticket], window: Window, seed: int) -> list[Cluster]:
    if not tickets:
        return []
    points = [
        Point(t.ticket_id, requester_of(t), hashlib.sha256(t.question.encode()).hexdigest())
        for t in tickets
    ]
    vectors, answers = window.vectors, window.answers
    asked = np.stack([vectors[t.ticket_id] for t in tickets])
    nothing = np.zeros(asked.shape[1], np.float32)
    return cluster_points(
        points,
        asked,
        answers=np.stack([answers.get(t.ticket_id, nothing) for t in tickets]),
        background=window.usual,
        answer_background=window.usual_answers,
        seed=seed,
    )


def _failed_on(tickets: Sequence[Ticket], window: Window) -> dict[str, str]:
    """The article each unresolved ticket was answered with in vain."""
    linked = {t.ticket_id: window.coverage[t.ticket_id].linked_live for t in tickets}
    return {key: articles[0] for key, articles in linked.items() if articles}


def _unknown_holders(
    tickets: Sequence[Ticket],
    terms: Mapping[str, frozenset[str]],
    requesters: Mapping[str, str],
    find_unknown: Callable[[set[str]], set[str]],
) -> dict[str, tuple[str, ...]]:
    """Ticket ids by single word of three people that no document knows."""
    held: defaultdict[str, list[str]] = defaultdict(list)
    for ticket in tickets:
        for term in terms[ticket.ticket_id]:
            if " " not in term and "'" not in term and "’" not in term:
                held[term].append(ticket.ticket_id)
    common = {t for t, ids in held.items() if len({requesters[i] for i in ids}) >= FEWEST_HOLDERS}
    return {term: tuple(sorted(held[term])) for term in sorted(find_unknown(common))}


def _shares_a_word(
    group: frozenset[str], terms: Mapping[str, frozenset[str]], requesters: Mapping[str, str]
) -> bool:
    """Whether three people and a quarter of the tickets use one word: else it has no name."""
    held: defaultdict[str, list[str]] = defaultdict(list)
    for key in group:
        for term in terms[key]:
            held[term].append(key)
    return any(
        len(ids) >= NAMED_SHARE * len(group) and len({requesters[i] for i in ids}) >= FEWEST_HOLDERS
        for ids in held.values()
    )


def _form(group: frozenset[str], window: Window) -> Cluster:
    ids = sorted(group)
    return form_cluster(ids, np.stack([window.vectors[key] for key in ids]))


def _served_near(clusters: Sequence[Cluster], window: Window) -> list[tuple[Ticket, ...]]:
    """The tickets an article answered that are as near to each topic as its own.

    Each counts with the topic it is nearest to: wide topics reach over their neighbours'.
    """
    found: list[list[Ticket]] = [[] for _ in clusters]
    if clusters:
        centroids = np.stack([cluster.centroid for cluster in clusters])
        least = [_reach(cluster, window) for cluster in clusters]
        inside = [set(cluster.ticket_ids) for cluster in clusters]
        for ticket in window.served:
            closeness = np.round(centroids @ window.vectors[ticket.ticket_id], 5)
            nearest = int(np.argmax(closeness))
            near = closeness[nearest] >= least[nearest]
            if near and ticket.ticket_id not in inside[nearest]:
                found[nearest].append(ticket)
    return [tuple(tickets) for tickets in found]


def _reach(cluster: Cluster, window: Window) -> float:
    matrix = np.stack([window.vectors[key] for key in cluster.ticket_ids])
    return float(np.quantile(matrix @ cluster.centroid, NEAR_QUANTILE))


def _describe(
    topic_id: str,
    cluster: Cluster,
    names: tuple[str, ...],
    window: Window,
    holders: Mapping[str, tuple[str, ...]],
    served: tuple[Ticket, ...],
) -> FoundTopic:
    group = set(cluster.ticket_ids)
    tickets = tuple(window.tickets[key] for key in cluster.ticket_ids)
    said = {word for name in names for word in name.split()}
    unknown = {
        term: tuple(key for key in found if key in group)
        for term, found in holders.items()
        if term in said and sum(key in group for key in found) >= FEWEST_HOLDERS
    }
    topic = Topic(topic_id, naming.choose_title(tickets, names), names, cluster.ticket_ids)
    return FoundTopic(topic, cluster, tickets, served, unknown)


def nearest_documents(tickets: Sequence[Ticket], coverage: Mapping[str, Coverage]) -> list[str]:
    """The documents the questions find first, most often found first."""
    first = Counter(
        coverage[t.ticket_id].best_documents[0][0]
        for t in tickets
        if t.ticket_id in coverage and coverage[t.ticket_id].best_documents
    )
    return sorted(first, key=lambda key: (-first[key], key))
