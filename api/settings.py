"""The only reader of the environment and of kb.toml.

Every mistake names the file, the line and what was expected; nothing starts on a guess.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.cron import normalise_cron
from api.limits.work import Counted
from kb.encoding.embedded import EMBEDDED_MODEL
from kb.errors import InvalidInputError
from kb.fusion import FUSION_WEIGHTS
from kb.types import Audience


def _check_cron(line: str) -> str:
    try:
        normalise_cron(line)
    except ValueError as error:
        raise ValueError(f"not a cron line: {error}") from None
    return line


Cron = Annotated[str, AfterValidator(_check_cron)]
Number = Annotated[int, Strict()]
"""Not true or false, which would count as 1 and 0."""
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
ActionDial = Literal["autonomous", "human_approved", "forbidden"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HierarchySettings(_Section):
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


class SourceSettings(_Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")
    kind: Literal["markdown"]
    location: str
    authority: str
    audience: Audience
    owner: str
    review_every_days: Number | None = Field(default=None, ge=1, le=3650)
    schedule: Cron | None = None
    """Cron, UTC; the daily sync where left out."""


class OwnerSettings(_Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    email: str | None = None
    topics: tuple[str, ...] = ()


class ActionSettings(_Section):
    """What the service may do by itself."""

    publish_article: ActionDial = "human_approved"
    archive_article: ActionDial = "human_approved"
    reverify_article: ActionDial = "human_approved"


class FreshnessSettings(_Section):
    review_every_days: Number = Field(default=180, ge=1, le=3650)


class GapSettings(_Section):
    window_weeks: Number = Field(default=13, ge=1, le=520)
    reopen_growth: float = Field(default=2.0, ge=1.0, le=100.0)
    default_owner: str | None = None
    publish_to: str | None = None
    """Source that new articles are written to; the first help_article source where left out."""
    default_audience: Audience | None = None
    """Of tickets whose product is not listed; the most trusted of the sources' where left out."""
    audience_by_product: dict[str, Audience] = Field(default_factory=dict)


class DriveSettings(_Section):
    drafts_per_drive: Number = Field(default=5, ge=0, le=100)
    schedule: Cron = "0 5 * * mon"
    """Cron, UTC."""
    freshness_schedule: Cron = "0 4 * * mon"
    sync_schedule: Cron = "0 3 * * *"


class EncoderSettings(_Section):
    kind: Literal["sentence-transformers", "hashing"] = "sentence-transformers"
    model: str = EMBEDDED_MODEL
    backend: Literal["auto", "onnx-int8", "onnx", "torch"] = "auto"
    """What runs the model that comes with the product; any other runs in torch."""

    @model_validator(mode="after")
    def _backend_runs_the_model(self) -> EncoderSettings:
        embedded = self.kind == "sentence-transformers" and self.model == EMBEDDED_MODEL
        if not embedded and self.backend.startswith("onnx"):
            raise _Mistake(
                ("encoder", "backend"), f"{self.backend!r} runs {EMBEDDED_MODEL} only; leave it out"
            )
        return self


