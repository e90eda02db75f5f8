"""Articles that are linked and do not help: stale, wrong or in conflict; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from gaps.triage.facts import (
    FEWEST,
    Dispute,
    DocumentFacts,
    Judgement,
    TicketFacts,
    TopicFacts,
    ids_of,
    posterior_share,
    resolved_tickets,
)
from gaps.triage.wording import find_contradicted_value, find_statement, says_changed
from gaps.types import GapKind, Reason
from kb.quantities import Slot

LINKED_SHARE = 0.3
"""Of a topic's tickets, for an article to be what the topic is about."""
FAILED_SHARE = 0.5
"""Of the tickets that link an article, for it to be blamed."""
CHANGED_SHARE = 0.3
"""Of the resolutions. On the made-up company: 0.50 and 0.78 on the two stale stories, 0.00 on the
wrong one, at most 0.25 elsewhere."""
NEAR_DEPTH = 5
RECENT_CHANGE = timedelta(days=90)


def judge_failing(facts: TopicFacts) -> Judgement | None:
    """Stale, wrong or in conflict: an article is linked and does not help."""
    document = _failing_document(facts)
    if document is None:
        return None
    linked = [f for f in facts.tickets if document.document_id in f.coverage.linked_live]
    helped = [t for t in facts.served if document.document_id in t.linked_articles]
    failed = [f for f in linked if f.coverage.failed]
    failing = Reason(
        "linked_article_failed",
        f"“{document.title}” was linked in {len(linked) + len(helped)} tickets and did not help "
        f"in {len(failed)}",
        (document.document_id, *ids_of(failed)),
    )
    kind, reasons, others = _why_failing(facts, document)
    probability = posterior_share(len(failed) + 0.5 * len(reasons), len(linked) + len(helped))
    return Judgement(
        kind, min(0.99, probability), (failing, *reasons), (document.document_id, *others)
    )


def _failing_document(facts: TopicFacts) -> DocumentFacts | None:
    failed: Counter[str] = Counter()
    linked: Counter[str] = Counter()
    for found in facts.tickets:
        linked.update(found.coverage.linked_live)
        if found.coverage.failed:
            failed.update(found.coverage.linked_live)
    for ticket in facts.served:
        linked.update(key for key in ticket.linked_articles if key in facts.documents)
    for key in sorted(failed, key=lambda k: (-failed[k], k)):
        in_topic = sum(1 for f in facts.tickets if key in f.coverage.linked_live)
        enough = failed[key] >= FEWEST and in_topic >= LINKED_SHARE * len(facts.tickets)
        if enough and failed[key] >= FAILED_SHARE * linked[key] and key in facts.documents:
            return facts.documents[key]
    return None


def _why_failing(
    facts: TopicFacts, document: DocumentFacts
) -> tuple[GapKind, list[Reason], tuple[str, ...]]:
    answered = resolved_tickets(facts)
    texts = [found.ticket.resolution or "" for found in answered]
    reasons: list[Reason] = []
    changed = [found for found, text in zip(answered, texts, strict=True) if says_changed(text)]
    if len(changed) >= max(FEWEST - 1, CHANGED_SHARE * len(answered)):
        text = (
            f"{len(changed)} of {len(answered)} resolutions say that something changed or is gone"
        )
        reasons.append(Reason("resolutions_say_changed", text, ids_of(changed)))
    contradicted = find_contradicted_value(texts, document.text)
    if contradicted is not None:
        text = f"resolutions say {contradicted.value.text}; the article: “{contradicted.sentence}”"
        evidence = ids_of([answered[place] for place in contradicted.places])
        reasons.append(Reason("value_contradicted", text, (document.document_id, *evidence)))
    dispute = _lost_dispute(facts, document)
    if dispute is None and contradicted is not None:
        dispute = _stronger_statement(facts, document, contradicted.value, contradicted.sentence)
    if dispute is not None:
        reasons.append(_dispute_reason(dispute))
        if not _changed_lately(facts, dispute):
            return GapKind.CONFLICT, reasons, (dispute.winner_id,)
    others = (dispute.winner_id,) if dispute is not None else ()
    return (GapKind.STALE if reasons else GapKind.WRONG), reasons, others


def _lost_dispute(facts: TopicFacts, document: DocumentFacts) -> Dispute | None:
    lost = [d for d in facts.disputes if d.loser_id == document.document_id]
    return min(lost, key=lambda d: d.winner_id, default=None)


def _stronger_statement(
    facts: TopicFacts, document: DocumentFacts, value: Slot, sentence: str
) -> Dispute | None:
    """A stronger document these questions find that states what the resolutions say."""
    found: Counter[str] = Counter()
    for ticket in facts.tickets:
        found.update(key for key, _ in ticket.coverage.best_documents[:NEAR_DEPTH])
    for key in sorted(found, key=lambda k: (-found[k], k)):
        stronger = facts.documents.get(key)
        if stronger is None or stronger.strength >= document.strength:
            continue
        statement = find_statement(stronger.text, value, sentence)
        if statement is not None and found[key] >= LINKED_SHARE * len(facts.tickets):
            return Dispute(key, document.document_id, statement, sentence)
    return None


def _dispute_reason(dispute: Dispute) -> Reason:
    text = (
        f"{dispute.winner_id} says “{dispute.winner_statement}”, "
        f"{dispute.loser_id} says “{dispute.loser_statement}”"
    )
    return Reason("documents_disagree", text, (dispute.winner_id, dispute.loser_id))


def _changed_lately(facts: TopicFacts, dispute: Dispute) -> bool:
    """Whether the stronger document came into force shortly before the topic's tickets or later.

    What always disagreed is a conflict; what a new rule overtook is stale.
    """
    winner = facts.documents.get(dispute.winner_id)
    if winner is None or winner.effective_from is None:
        return False
    first = min(found.ticket.created_at for found in facts.tickets)
    return winner.effective_from >= first - RECENT_CHANGE


def judge_conflict(facts: TopicFacts) -> Judgement | None:
    """Two documents that the topic's questions find say different things."""
    for dispute in sorted(facts.disputes, key=lambda d: (d.loser_id, d.winner_id)):
        both = [f for f in facts.tickets if _finds_both(f, dispute.winner_id, dispute.loser_id)]
        asked = [f for f in both if f.coverage.failed or not f.coverage.served_well]
        if len(asked) >= max(FEWEST, 0.5 * len(facts.tickets)) and _mentions(asked, dispute):
            return Judgement(
                GapKind.CONFLICT,
                posterior_share(len(asked), len(facts.tickets)),
                (
                    _dispute_reason(dispute),
                    Reason("asked", "found by these tickets", ids_of(asked)),
                ),
                (dispute.loser_id, dispute.winner_id),
            )
    return None


def _finds_both(found: TicketFacts, left: str, right: str) -> bool:
    near = [key for key, _ in found.coverage.best_documents[:NEAR_DEPTH]]
    return left in near and right in near


def _mentions(found: Sequence[TicketFacts], dispute: Dispute) -> bool:
    """Whether resolutions state one of the two values: the topic is about the disagreement."""
    texts = [f.ticket.resolution or "" for f in found]
    return find_contradicted_value(texts, dispute.loser_statement) is not None
