"""The nouns of the loop from tickets to effect; frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from kb.types import Audience


class TicketStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    SOLVED = "solved"
    CLOSED = "closed"


class GapKind(StrEnum):
    MISSING = "missing"
    STALE = "stale"
    WRONG = "wrong"
    UNFINDABLE = "unfindable"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    NEEDS_ACTION = "needs_action"
    RESTRICTED = "restricted"


class GapStatus(StrEnum):
    OPEN = "open"
    DRAFTING = "drafting"
    PUBLISHED = "published"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class DraftState(StrEnum):
    REFUSED = "refused"
    IN_REVIEW = "in_review"
    CHANGES_ASKED = "changes_asked"
    REJECTED = "rejected"
    APPROVED = "approved"
    PUBLISHED = "published"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Reply:
    author_role: str
    created_at: datetime
    body: str


SIGNAL, OUTCOME = "signal:", "outcome:"
"""How the ids of what agents told begin, which is read in the shape of tickets."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a requester asked and what solved it; personal data is masked already."""

    ticket_id: str
    created_at: datetime
    subject: str
    body: str
    status: TicketStatus
    audience: Audience
    """The least trusted audience that this ticket's content may be shown to."""
    solved_at: datetime | None = None
    resolution: str | None = None
    replies: tuple[Reply, ...] = ()
    linked_articles: tuple[str, ...] = ()
    helpful: bool | None = None
    reopened: bool = False
    escalated: bool = False
    channel: str | None = None
    product: str | None = None
    tags: tuple[str, ...] = ()
    requester: str | None = None
    error_code: str | None = None
    masked: dict[str, int] = field(default_factory=dict)
    """How many of each kind of personal data were masked."""

    @property
    def question(self) -> str:
        """What is searched for: subject and body, never the replies, which hold the answer."""
        subject = self.subject.strip()
        return f"{subject}\n{self.body}".strip() if subject else self.body.strip()

    @property
    def is_told(self) -> bool:
        """Whether this is an agent's word about a gap and no ticket."""
        return self.ticket_id.startswith((SIGNAL, OUTCOME))

    @property
    def told_kind(self) -> GapKind | None:
        """The kind of gap an agent claims; None of a ticket."""
        return GapKind(self.tags[0]) if self.is_told and self.tags else None

    @property
    def is_solved(self) -> bool:
        """Whether nobody waits any more, by whatever means."""
        return self.status not in (TicketStatus.OPEN, TicketStatus.PENDING)

    @property
    def has_failed(self) -> bool:
        """Whether the record says that the first answer did not help."""
        return self.reopened or self.escalated or self.helpful is False


Answer = tuple[float, tuple[tuple[str, float], ...]]
"""What the knowledge base says to a question: the probability that it is answered, and the first
documents with their best cosine."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How sure we are that the knowledge base answered a ticket."""

    ticket_id: str
    probability: float
    """0 to 1."""
    best_documents: tuple[tuple[str, float], ...]
    """The first hits' document ids with their best cosine, best first."""
    linked_live: tuple[str, ...]
    """Linked articles that exist."""
    served_well: bool
    """An article was linked, exists, and nothing says that it failed."""
    failed: bool
    """An article was linked and the ticket reopened, escalated or was marked not helpful."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A group of tickets about one thing, with an identity that lasts over weeks."""

    topic_id: str
    title: str
    terms: tuple[str, ...]
    ticket_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """One observation behind a gap, with what it rests on."""

    signal: str
    text: str
    evidence: tuple[str, ...] = ()
    """Ticket or document ids."""


@dataclass(frozen=True, slots=True)
class Gap:
    gap_id: str
    topic_id: str
    kind: GapKind
    status: GapStatus
    title: str
    terms: tuple[str, ...]
    priority: float
    probability: float
    impact_per_week: float
    """Expected tickets that a right text would save."""
    audience: Audience
    owner: str
    ticket_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    reasons: tuple[Reason, ...]
    weekly_counts: tuple[int, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    dismissed_reason: str | None = None
    impact_low: float = 0.0
    impact_high: float = 0.0
    """Bounds of the middle 80% of what is expected a week."""
    requester_count: int = 0
    needs_look: bool = False
    """Whether the evidence is too close to call and a person should decide."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement's evidence stands, word for word."""

    kind: str
    """"ticket" or "chunk"."""
    id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A real question asked without and with a draft, where the answers differ."""

    kind: str
    """"question" of the frozen set, or "ticket" of the gap."""
    id: str
    audience: Audience
    """Whom it was asked as: who may not read that is not shown it."""
    text: str
    """A frozen question's words; empty for a ticket, whose words may be deleted."""
    outcome: str
    """"lost", "gained" or "moved"."""
    rank_before: int | None
    """Place among the first ten, 1 first, of the first right document; for a ticket of the
    draft's."""
    rank_after: int | None
    answerable_before: bool
    answerable_after: bool
    first_before: str | None
    """Document id of the first hit."""
    first_after: str | None
    displaced_by: tuple[str, ...] = ()
    """Documents new among the first three, where what was right left them."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A statement a writer offered and that was left out."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    verdict: str
    """"green", "red" or "look"."""
    detail: str
    replayed: tuple[Replayed, ...] = ()
    """What the regression check found different, worst first."""
    dropped: tuple[Dropped, ...] = ()
    """What the writer check left out of the draft."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no draft was written, and what the owner would have to answer for one."""

    why: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed new version; each statement cited to its evidence."""

    draft_id: str
    gap_id: str
    state: DraftState
    title: str
    markdown: str
    statements: tuple[Statement, ...]
    checks: tuple[Check, ...]
    audience: Audience
    owner: str
    source: str
    """Source that the article is published to."""
    document_id: str | None
    """The article to change, or the id a new one will get."""
    base_version: int | None
    """Version the change was written against; None for a new article."""
    held_back_ids: tuple[str, ...]
    """The gap's tickets the writer never saw, kept for measuring the effect."""
    refused: Refusal | None
    created_at: datetime
    updated_at: datetime
    draft_hash: str
    """SHA-256 over text, base version and evidence: what an approval binds."""


@dataclass(frozen=True, slots=True)
class Publication:
    publication_id: str
    draft_id: str
    document_id: str
    version: int
    previous_version: int | None
    path: str | None
    published_at: datetime
    published_by: str
    rolled_back_at: datetime | None
    delivery: dict[str, Any] | None = None
    """What became of it at its source: `state` (written, proposed, declined, held) with branch,
    commit or why; None of a folder, and before anything was brought there."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a publication did, against a baseline and control topics."""

    publication_id: str
    measured_at: datetime
    verdict: str
    report: dict[str, Any]