class RetrievalSettings(_Section):
    """What each ranking weighs in the unlearned fusion (only their ratio counts), and refusals."""

    semantic: float = Field(default=FUSION_WEIGHTS["semantic"], ge=0.0, le=1.0)
    lexical: float = Field(default=FUSION_WEIGHTS["lexical"], ge=0.0, le=1.0)
    title: float = Field(default=FUSION_WEIGHTS["title"], ge=0.0, le=1.0)
    answerable_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    """Confidence from which on a query counts as answerable; left out, the one `kb learn` chose."""

    @model_validator(mode="after")
    def _something_weighs(self) -> RetrievalSettings:
        if self.semantic + self.lexical == 0.0:
            raise _Mistake(("retrieval", "semantic"), "semantic and lexical are both 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        return {"semantic": self.semantic, "lexical": self.lexical, "title": self.title}


class LearningSettings(_Section):
    settle_days: Number = Field(default=14, ge=0, le=365)
    """A solution counts once it has stood for so long without being reopened."""
    questions: str | None = None
    """Frozen question set that nothing learned may answer worse; relative to kb.toml."""


class McpSettings(_Section):
    """Who may reach `/mcp` besides programs on this machine; a wrong name is refused at start."""

    hosts: tuple[HostName, ...] = ()
    """Names in the `Host` header, lower case, without port; needed behind a reverse proxy."""
    origins: tuple[Origin, ...] = ()
    """Web pages that may call, as browsers state them in `Origin`: scheme, name and port."""


class LimitSettings(_Section):
    """How much is taken on: calls a minute and key, and searches at once."""

    searches_per_minute: Number = Field(default=6_000, ge=1, le=10_000_000)
    writes_per_minute: Number = Field(default=3_000, ge=1, le=10_000_000)
    reads_per_minute: Number = Field(default=6_000, ge=1, le=10_000_000)
    searches_at_once: Number | None = Field(default=None, ge=1, le=16)
    """As many as there are processors, and at least 2, where left out."""
    searches_waiting: Number = Field(default=64, ge=0, le=10_000)
    longest_wait_seconds: float = Field(default=5.0, gt=0.0, le=60.0)

    @property
    def per_minute(self) -> dict[Counted, int]:
        return {
            Counted.SEARCHES: self.searches_per_minute,
            Counted.WRITES: self.writes_per_minute,
            Counted.READS: self.reads_per_minute,
        }


class LanguageModelSettings(_Section):
    """An OpenAI-compatible endpoint; read and checked, not used by this version's writers."""

    base_url: str | None = None
    model: str | None = None


class StorageSettings(_Section):
    folder: str = ".kb"
    """Data folder, relative to kb.toml."""


class Settings(_Section):
    """kb.toml."""

    hierarchy: HierarchySettings = HierarchySettings()
    sources: tuple[SourceSettings, ...] = ()
    owners: tuple[OwnerSettings, ...] = ()
    actions: ActionSettings = ActionSettings()
    freshness: FreshnessSettings = FreshnessSettings()
    gaps: GapSettings = GapSettings()
    drive: DriveSettings = DriveSettings()
    encoder: EncoderSettings = EncoderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    learning: LearningSettings = LearningSettings()
    mcp: McpSettings = McpSettings()
    limits: LimitSettings = LimitSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    storage: StorageSettings = StorageSettings()

    @model_validator(mode="after")
    def _names_are_known(self) -> Settings:
        for kind, names in (
            ("sources", [s.name for s in self.sources]),
            ("owners", [o.name for o in self.owners]),
        ):
            for place, name in enumerate(names):
                if name in names[:place]:
                    raise _Mistake((kind, place, "name"), f"{name!r} is there twice")
        for place, authority in enumerate(self.hierarchy.authorities):
            if authority in self.hierarchy.authorities[:place]:
                raise _Mistake(("hierarchy", "authorities"), f"{authority!r} is there twice")
        owners = [o.name for o in self.owners]
        for place, source in enumerate(self.sources):
            _expect_known(("sources", place, "owner"), "owner", source.owner, owners)
            _expect_known(
                ("sources", place, "authority"),
                "authority",
                source.authority,
                self.hierarchy.authorities,
            )
        if self.gaps.default_owner is not None:
            _expect_known(("gaps", "default_owner"), "owner", self.gaps.default_owner, owners)
        if self.gaps.publish_to is not None:
            names = [s.name for s in self.sources]
            _expect_known(("gaps", "publish_to"), "source", self.gaps.publish_to, names)
        return self


class Environment(BaseSettings):
    """Secrets and places that differ from machine to machine, as KB_… variables."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="ignore")

    config: Path | None = None
    data_dir: Path | None = None
    database_url: str | None = None
    model_cache: Path | None = None
    """Where built models are kept; ~/.cache/kbops where left out."""

    def find_model_cache(self) -> Path | None:
        """None for a user without a home."""
        if self.model_cache is not None:
            return self.model_cache.resolve()
        try:
            return Path.home() / ".cache" / "kbops"
        except RuntimeError:
            return None


def read_secret(name: str) -> str:
    """A secret by the name of its environment variable.

    Raises:
        InvalidInputError: It is not set.
    """
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise InvalidInputError(f"the environment variable {name} is not set")
    return secret


class _Mistake(ValueError):
    """A wrong value with the place it stands at."""

    def __init__(self, place: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.place = place


def _expect_known(
    place: tuple[str | int, ...], what: str, value: str, known: tuple[str, ...] | list[str]
) -> None:
    if value not in known:
        raise _Mistake(place, f"unknown {what} {value!r} (expected one of: {', '.join(known)})")


def find_config(explicit: Path | None) -> Path:
    """The kb.toml to read: the one named, KB_CONFIG, or the working directory's.

    Raises:
        InvalidInputError: There is none.
    """
    path = explicit or Environment().config or Path("kb.toml")
    if not path.is_file():
        raise InvalidInputError(
            "not found; write one with 'kb init' or name it with --config", where=str(path)
        )
    return path.resolve()


def read_settings(path: Path) -> Settings:
    """Read and check kb.toml.

    Raises:
        InvalidInputError: Something in it is wrong; names line and expectation.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot be read: {error}", where=str(path)) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = line.group(1) if line else len(text.splitlines())
        where = f"{path}:{at}"
        raise InvalidInputError(f"not TOML: {error}", where=where) from error
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        # A misspelt key also leaves its right spelling missing: the misspelling says more.
        first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, _Mistake):
            place, message = cause.place, str(cause)
        else:
            place, message = first["loc"], _explain(first)
        raise InvalidInputError(message, where=f"{path}:{_line_of(text, place)}") from error


