"""Shapes of what goes in and out over HTTP and `--json`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gaps.drafting.lessons import Because, Lesson
from gaps.types import DraftState
from kb.clock import format_instant
from kb.context import Passage
from kb.types import (
    Document,
    Freshness,
    Hit,
    Ruling,
    SearchRequest,
    SearchResponse,
    Version,
    WhyNot,
)

QUERY_CHARACTERS = 20_000
Identifier = str


class Body(BaseModel):
    """A request body: unknown fields are refused, so a misspelt option is not silently ignored.

    What is written under a field goes into the OpenAPI document and the MCP tools' schemas.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SearchBody(Body):
    query: str = Field(min_length=1, max_length=QUERY_CHARACTERS)
    top_k: int = Field(default=10, ge=1, le=50)
    labels: list[str] = Field(default_factory=list, max_length=50)
    products: list[str] = Field(default_factory=list, max_length=50)
    regions: list[str] = Field(default_factory=list, max_length=50)
    customer: str | None = Field(default=None, max_length=80)
    include_overruled: bool = False
    verified_only: bool = False
    """Only documents that a person confirmed within their interval."""
    explain: bool = False
    group_by: Literal["document", "chunk"] = "document"
    conversation_id: str | None = Field(default=None, max_length=120)

    def to_request(self) -> SearchRequest:
        return SearchRequest(
            query=self.query,
            top_k=self.top_k,
            labels=tuple(self.labels),
            products=tuple(self.products),
            regions=tuple(self.regions),
            customer=self.customer,
            include_overruled=self.include_overruled,
            verified_only=self.verified_only,
            group_by=self.group_by,
        )


class ContextBody(Body):
    query: str = Field(min_length=1, max_length=QUERY_CHARACTERS)
    token_budget: int = Field(default=2_000, ge=1, le=100_000)
    products: list[str] = Field(default_factory=list, max_length=50)
    regions: list[str] = Field(default_factory=list, max_length=50)
    customer: str | None = Field(default=None, max_length=80)
    conversation_id: str | None = Field(default=None, max_length=120)


class OutcomeBody(Body):
    search_id: str = Field(max_length=40)
    outcome: Literal["resolved", "not_resolved", "escalated", "wrong"]
    document_ids: list[str] = Field(default_factory=list, max_length=50)
    note: str | None = Field(default=None, max_length=5_000)
    ticket_id: str | None = Field(default=None, max_length=120)


class EscalationBody(Body):
    search_id: str = Field(max_length=40)
    goal: str = Field(min_length=1, max_length=5_000)
    """What the customer wants, in a sentence."""
    state: str = Field(default="", max_length=5_000)
    """What is known so far."""
    attempted: list[Annotated[str, Field(max_length=2_000)]] = Field(
        default_factory=list, max_length=20
    )
    open_decision: str | None = Field(default=None, max_length=2_000)
    """What a person must decide; said from the documents where left out."""
    ticket_id: str | None = Field(default=None, max_length=120)


class ReasonBody(Body):
    reason: str = Field(min_length=1, max_length=2_000)


class VerifyBody(ReasonBody):
    review_every_days: int | None = Field(default=None, ge=1, le=3_650)
    """For how long the text is taken to hold; as before where left out."""
    version: int | None = Field(default=None, ge=1)
    """The version that was read; 412 where another is served now."""


class DismissBody(ReasonBody):
    growth: float | None = None
    """Factor of its weekly tickets that opens the gap again; the team's where left out."""


class CorrectionBody(Body):
    kind: Literal["not_a_gap", "kind_is", "merge", "split", "assign", "title_is"]
    value: str | None = Field(default=None, max_length=200)
    """The kind it is, the owner, the title, or the id of the gap it is merged into."""
    tickets: list[str] = Field(default_factory=list, max_length=10_000)
    """Those to split off."""
    reason: str | None = Field(default=None, max_length=2_000)
    growth: float | None = None


class GapSignalBody(Body):
    question: str = Field(min_length=1, max_length=20_000)
    reason: Literal["missing", "wrong", "unfindable", "needs_action", "restricted"]
    searched: list[Annotated[str, Field(max_length=2_000)]] = Field(
        default_factory=list, max_length=20
    )
    found: list[Annotated[str, Field(max_length=200)]] = Field(default_factory=list, max_length=50)
    ticket_id: str | None = Field(default=None, max_length=120)


class ReviewBody(Body):
    decision: Literal["approve", "edit", "reject", "ask_changes"]
    reason: str | None = Field(default=None, max_length=2_000)
    markdown: str | None = Field(default=None, max_length=200_000)
    state: DraftState | None = None
    """The state that was read; 412 where it is another now."""
    evidence_hash: str | None = Field(default=None, max_length=64)
    """Evidence known to have changed since the draft was checked (a 412 says which it is now)."""
    because: Because | None = None
    """Of a rejection: what was wrong; it corrects the gap and teaches triage."""
    value: str | None = Field(default=None, max_length=200)
    """The right kind, or the document that answers it already."""
    tickets: list[str] = Field(default_factory=list, max_length=1_000)
    """Of wrong evidence: the tickets that are about something else."""

    def to_lesson(self) -> Lesson | None:
        if self.because is None:
            return None
        return Lesson(self.because, self.value, tuple(self.tickets))


