"""What the tools take and give; `search` and `fetch` as hosted research connectors demand."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from api.schemas import QUERY_CHARACTERS, Body


class Shape(Body):
    """What is written under a field goes into the announced schema."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SearchArguments(Shape):
    query: str = Field(
        min_length=1, max_length=QUERY_CHARACTERS, description="The question, in its own words."
    )


class FoundDocument(Shape):
    id: str
    title: str
    url: str


class SearchAnswer(Shape):
    results: list[FoundDocument]


class FetchArguments(Shape):
    id: str = Field(min_length=1, max_length=1_000, description="An id that search returned.")


class RulingShape(Shape):
    document_id: str
    """The document on the other side."""
    rule: str
    reason: str


class FreshnessShape(Shape):
    verdict: str
    """fresh, due, stale, superseded or unknown."""
    reasons: list[str]
    last_verified_at: str | None
    age_days: int


class DocumentMetadata(Shape):
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


class FetchAnswer(Shape):
    id: str
    title: str
    text: str
    url: str
    metadata: DocumentMetadata


class NearestShape(Shape):
    document_id: str
    title: str | None
    similarity: float | None


class RefusalShape(Shape):
    reason: str
    nearest: NearestShape | None
    missing_terms: list[str]


class HitShape(Shape):
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


class KnowledgeAnswer(Shape):
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


class OutcomeAnswer(Shape):
    outcome_id: str


class SignalAnswer(Shape):
    signal_id: str
