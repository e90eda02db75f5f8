"""The signals that a document is no longer true, each with its probability and evidence; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gaps.drafting.writing.evidence import origin_of, usable_texts
from gaps.types import Ticket
from kb.contradictions import telling_words
from kb.freshness import DEFAULT_REVIEW_DAYS
from kb.quantities import extract_slots
from kb.statements import find_disagreement, split_sentences
from kb.types import Document

PRIOR_TICKETS = 8
"""Strength of the prior: a document's failure share counts as much as everybody's at 8 tickets."""
AGE_WEIGHT, AGE_LIMIT = 0.10, 0.30
"""Age is weak: calendar age alone was seen to predict no better than chance."""
SUPERSEDED_WEIGHT, ENDED_WEIGHT, ENDING_WEIGHT = 0.97, 0.97, 0.30
CONFLICT_WEIGHT, TIE_WEIGHT = 0.80, 0.45
VALUE_WEIGHT, DUPLICATE_WEIGHT = 0.60, 0.15
ENDING_DAYS = 30


@dataclass(frozen=True, slots=True)
class FreshnessReason:
    """One signal, with what it rests on."""

    signal: str
    weight: float
    """Probability that this alone makes the document untrue, 0 to 1."""
    evidence: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class KnownSignals:
    """What bears on documents, read once for all of them."""

    superseded: Mapping[str, Sequence[str]]
    intervals: Mapping[str, int]
    lost: Mapping[str, list[tuple[str, str, bool]]]
    linked: Mapping[str, list[Ticket]]
    failure_share: float
    served: Mapping[str, int]
    duplicates: Mapping[str, list[str]]
    texts: Mapping[str, str]


def find_signals(
    document: Document, known: KnownSignals, now: datetime
) -> Iterable[FreshnessReason]:
    """Every signal a document gives at a moment."""
    key, said = document.document_id, document.metadata
    since = said.last_verified_at or document.updated_at
    interval = said.review_every_days or known.intervals.get(document.source) or DEFAULT_REVIEW_DAYS
    age = max(0, (now - since).days)
    if age > interval:
        weight = min(AGE_LIMIT, AGE_WEIGHT * age / interval)
        text = f"last confirmed {age} days ago, due every {interval} days"
        yield FreshnessReason("age", weight, (), text)
    replaced = tuple(sorted(known.superseded.get(key, ())))
    if replaced:
        text = "replaced by " + ", ".join(replaced)
        yield FreshnessReason("superseded", SUPERSEDED_WEIGHT, replaced, text)
    if said.effective_until is not None:
        ends = said.effective_until
        if ends <= now:
            yield FreshnessReason("ended", ENDED_WEIGHT, (), f"ended on {ends:%Y-%m-%d}")
        elif ends <= now + timedelta(days=ENDING_DAYS):
            yield FreshnessReason("ends_soon", ENDING_WEIGHT, (), f"ends on {ends:%Y-%m-%d}")
    for winner, statement, tie in known.lost.get(key, []):
        weight = TIE_WEIGHT if tie else CONFLICT_WEIGHT
        yield FreshnessReason("conflict", weight, (winner,), f"{winner} says: {statement}")
    yield from _ticket_signals(document, known)
    twins = tuple(sorted(known.duplicates.get(key, [])))
    if twins:
        text = "says much the same as " + ", ".join(twins)
        yield FreshnessReason("near_duplicate", DUPLICATE_WEIGHT, twins, text)


def _ticket_signals(document: Document, known: KnownSignals) -> Iterable[FreshnessReason]:
    tickets = known.linked.get(document.document_id, [])
    failed = [t for t in tickets if t.has_failed]
    if len(failed) >= 2:
        usual = known.failure_share
        share = (len(failed) + PRIOR_TICKETS * usual) / (len(tickets) + PRIOR_TICKETS)
        excess = max(0.0, (share - usual) / (1.0 - usual))
        if excess > 0.05:
            text = f"{len(failed)} of {len(tickets)} tickets it was used on came back"
            yield FreshnessReason("tickets", excess, tuple(t.ticket_id for t in failed), text)
    told = find_other_values(known.texts[document.document_id], tickets)
    if told is not None:
        ids, text = told
        yield FreshnessReason("resolution_value", VALUE_WEIGHT, ids, text)


def find_other_values(
    markdown: str, tickets: Sequence[Ticket]
) -> tuple[tuple[str, ...], str] | None:
    """A value that resolutions of at least two requesters state otherwise than the document."""
    sentences = [s.text for s in split_sentences(markdown) if extract_slots(s.text)]
    stated = {(slot.unit, slot.low) for text in sentences for slot in extract_slots(text)}
    votes: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for ticket in tickets:
        for text in usable_texts(ticket):
            for told in (s.text for s in split_sentences(text) if extract_slots(s.text)):
                for sentence in sentences:
                    if len(telling_words(told) & telling_words(sentence)) < 2:
                        continue
                    found = find_disagreement(sentence, told)
                    if found is None or found.unit in ("polarity", "date"):
                        continue
                    # What the document says elsewhere is about another step of it.
                    if not any((s.unit, s.low) in stated for s in extract_slots(found.right)):
                        votes[found.left, found.right][origin_of(ticket)] = ticket.ticket_id
    strong = [(len(who), pair) for pair, who in votes.items() if len(who) >= 2]
    if not strong:
        return None
    _, (here, there) = max(strong)
    ids = tuple(sorted(votes[here, there].values()))
    return ids, f"says {here}, {len(ids)} resolutions say {there}"