class CommentBody(Body):
    text: str = Field(min_length=1, max_length=4_000)


class SnoozeBody(Body):
    until: AwareDatetime | None
    """When it comes back; null takes it back now."""
    reason: str = Field(default="", max_length=2_000)


class OwnerBody(Body):
    owner: str = Field(min_length=1, max_length=80)
    reason: str = Field(default="", max_length=2_000)


class PreviewBody(Body):
    markdown: str = Field(max_length=200_000)


class CreateDraftBody(Body):
    gap_id: str = Field(max_length=40)


class RollbackBody(Body):
    version: int | None = Field(default=None, ge=1)
    """The version to serve again; the one before the current where left out."""


def search_json(response: SearchResponse, *, explain: bool = False) -> dict[str, Any]:
    """The answer of `POST /v1/search` and `kb search --json`."""
    answer: dict[str, Any] = {
        "search_id": response.search_id,
        "query": response.query,
        "answerable": response.answerable,
        "confidence": round(response.confidence, 4),
        "calibration": response.calibration,
        "why_not": why_not_json(response.why_not),
        "degraded": list(response.degraded),
        "generation": response.generation,
        "took_ms": round(response.took_ms, 2),
        "hits": [hit_json(hit, explain=explain) for hit in response.hits],
    }
    if explain:
        answer["features"] = {k: round(v, 4) for k, v in response.features.items()}
    return answer


def why_not_json(why_not: WhyNot | None) -> dict[str, Any] | None:
    """Null where the query is answerable."""
    if why_not is None:
        return None
    nearest = None
    if why_not.document_id is not None:
        similarity = why_not.similarity
        nearest = {
            "document_id": why_not.document_id,
            "title": why_not.title,
            "similarity": None if similarity is None else round(similarity, 4),
        }
    return {
        "reason": why_not.reason,
        "nearest": nearest,
        "missing_terms": list(why_not.missing_terms),
    }


def hit_json(hit: Hit, *, explain: bool = False) -> dict[str, Any]:
    document = hit.chunk.document
    said = document.metadata
    answer: dict[str, Any] = {
        "chunk_id": hit.chunk.chunk_id,
        "document_id": document.document_id,
        "version": document.version,
        "title": said.title,
        "heading_path": list(hit.chunk.heading_path),
        "text": hit.chunk.text,
        "url": said.url,
        "score": round(hit.score, 6),
        "source": document.source,
        "authority": said.authority,
        "audience": said.audience.value,
        "owner": said.owner,
        "confidence_state": said.confidence_state.value,
        "freshness": freshness_json(hit.freshness),
        "action_class": said.action_class.value if said.action_class else None,
        "overrules": [ruling_json(ruling, ruling.loser) for ruling in hit.overrules],
        "overruled_by": (
            ruling_json(hit.overruled_by, hit.overruled_by.winner) if hit.overruled_by else None
        ),
        "unverified": hit.unverified,
    }
    if explain:
        answer["why"] = hit.why
    return answer


def passage_json(passage: Passage) -> dict[str, Any]:
    """A passage of `POST /v1/context`: its best hit, with the section's text for the chunk's."""
    return {
        **hit_json(passage.hit),
        "citation": passage.citation,
        "tokens": passage.tokens,
        "heading_path": list(passage.heading_path),
        "text": passage.text,
        "chunk_ids": list(passage.chunk_ids),
    }


def freshness_json(freshness: Freshness) -> dict[str, Any]:
    return {
        "verdict": freshness.verdict.value,
        "reasons": list(freshness.reasons),
        "last_verified_at": instant_json(freshness.last_verified_at),
        "age_days": freshness.age_days,
    }


def ruling_json(ruling: Ruling, other: str) -> dict[str, Any]:
    return {"document_id": other, "rule": ruling.rule, "reason": ruling.reason}


def document_json(document: Document) -> dict[str, Any]:
    said = document.metadata
    return {
        "document_id": document.document_id,
        "version": document.version,
        "title": said.title,
        "source": document.source,
        "authority": said.authority,
        "audience": said.audience.value,
        "owner": said.owner,
        "confidence_state": said.confidence_state.value,
        "governance": said.governance.value,
        "effective_from": instant_json(said.effective_from),
        "effective_until": instant_json(said.effective_until),
        "last_verified_at": instant_json(said.last_verified_at),
        "verified_by": document.verified_by,
        "supersedes": list(said.supersedes),
        "labels": list(said.labels),
        "products": list(said.products),
        "url": said.url,
        "updated_at": format_instant(document.updated_at),
    }


def version_json(version: Version, *, text: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "version": version.version,
        "title": version.title,
        "created_at": format_instant(version.created_at),
        "author": version.author,
        "reason": version.reason,
    }
    if text:
        answer["markdown"] = version.markdown
    return answer


def instant_json(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