def _explain(error: Any) -> str:
    loc = [str(part) for part in error["loc"]]
    key = ".".join(part for part in loc if not part.isdigit())
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"])
        near = difflib.get_close_matches(loc[-1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(known)}"
        return f"unknown key {key!r} ({hint})"
    if error["type"] == "missing":
        return f"{key!r} is missing"
    return f"{key!r}: {error['msg'][0].lower()}{error['msg'][1:]} (got {error['input']!r:.80})"


def _known_keys(loc: tuple[str | int, ...]) -> list[str]:
    model: Any = Settings
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(model.model_fields)


def _line_of(text: str, place: tuple[str | int, ...]) -> int:
    """The line where a key stands, or its table's header, or 1."""
    names = [part for part in place if isinstance(part, str)]
    index = next((part for part in place if isinstance(part, int)), 0)
    if not names:
        return 1
    lines = text.splitlines()
    header = re.compile(rf"\s*\[{{1,2}}\s*{re.escape(names[0])}\b")
    starts = [number for number, line in enumerate(lines) if header.match(line)]
    if not starts:
        top = re.compile(rf"\s*\"?{re.escape(names[0])}\"?\s*[=.]")
        return next((n for n, line in enumerate(lines, 1) if top.match(line)), 1)
    start = starts[min(index, len(starts) - 1)]
    if len(names) == 1:
        return start + 1
    for name in reversed(names[1:]):
        found = _find_key(lines, start, name)
        if found is not None:
            return found
    return start + 1


def _find_key(lines: list[str], start: int, name: str) -> int | None:
    key = re.compile(rf"\s*\"?{re.escape(name)}\"?\s*=|\s*\[.*\b{re.escape(name)}\s*\]")
    for number in range(start, len(lines)):
        if number > start and re.match(r"\s*\[", lines[number]) and not key.match(lines[number]):
            return None
        if key.match(lines[number]):
            return number + 1
    return None
