"""The nouns of the knowledge base; frozen values that import nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Audience(StrEnum):
    """Who may read a document, least trusted first; each sees its own and everything before it."""

    PUBLIC = "public"
    CUSTOMER = "customer"
    PARTNER = "partner"
    INTERNAL = "internal"

    @property
    def rank(self) -> int:
        return _AUDIENCE_ORDER.index(self)

    def may_read(self, other: Audience) -> bool:
        return other.rank <= self.rank

    def readable(self) -> tuple[Audience, ...]:
        """This audience and every less trusted one, least trusted first."""
        return _AUDIENCE_ORDER[: self.rank + 1]


_AUDIENCE_ORDER = (Audience.PUBLIC, Audience.CUSTOMER, Audience.PARTNER, Audience.INTERNAL)


class ConfidenceState(StrEnum):
    """KCS article confidence."""

    WORK_IN_PROGRESS = "work_in_progress"
    NOT_VALIDATED = "not_validated"
    VALIDATED = "validated"
    ARCHIVED = "archived"


class Governance(StrEnum):
    """KCS governance: anyone trained may change it, or named owners only."""

    EXPERIENCE = "experience"
    COMPLIANCE = "compliance"


class ActionClass(StrEnum):
    """What a reader may do on the strength of a passage."""

    AUTONOMOUS = "autonomous"
    CUSTOMER_CONFIRMED = "customer_confirmed"
    HUMAN_APPROVED = "human_approved"
    FORBIDDEN = "forbidden"


class Role(StrEnum):
    """What a key may do; each includes what the ones before it may."""

    READER = "reader"
    AGENT = "agent"
    OWNER = "owner"
    EDITOR = "editor"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        order = (Role.READER, Role.AGENT, Role.OWNER, Role.EDITOR, Role.ADMIN)
        return order.index(other) <= order.index(self)


class FreshnessVerdict(StrEnum):
    FRESH = "fresh"
    DUE = "due"
    STALE = "stale"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is said about a document, as opposed to what it says; hashed apart from its text."""

    title: str
    audience: Audience
    authority: str
    owner: str
    confidence_state: ConfidenceState = ConfidenceState.VALIDATED
    governance: Governance = Governance.EXPERIENCE
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    last_verified_at: datetime | None = None
    review_every_days: int | None = None
    supersedes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    action_class: ActionClass | None = None
    url: str | None = None
    approved_by: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text directly below it."""

    heading_path: tuple[str, ...]
    """Headings from the document's top level down to this section; empty before the first."""
    text: str
    """Markdown of the section without its heading."""
    line: int
    """First line of the section in the source file, counted from 1."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is retrieved."""

    position: int
    heading_path: tuple[str, ...]
    text: str
    embedded: str
    """What the encoder reads: title, heading path and text."""
    content_hash: str
    """SHA-256 (hex) of `embedded`."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document as a source states it, ready to be compared with what is stored."""

    document_id: str
    source: str
    path: str
    """Where the source keeps it, relative to the source's location."""
    metadata: Metadata
    markdown: str
    """Body without front matter, newline-normalised."""
    content_hash: str
    metadata_hash: str


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document with the state of its current version."""

    document_id: str
    source: str
    path: str
    metadata: Metadata
    version: int
    content_hash: str
    metadata_hash: str
    updated_at: datetime
    """When the current text was written."""
    verified_by: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable text of a document."""

    document_id: str
    version: int
    title: str
    markdown: str
    content_hash: str
    created_at: datetime
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as served: with its document's current state, fetched in one read."""

    chunk_id: str
    document: Document
    heading_path: tuple[str, ...]
    text: str
    position: int
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    verdict: FreshnessVerdict
    reasons: tuple[str, ...]
    last_verified_at: datetime | None
    age_days: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """Which of two documents wins on a statement, by which rule of the hierarchy."""

    winner: str
    """Document id."""
    loser: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A scored chunk with its verdicts."""

    chunk: StoredChunk
    score: float
    """0 to 1 within one answer; orders hits, not comparable between queries."""
    freshness: Freshness
    overrules: tuple[Ruling, ...] = ()
    overruled_by: Ruling | None = None
    unverified: str | None = None
    """Why a manager's instruction is shown as unverified, else None."""
    why: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute of a document against a value; `kb.conditions` says what operators mean."""

    key: str
    operator: str
    value: Any = None
    """Text, a number, true or false, a tuple of these, or None where the operator needs none."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of several conditions, or any of them."""

    operator: Literal["and", "or"]
    parts: tuple[Condition | Conditions, ...]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    query: str
    top_k: int = 10
    labels: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    customer: str | None = None
    sources: tuple[str, ...] = ()
    """Names; every source where empty."""
    where: Condition | Conditions | None = None
    include_overruled: bool = False
    verified_only: bool = False
    """Only what a person confirmed within its interval."""
    group_by: str = "document"
    most_passages: int = 50
    """Of one document, where grouped by chunk."""

    @property
    def is_limited(self) -> bool:
        """Whether the caller wants only some of what the audience may read."""
        return bool(
            self.labels or self.products or self.regions or self.customer or self.sources
            or self.where is not None or self.verified_only
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a query does not count as answerable; of what the caller may read, and its own words."""

    reason: str
    document_id: str | None
    """The nearest hit; None where nothing was found."""
    title: str | None
    similarity: float | None
    """Cosine of its best passage; None without an encoder."""
    missing_terms: tuple[str, ...]
    """Words of the query that none of the first hits holds, rarest first."""


@dataclass(frozen=True, slots=True)
class SearchResponse:
    query: str
    answerable: bool
    confidence: float
    """Calibrated probability that the first hits answer the query, 0 to 1."""
    calibration: str
    """Name of the calibration in force, with "(stale)" where the ranking has changed since, or
    "uncalibrated" where nothing was fitted on this knowledge base."""
    degraded: tuple[str, ...]
    generation: str | None
    hits: tuple[Hit, ...]
    took_ms: float
    features: dict[str, float] = field(default_factory=dict)
    search_id: str | None = None
    why_not: WhyNot | None = None
    """Only where it is not answerable."""
    served_with: dict[str, Any] = field(default_factory=dict)
    """What ranked it: encoder, learned model, fusion weights, threshold, index sequence."""
