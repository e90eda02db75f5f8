"""Which of two documents wins where they state different facts, and why; pure.

Relevance decides what comes in, this decides what wins. The rules in order: validity, a fact
about one customer, a manager's instruction, authority, scope, date, version. A ruling names the
rule that fired and the dates of both sides. `kb.rulings` puts hits in the order rulings demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kb.types import Document, Ruling

MANAGER_INSTRUCTION = "manager_instruction"
CRM_NOTE = "crm_note"


def invalid_reason(
    document: Document,
    now: datetime,
    *,
    superseded_by: Sequence[str] = (),
    products: Sequence[str] = (),
    regions: Sequence[str] = (),
    plans: Sequence[str] = (),
) -> str | None:
    """Rule 1: why a document may not answer at this moment in this scope, or None.

    A document that names no product, region or plan is in every scope.
    """
    said = document.metadata
    if said.confidence_state == "archived":
        return "archived"
    if said.effective_from is not None and now < said.effective_from:
        return f"not effective before {said.effective_from:%Y-%m-%d}"
    if said.effective_until is not None and said.effective_until <= now:
        return f"ended on {said.effective_until:%Y-%m-%d}"
    if superseded_by:
        return "superseded by " + ", ".join(sorted(superseded_by))
    if products and said.products and not set(products) & set(said.products):
        return "about another product"
    if regions and said.regions and not set(regions) & set(said.regions):
        return "about another region"
    if plans and said.plans and not set(plans) & set(said.plans):
        return "about another plan"
    return None


def unverified_reason(document: Document) -> str | None:
    """Rule 3: what a manager's instruction lacks to beat weaker authorities, or None."""
    said = document.metadata
    if said.authority != MANAGER_INSTRUCTION:
        return None
    lacks = []
    if not (said.products or said.regions or said.plans or said.customer):
        lacks.append("scope")
    if not said.approved_by:
        lacks.append("approver")
    if said.effective_until is None:
        lacks.append("end date")
    return f"manager's instruction without {', '.join(lacks)}" if lacks else None


def rule_between(
    left: Document,
    right: Document,
    authorities: Sequence[str],
    *,
    customer: str | None = None,
) -> Ruling | None:
    """Decide between two valid documents that state different facts.

    Args:
        left: One document.
        right: The other; the result does not depend on the order.
        authorities: Strongest first; one not listed is weaker than all listed.
        customer: The customer the question is about.

    Returns:
        Who wins by which rule, or None on a tie: both are shown and nobody wins.
    """
    for decide in (_by_customer, _by_instruction, _by_authority):
        ruling = decide(left, right, authorities, customer)
        if ruling is not None:
            return ruling
    if _is_customer_note(left) and _is_customer_note(right) and not _same_customer(left, right):
        return None
    if _strength(left, authorities) != _strength(right, authorities):
        return None
    scopes = _scope_size(left), _scope_size(right)
    if scopes[0] != scopes[1]:
        winner, loser = (left, right) if scopes[0] > scopes[1] else (right, left)
        return _ruling(winner, loser, "specific_scope", "it names the narrower scope")
    return _by_date(left, right)


def _by_customer(
    left: Document, right: Document, authorities: Sequence[str], customer: str | None
) -> Ruling | None:
    """A note about the customer asked about comes first, one about anybody else last."""
    notes = [d for d in (left, right) if _is_customer_note(d)]
    if not notes or _same_customer(left, right):
        return None
    for note, other in ((left, right), (right, left)):
        if _is_customer_note(note) and note.metadata.customer == customer:
            return _ruling(note, other, "customer_fact", f"it is about customer {customer}")
    if len(notes) == 2:
        return None
    other = right if notes[0] is left else left
    return _ruling(other, notes[0], "customer_fact", "a note about one customer is no rule")


def _is_customer_note(document: Document) -> bool:
    return document.metadata.authority == CRM_NOTE and bool(document.metadata.customer)


def _same_customer(left: Document, right: Document) -> bool:
    """Whether both are notes about one customer, so that this rule cannot tell them apart."""
    both = _is_customer_note(left) and _is_customer_note(right)
    return both and left.metadata.customer == right.metadata.customer


def _by_instruction(
    left: Document, right: Document, authorities: Sequence[str], customer: str | None
) -> Ruling | None:
    lacking = {d.document_id: unverified_reason(d) for d in (left, right)}
    for instruction, other in ((left, right), (right, left)):
        reason = lacking[instruction.document_id]
        if reason is not None and lacking[other.document_id] is None:
            return _ruling(other, instruction, "unverified_instruction", reason)
    return None


