"""What the tools take and give; `search` and `fetch` as hosted research connectors demand."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas import QUERY_CHARACTERS, Body


class SearchArguments(Body):
    query: str = Field(
        min_length=1, max_length=QUERY_CHARACTERS, description="The question, in its own words."
    )


class FoundDocument(Body):
    id: str
    title: str
    url: str


class SearchAnswer(Body):
    results: list[FoundDocument]


class FetchArguments(Body):
    id: str = Field(min_length=1, max_length=1_000, description="An id that search returned.")


class RulingShape(Body):
    document_id: str
    """The document on the other side."""
    rule: str
    reason: str


class FreshnessShape(Body):
    verdict: str
    """fresh, due, stale, superseded or unknown."""
    reasons: list[str]
    last_verified_at: str | None
    age_days: int


class DocumentMetadata(Body):
    version: int
    owner: str
    source: str
    authority: str
    audience: str
    confidence_state: str
    freshness: FreshnessShape
    in_force: bool
    """False: do not answer from it."""
    not_in_force_because: str | None
    overruled_by: list[RulingShape]
    """Stronger documents that say otherwise on some statement of it: read those."""
    unverified: str | None
    action_class: str | None
    effective_from: str | None
    effective_until: str | None
    labels: list[str]
    products: list[str]


class FetchAnswer(Body):
    id: str
    title: str
    text: str
    url: str
    metadata: DocumentMetadata


class NearestShape(Body):
    document_id: str
    title: str | None
    similarity: float | None


class RefusalShape(Body):
    reason: str
    nearest: NearestShape | None
    missing_terms: list[str]


class HitShape(Body):
    chunk_id: str
    document_id: str
    version: int
    title: str
    heading_path: list[str]
    text: str
    url: str | None
    score: float
    source: str
    authority: str
    audience: str
    owner: str
    confidence_state: str
    freshness: FreshnessShape
    action_class: str | None
    overrules: list[RulingShape]
    overruled_by: RulingShape | None
    unverified: str | None
    why: dict[str, Any] | None = None
    """With `explain`."""


class KnowledgeAnswer(Body):
    search_id: str | None
    """Names this search in report_outcome; null where it could not be kept (`degraded`: log)."""
    query: str
    answerable: bool
    """False: the knowledge base does not answer this; see `why_not`."""
    confidence: float
    calibration: str
    why_not: RefusalShape | None
    degraded: list[str]
    generation: str | None
    took_ms: float
    hits: list[HitShape]
    features: dict[str, float] | None = None
    """With `explain`."""


class PassageShape(HitShape):
    citation: str
    """As it begins in `text`: a number in brackets."""
    tokens: int
    chunk_ids: list[str]


class ContextAnswer(Body):
    search_id: str | None
    answerable: bool
    confidence: float
    calibration: str
    degraded: list[str]
    generation: str | None
    text: str
    """All passages, each begun by a line with its number in brackets; quoted material."""
    tokens: int
    passages: list[PassageShape]


class OutcomeAnswer(Body):
    outcome_id: str


class SignalAnswer(Body):
    signal_id: str


class ReferenceShape(Body):
    document_id: str
    version: int
    """As it was served to the search."""
    current_version: int
    title: str
    url: str | None
    authority: str
    owner: str
    freshness: FreshnessShape
    in_force: bool
    not_in_force_because: str | None
    overruled_by: list[RulingShape]
    action_class: str | None


class HandoffAnswer(Body):
    escalation_id: str
    search_id: str
    ticket_id: str | None
    customer_goal: str
    state: str
    attempted: list[str]
    question: str
    """What was searched for, personal data masked."""
    answerable: bool
    confidence: float
    policy_references: list[ReferenceShape]
    hand_to: str | None
    """The owner whose decision it is."""
    action_class: str | None
    """Of what was asked: autonomous, customer_confirmed, human_approved or forbidden."""
    open_decision: str
    recommended_next_step: str
