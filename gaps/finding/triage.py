"""What is wrong with a topic: missing, stale, wrong and so on, or nothing; pure.

Decided for a topic, never for a ticket: one product's tickets look alike, answered or not, and a
single cosine tells them apart at an AUROC of 0.58 (bench/README.md). Each kind needs its own
evidence; the kinds are tried from the most to the least specific, the first that holds wins.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from gaps.finding.coverage import is_solved
from gaps.finding.facts import Dispute, DocumentFacts, Judgement, TicketFacts, TopicFacts, Twins
from gaps.finding.wording import (
    find_contradicted_value,
    find_statement,
    reports_action,
    says_changed,
)
from gaps.types import GapKind, Reason
from kb.quantities import Slot

LINKED_SHARE = 0.3
FAILED_SHARE = 0.5
FEWEST = 3
CHANGED_SHARE = 0.3
TRUSTED_SHARE = 0.5
TRUSTED_LEAD = 0.05
ACTION_SHARE = 0.6
ANSWERED_ELSEWHERE_SHARE = 0.5
SEEN_SHARE = 0.4
READ_DEPTH = 3
NEAR_DEPTH = 5
TWIN_SHARE = 0.15
RECENT_CHANGE = timedelta(days=90)
UNKNOWN_WEIGHT = 0.8
DISAGREEING_SPREADS = 2.0
AGREEING_SPREADS = 2.5
"""The made-up company's planted topics lie 2.5 to 5.8 spreads above any two resolutions, groups of
unrelated tickets at most 1.9."""
STRAY_LINK_RATE = 0.05
LINK_CONCENTRATION = 2.0
LEAST_PROBABILITY = 0.5


def judge_topic(facts: TopicFacts) -> Judgement | None:
    """Decide what a topic lacks.

    Returns:
        The judgement with its evidence, or None where the knowledge base covers the topic.
    """
    for judge in _JUDGES:
        judgement = judge(facts)
        if judgement is not None:
            return judgement if judgement.probability >= LEAST_PROBABILITY else None
    return None


def _rate(count: float, total: float) -> float:
    """Posterior mean of a share under a uniform prior: three of three is not certainty."""
    return (count + 1) / (total + 2)


def _ids(found: Sequence[TicketFacts]) -> tuple[str, ...]:
    return tuple(facts.ticket.ticket_id for facts in found)


def _resolutions(facts: TopicFacts) -> list[TicketFacts]:
    return [found for found in facts.tickets if (found.ticket.resolution or "").strip()]


def _judge_failing(facts: TopicFacts) -> Judgement | None:
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
        (document.document_id, *_ids(failed)),
    )
    kind, reasons, others = _why_failing(facts, document)
    probability = _rate(len(failed) + 0.5 * len(reasons), len(linked) + len(helped))
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
    answered = _resolutions(facts)
    texts = [found.ticket.resolution or "" for found in answered]
    reasons: list[Reason] = []
    changed = [found for found, text in zip(answered, texts, strict=True) if says_changed(text)]
    if len(changed) >= max(FEWEST - 1, CHANGED_SHARE * len(answered)):
        text = (
            f"{len(changed)} of {len(answered)} resolutions say that something changed or is gone"
        )
        reasons.append(Reason("resolutions_say_changed", text, _ids(changed)))
    contradicted = find_contradicted_value(texts, document.text)
    if contradicted is not None:
        text = f"resolutions say {contradicted.value.text}; the article: “{contradicted.sentence}”"
        evidence = _ids([answered[place] for place in contradicted.places])
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


def _judge_conflict(facts: TopicFacts) -> Judgement | None:
    """Two documents that the topic's questions find say different things."""
    for dispute in sorted(facts.disputes, key=lambda d: (d.loser_id, d.winner_id)):
        both = [f for f in facts.tickets if _finds_both(f, dispute.winner_id, dispute.loser_id)]
        asked = [f for f in both if f.coverage.failed or not f.coverage.served_well]
        if len(asked) >= max(FEWEST, 0.5 * len(facts.tickets)) and _mentions(asked, dispute):
            return Judgement(
                GapKind.CONFLICT,
                _rate(len(asked), len(facts.tickets)),
                (_dispute_reason(dispute), Reason("asked", "found by these tickets", _ids(asked))),
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


def judge_duplicate(facts: TopicFacts) -> Judgement | None:
    """Two near-identical articles share the topic's links, served tickets included."""
    tickets = [(f.ticket.ticket_id, f.coverage.linked_live) for f in facts.tickets]
    tickets += [(t.ticket_id, t.linked_articles) for t in facts.served]
    for twins in sorted(facts.twins, key=lambda t: (-t.similarity, t.left_id)):
        left = tuple(key for key, linked in tickets if twins.left_id in linked)
        right = tuple(key for key, linked in tickets if twins.right_id in linked)
        least = max(2, TWIN_SHARE * len(tickets))
        if min(len(left), len(right)) >= least and len(left) + len(right) >= 0.5 * len(tickets):
            return _duplicate(twins, left, right, len(tickets))
    return None


def _duplicate(
    twins: Twins, left: tuple[str, ...], right: tuple[str, ...], total: int
) -> Judgement:
    ids = (twins.left_id, twins.right_id)
    first = f"{ids[0]} and {ids[1]} say nearly the same (cosine {twins.similarity:.2f})"
    second = f"agents link the one in {len(left)} tickets and the other in {len(right)}"
    return Judgement(
        GapKind.DUPLICATE,
        _rate(len(left) + len(right), total),
        (
            Reason("near_identical_articles", first, ids),
            Reason("links_divided", second, (*left, *right)),
        ),
        ids if len(left) <= len(right) else ids[::-1],
    )


def _judge_restricted(facts: TopicFacts) -> Judgement | None:
    """The answer exists where the ticket's audience may not look."""
    asked = [f for f in facts.tickets if f.trusted is not None]
    if len(asked) < FEWEST:
        return None
    hidden: dict[str, list[TicketFacts]] = {}
    for found in asked:
        document = _hidden_answer(found, facts)
        if document is not None:
            hidden.setdefault(document, []).append(found)
    if not hidden:
        return None
    best = max(hidden, key=lambda key: (len(hidden[key]), key))
    if len(hidden[best]) < max(FEWEST, TRUSTED_SHARE * len(asked)):
        return None
    title = facts.documents[best].title
    text = (
        f"“{title}” answers {len(hidden[best])} of {len(asked)} questions, "
        f"and may be read by {facts.documents[best].audience} only"
    )
    return Judgement(
        GapKind.RESTRICTED,
        _rate(len(hidden[best]), len(asked)),
        (Reason("hidden_answer", text, (best, *_ids(hidden[best]))),),
        (best,),
    )


def _hidden_answer(found: TicketFacts, facts: TopicFacts) -> str | None:
    """The document that answers only for a more trusted audience, if it is the first there."""
    if found.trusted is None or not found.trusted.best_documents:
        return None
    key, cosine = found.trusted.best_documents[0]
    document = facts.documents.get(key)
    if document is None or found.ticket.audience.may_read(document.audience):
        return None
    own = max((c for _, c in found.coverage.best_documents[:READ_DEPTH]), default=0.0)
    return key if cosine >= own + TRUSTED_LEAD else None


def _judge_action(facts: TopicFacts) -> Judgement | None:
    """Solved by somebody with the right to do it, not by reading."""
    answered = _resolutions(facts)
    done = [f for f in answered if reports_action(f.ticket.resolution or "")]
    if len(done) < max(FEWEST, ACTION_SHARE * len(answered)):
        return None
    text = f"{len(done)} of {len(answered)} resolutions report an action and hold no steps"
    return Judgement(
        GapKind.NEEDS_ACTION,
        _rate(len(done), len(answered)),
        (Reason("resolved_by_action", text, _ids(done)),),
        (),
    )


def _judge_unfindable(facts: TopicFacts) -> Judgement | None:
    """An article holds what the resolutions say, and the questions do not find it."""
    answered = [f for f in facts.tickets if f.answers]
    if len(answered) < FEWEST:
        return None
    first = Counter(f.answers[0][0] for f in answered if f.answers)
    best = max(first, key=lambda key: (first[key], key))
    if first[best] < max(FEWEST, ANSWERED_ELSEWHERE_SHARE * len(answered)):
        return None
    seen = [
        f for f in facts.tickets if best in [k for k, _ in f.coverage.best_documents[:READ_DEPTH]]
    ]
    if len(seen) > SEEN_SHARE * len(facts.tickets) or best not in facts.documents:
        return None
    holding = [f for f in answered if f.answers and f.answers[0][0] == best]
    missed = len(facts.tickets) - len(seen)
    text = (
        f"“{facts.documents[best].title}” is what {len(holding)} of {len(answered)} resolutions "
        f"say, and {missed} of {len(facts.tickets)} questions do not find it among the first three"
    )
    share = _rate(len(holding), len(answered)) + _rate(missed, len(facts.tickets))
    return Judgement(
        GapKind.UNFINDABLE,
        share / 2,
        (Reason("answer_not_found", text, (best, *_ids(holding))),),
        (best,),
    )


def _judge_missing(facts: TopicFacts) -> Judgement | None:
    """Nobody was helped by an article, and what the topic names or needs stands nowhere.

    Odds against the mean coverage (lowered by the share that names what no document knows), times
    how much likelier the topic's links are without an article than with one. Halved where the
    resolutions do not agree: then it is no one thing that could be written down.
    """
    total = len(facts.tickets)
    coverage = sum(found.coverage.probability for found in facts.tickets) / total
    term, holders = _leading_unknown(facts)
    known = coverage * (1 - UNKNOWN_WEIGHT * len(holders) / total)
    odds = (1 - known) / max(known, 0.01) * _link_likelihood(facts)
    probability = odds / (1 + odds) * _agreement_factor(facts.agreement)
    reasons = [
        Reason(
            "not_covered",
            f"the knowledge base answers these questions with a probability of {coverage:.2f} "
            f"in the mean; an article answered {len(facts.served)} near ones, and "
            f"{facts.link_rate:.0%} of all that were solved",
            _ids(facts.tickets),
        )
    ]
    if holders:
        text = f"“{term}” is named in {len(holders)} of {total} tickets and in no document"
        reasons.append(Reason("unknown_term", text, holders))
    failed = [found for found in facts.tickets if found.coverage.failed]
    if failed:
        text = f"an article was linked in {len(failed)} tickets and did not help"
        reasons.append(Reason("nearest_article_failed", text, _ids(failed)))
    return Judgement(GapKind.MISSING, probability, tuple(reasons), ())


def _agreement_factor(agreement: float | None) -> float:
    """From a half below 2 spreads to 1 from 2.5 on; 1 where it is not known."""
    if agreement is None:
        return 1.0
    share = (agreement - DISAGREEING_SPREADS) / (AGREEING_SPREADS - DISAGREEING_SPREADS)
    return 0.5 + 0.5 * min(1.0, max(0.0, share))


def _link_likelihood(facts: TopicFacts) -> float:
    """P(links | no article) over P(links | an article), beta-binomial, within 1/8 and 8.

    Where agents link articles to half of what they solve, a topic of twenty solved tickets
    without a link has no article; where they hardly ever link, it tells next to nothing.
    """
    served = len(facts.served)
    solved = served + sum(is_solved(found.ticket) for found in facts.tickets)
    rate = min(max(facts.link_rate, STRAY_LINK_RATE), 1 - STRAY_LINK_RATE)
    with_article = _log_beta_binomial(served, solved, rate)
    without = _log_beta_binomial(served, solved, STRAY_LINK_RATE)
    return min(8.0, max(0.125, math.exp(without - with_article)))


def _log_beta_binomial(count: int, total: int, rate: float) -> float:
    """Log probability of one sequence of `count` in `total` under a beta of mean `rate`."""
    a, b = rate * LINK_CONCENTRATION, (1 - rate) * LINK_CONCENTRATION
    return _log_beta(count + a, total - count + b) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _leading_unknown(facts: TopicFacts) -> tuple[str, tuple[str, ...]]:
    unknown = facts.unknown_terms or {}
    term = max(unknown, key=lambda key: (len(unknown[key]), key), default="")
    return term, unknown.get(term, ())


_JUDGES: tuple[Callable[[TopicFacts], Judgement | None], ...] = (
    _judge_failing,
    _judge_conflict,
    _judge_restricted,
    _judge_action,
    _judge_unfindable,
    _judge_missing,
)
