"""What agents' resolutions say about the article and about themselves; pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kb.quantities import Slot, extract_slots
from kb.statements import content_words, split_sentences

LONGEST_STATEMENT_WORDS = 45
"""A resolution above this length explains more than it reports."""
STATED_SHARE = 0.4
_CHANGED = re.compile(
    r"\bno longer\b|\bany ?more\b|\bsince (?:\d|last|the|january|february|march|april|may|june|july"
    r"|august|september|october|november|december|version|v\d)"
    r"|\b(?:was|were|been|is|has) (?:been )?(?:removed|taken down|switched off|retired|replaced"
    r"|renamed|moved|discontinued|shut down"
    r"|abolished|withdrawn|changed)\b|\bout ?of ?date\b|\boutdated\b|\bhas gone\b|\bis gone\b"
    r"|\bdoes ?n[o']t exist\b|\bno longer exists\b|\bchanged (?:on|in|since|with)\b|\bnew rule\b"
    r"|\bold (?:rule|page|window|article|sheet|way)\b|\bis behind\b|\bused to\b|\bnot there any"
    r"|\bpage is dead\b|\blink is dead\b|\bn'est plus\b|\bbestaat niet meer\b|\bis verdwenen\b"
    r"|\bjá não\b|\bsinds\b|\bdepuis le\b|\bverdwenen\b|\bno (?:reset )?page\b",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\b(?:granted|added|approved|created|assigned|activated|enabled|unlocked|extended|issued"
    r"|reset|moved|removed|cancelled|refunded|whitelisted|provisioned|registered|verified|restored"
    r"|switched on|set up|done|toegekend|toegevoegd|accordé|ajouté|concedido|adicionado)\b",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"→|->|\b(?:go to|click|choose|press|hold|tap|navigate|scroll|type in|log out|sign out|restart"
    r"|uninstall|reinstall|unplug|plug|then (?:open|select|enter)|in the app|under settings)\b"
    r"|^\s*\d+[.)]\s",
    re.IGNORECASE | re.MULTILINE,
)


def says_changed(resolution: str) -> bool:
    """Whether the text says that something is gone or different from before."""
    return bool(_CHANGED.search(resolution))


def reports_action(resolution: str) -> bool:
    """Whether the text tells that somebody did something, and nothing a reader could follow."""
    short = len(resolution.split()) <= LONGEST_STATEMENT_WORDS
    return short and bool(_DONE.search(resolution)) and not _STEPS.search(resolution)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A value the resolutions state and a document states otherwise."""

    value: Slot
    sentence: str
    """The document's."""
    places: tuple[int, ...]
    """Which resolutions state the value."""


def find_contradicted_value(resolutions: Sequence[str], document: str) -> Contradiction | None:
    """A value many resolutions state that the document states otherwise.

    At least three and 40% of the resolutions must state it, in one unit with the document's, which
    must nowhere state it itself. The document's sentence must share a word, beside the unit, with
    40% of the resolutions' sentences that state the value: "hold it 5 seconds" does not contradict
    "wait ten seconds". Dates are left out: each ticket has its own.
    """
    stated: defaultdict[tuple[str, float, float], dict[int, tuple[Slot, str]]] = defaultdict(dict)
    for place, resolution in enumerate(resolutions):
        for sentence in split_sentences(resolution):
            for slot in extract_slots(sentence.text):
                key = (slot.unit, slot.low, slot.high)
                stated[key].setdefault(place, (slot, sentence.text))
    for (unit, _, _), found in sorted(stated.items(), key=lambda e: (-len(e[1]), e[0])):
        if len(found) < max(3, STATED_SHARE * len(resolutions)) or unit == "date":
            continue
        value = next(iter(found.values()))[0]
        other = _other_value(document, value, [text for _, text in found.values()])
        if other is not None:
            return Contradiction(value, other, tuple(found))
    return None


def _other_value(document: str, value: Slot, sentences: Sequence[str]) -> str | None:
    words = Counter(word for text in sentences for word in content_words(text))
    common = {word for word, count in words.items() if count >= STATED_SHARE * len(sentences)}
    common -= content_words(value.text)
    candidates = []
    for sentence in split_sentences(document):
        slots = [slot for slot in extract_slots(sentence.text) if slot.unit == value.unit]
        if any(_overlap(slot, value) for slot in slots):
            return None
        shared = len(common & content_words(sentence.text))
        if slots and shared:
            candidates.append((-shared, sentence.start, sentence.text))
    return min(candidates)[2] if candidates else None


def _overlap(left: Slot, right: Slot) -> bool:
    return left.low <= right.high and right.low <= left.high


def find_statement(document: str, value: Slot, sentence: str) -> str | None:
    """The document's sentence that states the value of what another sentence is about."""
    about = content_words(sentence)
    candidates = [
        (-len(about & content_words(found.text)), found.start, found.text)
        for found in split_sentences(document)
        if any(s.unit == value.unit and _overlap(s, value) for s in extract_slots(found.text))
    ]
    best = min(candidates, default=None)
    return best[2] if best is not None and -best[0] >= 2 else None
