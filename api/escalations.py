"""A handoff packet: what a person needs to go on where an agent stops, without asking again.

Goal, state and what was attempted are the agent's words. Everything else is read here: what its
search was served, as it stands now, and what follows from that. Nothing is done to the customer's
case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from api.keys import Caller
from api.schemas import EscalationBody, freshness_json, ruling_json
from kb import searchlog
from kb.errors import NotFoundError
from kb.retrieval.standing import Standing, read_standing
from kb.types import ActionClass, FreshnessVerdict

if TYPE_CHECKING:
    from api.wiring import Application

REFERENCES = 3
"""What a person reads at a handover; a convention, not a measurement."""
DOUBTFUL = (FreshnessVerdict.STALE, FreshnessVerdict.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Reference:
    """A document the agent was served, then and now."""

    served_version: int
    standing: Standing

    @property
    def is_usable(self) -> bool:
        return self.standing.invalid is None and not self.standing.overruled_by

    @property
    def name(self) -> str:
        document = self.standing.document
        return f"“{document.metadata.title}” ({document.document_id} v{document.version})"

    @property
    def owner(self) -> str:
        return self.standing.document.metadata.owner


@dataclass(frozen=True, slots=True)
class Advice:
    """What is left to decide, by whom, and what to do first."""

    hand_to: str | None
    """Owner; None where nothing was found that anybody owns."""
    action_class: ActionClass | None
    open_decision: str
    next_step: str


def escalate(kb: Application, caller: Caller, body: EscalationBody) -> dict[str, Any]:
    """Note that a search ended with a person, and pack what that person needs.

    Said again for the same search, it is the same escalation, packed from what is true then.

    Raises:
        NotFoundError: The search is unknown, or was another key's.
    """
    with kb.database.write() as connection:
        escalation_id = searchlog.write_outcome(
            connection,
            search_id=body.search_id,
            key_id=caller.key_id,
            outcome="escalated",
            document_ids=(),
            note=body.goal,
            ticket_id=body.ticket_id,
            at=kb.clock.now(),
        )
        search = searchlog.read_search(connection, body.search_id)
        references = list(_read_references(kb, connection, caller, search["hits"]))
    advice = advise(references, answerable=search["answerable"], confidence=search["confidence"])
    return {
        "escalation_id": escalation_id,
        "search_id": body.search_id,
        "ticket_id": body.ticket_id,
        "customer_goal": body.goal,
        "state": body.state,
        "attempted": list(body.attempted),
        "question": search["query"],
        "answerable": search["answerable"],
        "confidence": round(search["confidence"], 4),
        "policy_references": [_reference_json(reference) for reference in references],
        "hand_to": advice.hand_to,
        "action_class": advice.action_class.value if advice.action_class else None,
        "open_decision": body.open_decision or advice.open_decision,
        "recommended_next_step": advice.next_step,
    }


def _read_references(
    kb: Application, connection: Connection, caller: Caller, hits: Sequence[dict[str, Any]]
) -> Iterable[Reference]:
    """The first documents served, left out where the caller may no longer read them."""
    served: dict[str, int] = {}
    for hit in hits:
        served.setdefault(hit["document_id"], hit["version"])
    for document_id in list(served)[:REFERENCES]:
        try:
            standing = read_standing(
                connection,
                document_id,
                caller.audience,
                kb.settings.hierarchy.authorities,
                now=kb.clock.now(),
            )
        except NotFoundError:
            continue
        yield Reference(served[document_id], standing)


def advise(references: Sequence[Reference], *, answerable: bool, confidence: float) -> Advice:
    """What follows from the best document that holds; pure.

    Args:
        references: Best first.
        answerable: Whether the search counted as answered.
        confidence: Of that, 0 to 1.
    """
    best = next((reference for reference in references if reference.is_usable), None)
    if best is None or not answerable:
        owner = (best or references[0]).owner if references else None
        return Advice(
            owner,
            None,
            "What is the answer? The knowledge base does not give one.",
            f"Ask {owner or 'whoever knows'}: nothing found answers it surely "
            f"(confidence {confidence:.2f}). What they say is worth an article.",
        )
    asked = best.standing.document.metadata.action_class
    decision, step = _advise_by_class(best, asked)
    if best.standing.freshness.verdict in DOUBTFUL:
        why = "; ".join(best.standing.freshness.reasons)
        decision = f"Does {best.name} still hold? {decision}"
        step = f"Have {best.owner} confirm the text first ({why}). Then: {step}"
    return Advice(best.owner, asked, decision, step)


def _advise_by_class(best: Reference, asked: ActionClass | None) -> tuple[str, str]:
    """What to decide, and what to do."""
    if asked is ActionClass.FORBIDDEN:
        return (
            f"Is there reason for an exception to {best.name}?",
            f"Decline as {best.name} says; an exception is {best.owner}'s to make.",
        )
    if asked is ActionClass.HUMAN_APPROVED:
        return (
            f"Approve what {best.name} says for this case?",
            f"Approve or refuse, as {best.name} says, then do it.",
        )
    if asked is ActionClass.CUSTOMER_CONFIRMED:
        return (
            "Does the customer agree?",
            f"Tell the customer what {best.name} means for them, and do it once they agree.",
        )
    if asked is ActionClass.AUTONOMOUS:
        return (
            f"Why did {best.name}, which needs nobody's approval, not do?",
            f"Follow {best.name}; correct it where it does not fit.",
        )
    return (
        f"May this be done? {best.name} does not say who may.",
        f"Read {best.name} and decide; ask {best.owner} where it leaves room.",
    )


def _reference_json(reference: Reference) -> dict[str, Any]:
    standing = reference.standing
    document = standing.document
    said = document.metadata
    return {
        "document_id": document.document_id,
        "version": reference.served_version,
        "current_version": document.version,
        "title": said.title,
        "url": said.url,
        "authority": said.authority,
        "owner": said.owner,
        "freshness": freshness_json(standing.freshness),
        "in_force": standing.invalid is None,
        "not_in_force_because": standing.invalid,
        "overruled_by": [ruling_json(ruling, ruling.winner) for ruling in standing.overruled_by],
        "action_class": said.action_class.value if said.action_class else None,
    }
