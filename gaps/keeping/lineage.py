"""This week's groups and last week's topics: which is which, what was split, what was joined; pure.

An identity lasts because topics are matched by the tickets they share, so that a dismissal, a draft
or a weekly series is not lost when next week's groups look a little different.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Group = frozenset[str]
Alike = Callable[[Group, Group], float]
"""How alike two groups are: 1 where their members are as alike across as within."""

SHARED_TICKETS = 0.5
"""Share of the smaller of two that must be common for them to be one (FreeITSM's value)."""
HEIR_SHARE = 0.3
"""Of a topic's tickets, for a part that left it to be told as split off."""
SPLIT_LIKENESS = 0.8
"""Parts of one topic that are more alike than this stay one: two planted topics of the made-up
company reach at most 0.8, halves of one topic about 1."""


class EventKind(StrEnum):
    APPEARED = "appeared"
    SPLIT = "split"
    MERGED = "merged"
    DISSOLVED = "dissolved"


@dataclass(frozen=True, slots=True)
class TopicEvent:
    """What became of a topic in one run."""

    topic_id: str
    kind: EventKind
    others: tuple[str, ...]
    """The topic it was split from, or was merged into."""
    ticket_count: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """Groups under their lasting ids."""

    topics: tuple[tuple[str, Group], ...]
    """By topic id."""
    events: tuple[TopicEvent, ...]


def trace_lineage(
    groups: Sequence[Group],
    known: Mapping[str, Collection[str]],
    *,
    alike: Alike,
    seen: Collection[str] | None = None,
    bound: Collection[str] = (),
    taken: Collection[str] = (),
) -> Lineage:
    """Give every group the id of the topic it continues, or a new one, and say what happened.

    A group continues the topic with which it shares most tickets, if that is at least half of the
    smaller of the two (of the topic as far as its tickets were read now). Further parts of the same
    topic join it again while they are alike; else they split off. A topic whose tickets went into
    another's group is merged into that one.

    Args:
        groups: Disjoint sets of ticket ids.
        known: Ticket ids of the stored topics by topic id; disjoint.
        alike: Of two groups.
        seen: All tickets that were read, the ungrouped ones too; those of the groups unless given.
        bound: Topics that stay one however little alike their parts are.
        taken: Ids that no new topic may get.
    """

    def is_one(origin: str, group: Group, main: Group) -> bool:
        return origin in bound or alike(group, main) >= SPLIT_LIKENESS

    home = {ticket: key for key, tickets in known.items() for ticket in tickets}
    ordered = sorted(groups, key=lambda group: (-len(group), min(group)))
    shared = [Counter(home[ticket] for ticket in group if ticket in home) for group in ordered]
    present = sum(shared, Counter())
    looked_at = present if seen is None else Counter(home[key] for key in seen if key in home)
    heirs = _choose_heirs(ordered, shared, looked_at)
    joined = dict(heirs)
    events: list[TopicEvent] = []
    result: defaultdict[str, set[str]] = defaultdict(set)
    for place, topic_id in heirs.items():
        result[topic_id] |= ordered[place]
    for place, group in enumerate(ordered):
        if place in heirs:
            continue
        topic_id, event = _place(group, shared[place], known, result, heirs, ordered, is_one, taken)
        joined[place] = topic_id
        result[topic_id] |= group
        if event is not None:
            events.append(event)
    events += _endings(known, present, shared, joined)
    return Lineage(
        tuple((key, frozenset(tickets)) for key, tickets in sorted(result.items())),
        tuple(sorted(events, key=lambda e: (e.topic_id, e.kind))),
    )


def _choose_heirs(
    groups: Sequence[Group], shared: Sequence[Counter[str]], looked_at: Counter[str]
) -> dict[int, str]:
    """Topic by place of its group: the pairs that share most first, each side once."""
    pairs = sorted(
        (-count, key, place) for place, found in enumerate(shared) for key, count in found.items()
    )
    heirs: dict[int, str] = {}
    for negative, key, place in pairs:
        enough = -negative >= SHARED_TICKETS * min(len(groups[place]), looked_at[key])
        if enough and place not in heirs and key not in heirs.values():
            heirs[place] = key
    return heirs


def _place(
    group: Group,
    shared: Counter[str],
    known: Mapping[str, Collection[str]],
    result: Mapping[str, set[str]],
    heirs: Mapping[int, str],
    ordered: Sequence[Group],
    is_one: Callable[[str, Group, Group], bool],
    taken: Collection[str],
) -> tuple[str, TopicEvent | None]:
    """Where a group belongs that is no topic's first heir."""
    origin = max(sorted(shared), key=lambda key: shared[key], default=None)
    if origin is not None and shared[origin] >= SHARED_TICKETS * len(group):
        main = next((p for p, key in heirs.items() if key == origin), None)
        if main is not None and is_one(origin, group, ordered[main]):
            return origin, None
        new = name_topic(group, known, result, taken)
        return new, TopicEvent(new, EventKind.SPLIT, (origin,), len(group))
    new = name_topic(group, known, result, taken)
    return new, TopicEvent(new, EventKind.APPEARED, (), len(group))


def _endings(
    known: Mapping[str, Collection[str]],
    present: Counter[str],
    shared: Sequence[Counter[str]],
    joined: Mapping[int, str],
) -> list[TopicEvent]:
    """Topics nobody continues although their tickets were read."""
    went: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for place, found in enumerate(shared):
        for key, count in found.items():
            went[key][joined[place]] += count
    continued = set(joined.values())
    events = []
    for key in sorted(set(known) & set(present) - continued):
        heir, count = max(sorted(went[key].items()), key=lambda pair: pair[1])
        kind = EventKind.MERGED if count >= HEIR_SHARE * present[key] else EventKind.DISSOLVED
        others = (heir,) if kind is EventKind.MERGED else tuple(sorted(went[key]))
        events.append(TopicEvent(key, kind, others, present[key]))
    return events


def name_topic(group: Collection[str], *taken: Collection[str]) -> str:
    """An id from the tickets a topic is first seen with, that is not in use."""
    seed = "\n".join(sorted(group))
    for attempt in range(1_000):
        digest = hashlib.sha256(f"{attempt}\n{seed}".encode()).hexdigest()
        if not any(f"top_{digest[:12]}" in ids for ids in taken):
            return f"top_{digest[:12]}"
    raise AssertionError("a thousand digests were taken")