def _by_authority(
    left: Document, right: Document, authorities: Sequence[str], customer: str | None
) -> Ruling | None:
    if any(unverified_reason(d) for d in (left, right)):
        return None
    strengths = _strength(left, authorities), _strength(right, authorities)
    if strengths[0] == strengths[1]:
        return None
    winner, loser = (left, right) if strengths[0] < strengths[1] else (right, left)
    reason = f"{winner.metadata.authority} is stronger than {loser.metadata.authority}"
    if winner.metadata.authority == MANAGER_INSTRUCTION:
        reason += f", approved by {winner.metadata.approved_by}"
    return _ruling(winner, loser, "stronger_authority", reason)


def _by_date(left: Document, right: Document) -> Ruling | None:
    """The later effective date; where neither or both state the same one, the newer text.

    One that states a date and one that does not cannot be told apart. Texts of one day are of one
    age: the hour tells only in which order a sync read them.
    """
    dates = left.metadata.effective_from, right.metadata.effective_from
    if (dates[0] is None) != (dates[1] is None):
        return None
    if dates[0] is not None and dates[1] is not None and dates[0] != dates[1]:
        winner, loser = (left, right) if dates[0] > dates[1] else (right, left)
        return _ruling(winner, loser, "later_date", "it came into force later")
    written = left.updated_at.date(), right.updated_at.date()
    if written[0] == written[1]:
        return None
    winner, loser = (left, right) if written[0] > written[1] else (right, left)
    return _ruling(winner, loser, "newer_version", "its text is newer")


def _ruling(winner: Document, loser: Document, rule: str, reason: str) -> Ruling:
    dates = f"{_dates_of(winner)} against {_dates_of(loser)}"
    return Ruling(winner.document_id, loser.document_id, rule, f"{reason} ({dates})")


def _dates_of(document: Document) -> str:
    """From when and until when a document holds, or when it was written."""
    said = document.metadata
    since = (
        f"in force since {said.effective_from:%Y-%m-%d}"
        if said.effective_from is not None
        else f"text of {document.updated_at:%Y-%m-%d}"
    )
    if said.effective_until is None:
        return since
    # The end is the first moment it no longer holds: a day's rule ends at the next midnight.
    last = said.effective_until - timedelta(microseconds=1)
    return f"{since} until {last:%Y-%m-%d}"


def _strength(document: Document, authorities: Sequence[str]) -> int:
    name = document.metadata.authority
    return authorities.index(name) if name in authorities else len(authorities)


def _scope_size(document: Document) -> int:
    """How many kinds of limits a document puts on itself: more is narrower."""
    said = document.metadata
    return sum(1 for limit in (said.products, said.regions, said.plans, said.customer) if limit)


def find_superseded(documents: Sequence[Document], now: datetime) -> Mapping[str, list[str]]:
    """Documents that an effective document says it replaces, with the ones that say so.

    A replacement counts from its own effective date on, and only from an authority's own
    statement. Chains count whole: what replaces a document replaces what that one replaced, also
    when the one between has been archived or has ended since. A document cannot replace itself,
    and where some replace each other in a circle nobody is replaced within it.
    """
    claims = {
        d.document_id: tuple(dict.fromkeys(key for key in d.metadata.supersedes))
        for d in documents
        if not _is_pending(d, now)
    }
    reach = {key: _follow(claims, key) for key in claims}
    replaced: dict[str, list[str]] = {}
    for document in documents:
        key = document.document_id
        if key not in claims or _is_over(document, now):
            continue
        for older in reach[key]:
            if older != key and key not in reach.get(older, ()):
                replaced.setdefault(older, []).append(key)
    return replaced


def _is_pending(document: Document, now: datetime) -> bool:
    """Not in force yet, so that nothing it says counts, not even as a link of a chain."""
    said = document.metadata
    if said.confidence_state == "work_in_progress":
        return True
    return said.effective_from is not None and now < said.effective_from


def _is_over(document: Document, now: datetime) -> bool:
    said = document.metadata
    ended = said.effective_until is not None and said.effective_until <= now
    return ended or said.confidence_state == "archived"


def _follow(claims: Mapping[str, Sequence[str]], start: str) -> list[str]:
    """Everything a document replaces, directly or through others, nearest first."""
    found: dict[str, None] = {}
    ahead = list(claims[start])
    while ahead:
        key = ahead.pop(0)
        if key not in found:
            found[key] = None
            ahead.extend(claims.get(key, ()))
    return list(found)
