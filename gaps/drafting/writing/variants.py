"""Which steps belong together, and on what condition; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gaps.drafting.writing.merging import Point
from gaps.types import Ticket
from kb.hostile_text import is_hostile
from kb.quantities import plain_text

SHARED_TICKETS = 0.5
"""Overlap of two points' tickets from which on they are one procedure."""
GENERAL_SHARE = 0.75
"""Share of the solved tickets from which on a procedure applies to everybody."""
LABEL_LIFT = 0.35
"""How much more often a label must stand in a variant's tickets than in the others."""
_CODE = re.compile(r"\b[A-Z]{1,5}-\d{2,5}\b|\b[A-Z]\d{1,4}\b|\b0x[0-9A-Fa-f]{4,}\b")
_QUOTED = re.compile(r"[\"“”'‘’«]([^\"“”'‘’«»]{3,40})[\"“”'‘’»]")
_PLATFORM = re.compile(
    r"\b(mac(?:book|os)?|windows|iphone|ipad|ios|android|linux|chromebook)\b", re.IGNORECASE
)
_PLATFORM_NAMES = {
    "mac": "Mac", "macbook": "Mac", "macos": "Mac", "windows": "Windows", "iphone": "iPhone",
    "ipad": "iPad", "ios": "iPhone", "android": "Android", "linux": "Linux",
    "chromebook": "Chromebook",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """Steps that solve the trouble under one condition; no condition means for everybody."""

    condition: str | None
    points: tuple[Point, ...]
    ticket_ids: frozenset[str]


def group_variants(
    points: Sequence[Point], tickets: Mapping[str, Ticket], topic: str = ""
) -> list[Variant]:
    """Points that come from the same tickets together, those for everybody first.

    Args:
        points: Corroborated steps.
        tickets: The solved tickets by id, to see what sets one variant's requesters apart.
        topic: The gap's title and terms; their words hold for all and set nobody apart.
    """
    labels = label_tickets(tickets, set(re.findall(r"[^\W_]{2,}", topic.lower())))
    groups: list[tuple[list[Point], set[str], str | None]] = []
    for point in sorted(points, key=lambda p: (-len(p.requesters), p.place)):
        ids = set(point.ticket_ids)
        label = find_condition(ids, labels)
        home = next(
            (g for g in groups if (label and g[2] == label) or (not label and _overlap(ids, g[1]))),
            None,
        )
        if home is None:
            groups.append(([point], ids, label))
        else:
            home[0].append(point)
            home[1].update(ids)
    total = max(1, len(tickets))
    variants = [
        Variant(
            None if len(groups) == 1 or len(ids) / total >= GENERAL_SHARE else label,
            tuple(sorted(members, key=lambda p: (p.position, p.place))),
            frozenset(ids),
        )
        for members, ids, label in groups
    ]
    return sorted(variants, key=lambda v: (v.condition is not None, -len(v.ticket_ids)))


def _overlap(ids: set[str], others: set[str]) -> bool:
    smaller = min(len(ids), len(others))
    return smaller > 0 and len(ids & others) / smaller >= SHARED_TICKETS


def find_condition(ids: set[str], labels: Mapping[str, Mapping[str, float]]) -> str | None:
    """What these tickets' questions share and the others' lack, as the start of a heading.

    Args:
        ids: The variant's tickets.
        labels: Every ticket's possible conditions with their preference, from `label_tickets`.
    """
    inside = [labels[i] for i in sorted(ids) if i in labels]
    outside = [labels[i] for i in sorted(labels) if i not in ids]
    if not inside or not outside:
        return None
    here = Counter(label for found in inside for label in found)
    there = Counter(label for found in outside for label in found)
    preference = {label: weight for found in inside for label, weight in found.items()}
    scored = [
        (round(count / len(inside) - there[label] / len(outside), 2), label)
        for label, count in here.items()
        if count >= 2
    ]
    strong = [(lift + preference[label], label) for lift, label in scored if lift >= LABEL_LIFT]
    return max(strong, key=lambda pair: (round(pair[0], 2), pair[1]))[1] if strong else None


def label_tickets(
    tickets: Mapping[str, Ticket], common: set[str] | frozenset[str] = frozenset()
) -> dict[str, dict[str, float]]:
    """What each question could be a case of: a code, a platform, or what a message says.

    A message counts for every ticket that holds its words, quoted or not. The number is how much
    a label is preferred at equal lift: codes and platforms are sharper than a message. One word
    that divides them by chance is no condition: "if it is about “going”" helps nobody.
    """
    questions = {
        key: text
        for key, ticket in tickets.items()
        if not is_hostile(text := plain_text(ticket.question))
    }
    messages = {
        quoted.strip(" .,…!?").lower()
        for text in questions.values()
        for quoted in _QUOTED.findall(text)
        if 1 <= len(quoted.split()) <= 5
    }
    found: dict[str, dict[str, float]] = {}
    for key, text in questions.items():
        words = set(re.findall(r"[^\W_]{2,}", text.lower()))
        codes = set(_CODE.findall(text)) | ({tickets[key].error_code or ""} - {""})
        platforms = {_PLATFORM_NAMES[p.lower()] for p in _PLATFORM.findall(text)}
        labels: dict[str, float] = {}
        for message in messages:
            inside = re.findall(r"[^\W_]{2,}", message)
            if len(inside) > 1 and set(inside) <= words and not set(inside) <= _PLAIN | common:
                labels[f"If it says “{message}”"] = 0.1 + 0.02 * len(inside)
        labels |= {f"If you see {code}": 0.25 for code in codes if not is_hostile(code)}
        labels |= {f"On {_article(name)}": 0.25 for name in platforms}
        found[key] = labels
    return found


def _article(name: str) -> str:
    if name in ("Windows", "Android", "Linux"):
        return name
    return f"an {name}" if name[0] in "aeiouAEIO" else f"a {name}"


_PLAIN = frozenset(
    "about after again anymore anyone before cannot could every everything first hello"
    " morning never"
    " nothing other please right since still thank thanks their there these thing think"
    " through today"
    " tried trying where which while working would yesterday really somebody someone connect"
    " connected connects doesn minutes always because should colleague already monday tuesday"
    " wednesday thursday friday weeks three press macbook iphone android windows".split()
)
