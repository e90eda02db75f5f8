"""What is known of a topic before it is judged, and what a judgement is; frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gaps.types import Coverage, GapKind, Reason, Ticket
from kb.types import Audience

FEWEST = 3
"""Tickets that must show something before it counts as evidence."""


ASKED_PER_TOPIC = 12
"""Resolutions and trusted searches a topic; shares over a dozen decide, more only cost time."""


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A live document as triage needs it."""

    document_id: str
    title: str
    audience: Audience
    owner: str
    strength: int
    """0 for the strongest authority."""
    text: str
    verified_at: datetime | None
    effective_from: datetime | None


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """One ticket of the topic with what the knowledge base says to it."""

    ticket: Ticket
    coverage: Coverage
    """As the ticket's own audience."""
    trusted: Coverage | None = None
    """As the most trusted audience; None where that is the ticket's own or it was not asked."""
    answers: tuple[tuple[str, float], ...] | None = None
    """Documents the resolution's text finds, best first, with cosine; None where not asked."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two documents known to state different facts."""

    winner_id: str
    loser_id: str
    winner_statement: str
    loser_statement: str


@dataclass(frozen=True, slots=True)
class Twins:
    """Two documents that say nearly the same."""

    left_id: str
    right_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """Everything triage may look at."""

    tickets: tuple[TicketFacts, ...]
    """The topic's unresolved tickets, most central first."""
    served: tuple[Ticket, ...]
    """Tickets as near to the topic as its own that an article answered."""
    documents: Mapping[str, DocumentFacts]
    disputes: tuple[Dispute, ...] = ()
    twins: tuple[Twins, ...] = ()
    unknown_terms: Mapping[str, tuple[str, ...]] | None = None
    """Ticket ids that hold each of the topic's terms no readable document holds."""
    agreement: float | None = None
    """Mean cosine between the answers given by hand, in spreads above that of any two answers;
    None with too few of them."""
    link_rate: float = 0.0
    """Share of all answered tickets of the window that an article answered."""
    usual_coverage: float = 0.5
    """Mean coverage of the window's tickets that an article did answer, at least 0.5."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with a topic, how sure that is, and on what it rests."""

    kind: GapKind
    probability: float
    reasons: tuple[Reason, ...]
    document_ids: tuple[str, ...]
    """The document to change first, then those it rests on."""
    ticket_ids: tuple[str, ...] | None = None
    """The tickets it is about; None for all of the topic's."""


def posterior_share(count: float, total: float) -> float:
    """Posterior mean of a share under a uniform prior: three of three is not certainty."""
    return (count + 1) / (total + 2)


def ids_of(found: Sequence[TicketFacts]) -> tuple[str, ...]:
    return tuple(facts.ticket.ticket_id for facts in found)


def resolved_tickets(facts: TopicFacts) -> list[TicketFacts]:
    return [found for found in facts.tickets if (found.ticket.resolution or "").strip()]
