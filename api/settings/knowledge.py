"""Sections of kb.toml on what is known and what is made of it."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import (
    Field,
    model_validator,
)

from api.settings.kinds import ActionDial, Branch, Cron, Mistake, Number, Section
from kb.encoding.embedded import EMBEDDED_MODEL
from kb.fusion import FUSION_WEIGHTS
from kb.types import Audience


class HierarchySettings(Section):
    authorities: tuple[str, ...] = Field(
        default=(
            "policy",
            "procedure",
            "manager_instruction",
            "help_article",
            "crm_note",
            "ticket_resolution",
        ),
        min_length=1,
    )
    """Strongest first."""


class SourceSettings(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")
    kind: Literal["markdown", "git"]
    location: str
    """A folder relative to kb.toml; of a git repository a path or an address."""
    branch: Branch | None = None
    """Of a git source: the remote's own choice where left out. With "{draft}" in it each approved
    draft is pushed to a branch of that name, for people to merge."""
    folder: str = Field(default="", pattern=r"^([A-Za-z0-9_-][\w.-]*(/[A-Za-z0-9_-][\w.-]*)*)?$")
    """Of a git source: where its articles lie, relative to the repository's top."""
    authority: str
    audience: Audience
    owner: str
    review_every_days: Number | None = Field(default=None, ge=1, le=3650)
    schedule: Cron | None = None
    """Cron, UTC; the daily sync where left out."""


class OwnerSettings(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    email: str | None = None
    topics: tuple[str, ...] = ()
    fallback: str | None = None
    """Owner who is told when this one does not answer, and asked for second approvals."""


class ActionSettings(Section):
    """What the service may do by itself."""

    publish_article: ActionDial = "human_approved"
    archive_article: ActionDial = "human_approved"
    reverify_article: ActionDial = "human_approved"
    earned_approvals: Number = Field(default=20, ge=5, le=1000)
    """Approvals in a row, unedited and never taken back, that earn autonomy."""


class GitSettings(Section):
    """How repositories are reached."""

    protocols: tuple[Literal["https", "ssh", "file"], ...] = ("https", "ssh", "file")
    """Those a source's location may be reached by; "file" is a path on this machine."""
    timeout_seconds: Number = Field(default=60, ge=1, le=3600)
    """Of each git command."""
    evidence_url: str = Field(default="", pattern=r"^(https?://[^\s\x00-\x1f]+)?$")
    """Address of this service, for the link to a draft's evidence in commit messages."""


class FreshnessSettings(Section):
    review_every_days: Number = Field(default=180, ge=1, le=3650)
    releases: str | None = None
    """CSV of product releases beside those of [[releases]], relative to kb.toml."""
    activity: str | None = None
    """CSV of edits and views where the sources do not tell them, relative to kb.toml."""


class ReleaseSettings(Section):
    """A product's release, after which what it changed may be told wrong."""

    name: str = Field(min_length=1, max_length=80)
    version: str = Field(min_length=1, max_length=40)
    date: datetime.date
    """Day it came out."""
    product: str | None = None
    notes: str = Field(default="", max_length=100_000)


class GapSettings(Section):
    window_weeks: Number = Field(default=13, ge=1, le=520)
    reopen_growth: float = Field(default=2.0, ge=1.0, le=100.0)
    default_owner: str | None = None
    publish_to: str | None = None
    """Source that new articles are written to; the first help_article source where left out."""
    default_audience: Audience | None = None
    """Of tickets whose product is not listed; the most trusted of the sources' where left out."""
    audience_by_product: dict[str, Audience] = Field(default_factory=dict)


class DriveSettings(Section):
    drafts_per_drive: Number = Field(default=5, ge=0, le=100)
    schedule: Cron = "0 5 * * mon"
    """Cron, UTC."""
    freshness_schedule: Cron = "0 4 * * mon"
    sync_schedule: Cron = "0 3 * * *"


class EncoderSettings(Section):
    kind: Literal["sentence-transformers", "hashing"] = "sentence-transformers"
    model: str = EMBEDDED_MODEL
    backend: Literal["auto", "onnx-int8", "onnx", "torch"] = "auto"
    """What runs the model that comes with the product; any other runs in torch."""

    @model_validator(mode="after")
    def _backend_runs_the_model(self) -> EncoderSettings:
        embedded = self.kind == "sentence-transformers" and self.model == EMBEDDED_MODEL
        if not embedded and self.backend.startswith("onnx"):
            raise Mistake(
                ("encoder", "backend"), f"{self.backend!r} runs {EMBEDDED_MODEL} only; leave it out"
            )
        return self


class RetrievalSettings(Section):
    """What each ranking weighs in the unlearned fusion (only their ratio counts), and refusals."""

    semantic: float = Field(default=FUSION_WEIGHTS["semantic"], ge=0.0, le=1.0)
    lexical: float = Field(default=FUSION_WEIGHTS["lexical"], ge=0.0, le=1.0)
    title: float = Field(default=FUSION_WEIGHTS["title"], ge=0.0, le=1.0)
    answerable_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    """Confidence from which on a query counts as answerable; left out, the one `kb learn` chose."""

    @model_validator(mode="after")
    def _something_weighs(self) -> RetrievalSettings:
        if self.semantic + self.lexical == 0.0:
            raise Mistake(("retrieval", "semantic"), "semantic and lexical are both 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        return {"semantic": self.semantic, "lexical": self.lexical, "title": self.title}


class LearningSettings(Section):
    settle_days: Number = Field(default=14, ge=0, le=365)
    """A solution counts once it has stood for so long without being reopened."""
    questions: str | None = None
    """Frozen question set that nothing learned may answer worse; relative to kb.toml."""


class LanguageModelSettings(Section):
    """An OpenAI-compatible endpoint that words new articles; without one they are extracted.

    Its key is the environment variable KB_LANGUAGE_MODEL_KEY, never a line of this file.
    """

    base_url: str | None = Field(default=None, pattern=r"^https?://[^\s@?#]+$")
    """For example "https://models.example.org/v1"."""
    model: str | None = Field(default=None, min_length=1, max_length=200)
    timeout_seconds: float = Field(default=60.0, gt=0.0, le=600.0)
    """For the whole answer."""
    input_price: float | None = Field(default=None, ge=0.0)
    output_price: float | None = Field(default=None, ge=0.0)
    """For a million tokens, in whatever currency the team reckons in."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> LanguageModelSettings:
        if (self.base_url is None) != (self.model is None):
            raise Mistake(("language_model",), "base_url and model go together")
        return self


class StorageSettings(Section):
    folder: str = ".kb"
    """Data folder, relative to kb.toml."""
