"""What is wrong with a topic: missing, stale, wrong and so on, or nothing; pure.

Decided for a topic, never for a ticket: one product's tickets look alike, answered or not, and a
single cosine tells them apart at an AUROC of 0.58. Each kind needs its own
evidence; the kinds are tried from the most to the least specific, the first that holds wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from gaps.triage.facts import (
    ASKED_PER_TOPIC,
    FEWEST,
    Judgement,
    TicketFacts,
    TopicFacts,
    Twins,
    ids_of,
    posterior_share,
    resolved_tickets,
)
from gaps.triage.failing import judge_conflict, judge_failing
from gaps.triage.missing import judge_missing
from gaps.triage.wording import reports_action
from gaps.types import GapKind, Reason

TRUSTED_SHARE = 0.5
TRUSTED_LEAD = 0.05
ACTION_SHARE = 0.6
"""Of the resolutions. On the made-up company: 0.90 and 1.00 where an action is needed, at most 0.22
on every other story."""
RESOLVED_SHARE = 0.5
"""Of the tickets that could have one, for their resolutions to decide the kind of the topic."""
ANSWERED_ELSEWHERE_SHARE = 0.5
SAID_COSINE = 0.4
"""Mean cosine of the resolutions with the article: 0.41 and 0.50 on the made-up company's story,
0.27 where four resolutions on sending mail find an article on locked extensions first."""
SEEN_SHARE = 0.4
TOLD_SHARE = 0.5
READ_DEPTH = 3
TWIN_SHARE = 0.15
LEAST_PROBABILITY = 0.25
"""A gap is listed from one chance in four on, ranked by what it would save; the Drive writes drafts
only from an even chance on. On a real help centre with few links (bench/README.md) an even chance
to be listed left 2 gaps of 4,028 tickets; on the made-up company one in four adds one gap a run."""


def judge_topic(facts: TopicFacts) -> Judgement | None:
    """Decide what a topic lacks.

    Returns:
        The judgement with its evidence, or None where the knowledge base covers the topic.
    """
    for judge in _JUDGES:
        judgement = judge(facts)
        if judgement is not None and judgement.probability >= LEAST_PROBABILITY:
            return judgement
    return None


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
        posterior_share(len(left) + len(right), total),
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
        posterior_share(len(hidden[best]), len(asked)),
        (Reason("hidden_answer", text, (best, *ids_of(hidden[best]))),),
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
    answered = resolved_tickets(facts)
    done = [f for f in answered if reports_action(f.ticket.resolution or "")]
    if len(done) < max(FEWEST, ACTION_SHARE * len(answered)) or _is_thin(
        answered, len(facts.tickets)
    ):
        return None
    text = f"{len(done)} of {len(answered)} resolutions report an action and hold no steps"
    return Judgement(
        GapKind.NEEDS_ACTION,
        posterior_share(len(done), len(answered)),
        (Reason("resolved_by_action", text, ids_of(done)),),
        (),
    )


def _is_thin(resolved: Sequence[TicketFacts], asked: int) -> bool:
    """Whether the resolutions are too few to speak for the topic: three of forty do not."""
    return len(resolved) < RESOLVED_SHARE * asked


def _judge_told(facts: TopicFacts) -> Judgement | None:
    """Agents say what it is, and are at least half of those who speak of it."""
    told = [f for f in facts.tickets if f.ticket.told_kind not in (None, GapKind.MISSING)]
    kinds = Counter(f.ticket.told_kind for f in told)
    if not kinds:
        return None
    kind = max(kinds, key=lambda found: (kinds[found], str(found)))
    saying = [f for f in told if f.ticket.told_kind is kind]
    people = {f.ticket.requester for f in saying}
    if kind is None or len(people) < FEWEST or len(saying) < TOLD_SHARE * len(facts.tickets):
        return None
    linked = Counter(key for f in saying for key in f.coverage.linked_live)
    text = f"agents told {len(saying)} times that it is {kind.value}"
    return Judgement(
        kind,
        posterior_share(len(saying), len(facts.tickets)),
        (Reason("agents_told", text, ids_of(saying)),),
        tuple(sorted(linked, key=lambda key: (-linked[key], key)))[:1],
    )


def _judge_unfindable(facts: TopicFacts) -> Judgement | None:
    """An article holds what the resolutions say, and the questions do not find it."""
    answered = [f for f in facts.tickets if f.answers]
    if len(answered) < FEWEST or _is_thin(answered, min(len(facts.tickets), ASKED_PER_TOPIC)):
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
    if sum(f.answers[0][1] for f in holding if f.answers) < SAID_COSINE * len(holding):
        return None
    missed = len(facts.tickets) - len(seen)
    text = (
        f"“{facts.documents[best].title}” is what {len(holding)} of {len(answered)} resolutions "
        f"say, and {missed} of {len(facts.tickets)} questions do not find it among the first three"
    )
    held = posterior_share(len(holding), len(answered))
    lost = posterior_share(missed, len(facts.tickets))
    return Judgement(
        GapKind.UNFINDABLE,
        (held + lost) / 2,
        (Reason("answer_not_found", text, (best, *ids_of(holding))),),
        (best,),
    )


_JUDGES: tuple[Callable[[TopicFacts], Judgement | None], ...] = (
    judge_failing,
    judge_conflict,
    _judge_restricted,
    _judge_action,
    _judge_told,
    _judge_unfindable,
    judge_missing,
)
