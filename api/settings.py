"""The only reader of the environment and of kb.toml.

Every mistake names the file, the line and what was expected; nothing starts on a guess.
"""

from __future__ import annotations

import datetime
import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.cron import normalise_cron
from api.limits.work import Counted
from ingest.sources.git_command import protocol_of
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
AllowedHost = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$")
]
"""A host that may be inside, at its usual ports or the one named."""
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ActionDial = Literal["autonomous", "human_approved", "forbidden"]


def _check_branch(name: str) -> str:
    """Plainer than what git allows, and nothing that it could take for an option."""
    plain = name.replace("{draft}", "d")
    parts = plain.split("/")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}", plain) or any(
        part == "" or part.startswith(".") or part.endswith((".", ".lock")) or ".." in part
        for part in parts
    ):
        raise ValueError("not a plain branch name")
    return name


Branch = Annotated[str, AfterValidator(_check_branch)]


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


class OwnerSettings(_Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    email: str | None = None
    topics: tuple[str, ...] = ()
    fallback: str | None = None
    """Owner who is told when this one does not answer, and asked for second approvals."""


class ActionSettings(_Section):
    """What the service may do by itself."""

    publish_article: ActionDial = "human_approved"
    archive_article: ActionDial = "human_approved"
    reverify_article: ActionDial = "human_approved"
    earned_approvals: Number = Field(default=20, ge=5, le=1000)
    """Approvals in a row, unedited and never taken back, that earn autonomy."""


class GitSettings(_Section):
    """How repositories are reached."""

    protocols: tuple[Literal["https", "ssh", "file"], ...] = ("https", "ssh", "file")
    """Those a source's location may be reached by; "file" is a path on this machine."""
    timeout_seconds: Number = Field(default=60, ge=1, le=3600)
    """Of each git command."""
    evidence_url: str = Field(default="", pattern=r"^(https?://[^\s\x00-\x1f]+)?$")
    """Address of this service, for the link to a draft's evidence in commit messages."""


class FreshnessSettings(_Section):
    review_every_days: Number = Field(default=180, ge=1, le=3650)
    releases: str | None = None
    """CSV of product releases beside those of [[releases]], relative to kb.toml."""
    activity: str | None = None
    """CSV of edits and views where the sources do not tell them, relative to kb.toml."""


class ReleaseSettings(_Section):
    """A product's release, after which what it changed may be told wrong."""

    name: str = Field(min_length=1, max_length=80)
    version: str = Field(min_length=1, max_length=40)
    date: datetime.date
    """Day it came out."""
    product: str | None = None
    notes: str = Field(default="", max_length=100_000)


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


class LinkSettings(_Section):
    """Whether links to others' pages are looked behind; our own are always judged."""

    enabled: bool = False
    """Nothing leaves the machine unless the team says so."""
    allow_hosts: tuple[AllowedHost, ...] = ()
    """Hosts inside the team's network that may be asked; all others there are refused."""
    schedule: Cron = "0 2 * * mon"
    """Cron, UTC; before the freshness check, which reads what is found."""
    per_host_seconds: float = Field(default=1.0, ge=0.1, le=3600.0)
    """Between two requests to one host."""


class WebhookSettings(_Section):
    kind: Literal["slack", "signed"]
    """What chats take, or JSON signed with KB_WEBHOOK_SECRET."""
    url: str | None = Field(default=None, pattern=r"^https?://")
    url_env: str | None = Field(default=None, pattern=r"^KB_[A-Z0-9_]+$")
    """Environment variable that holds the URL, where the URL is a secret, as Slack's are."""
    owners: tuple[str, ...] = ()
    """Whose notices go there; everybody's where left out."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> WebhookSettings:
        if (self.url is None) == (self.url_env is None):
            raise _Mistake(("notices", "webhooks"), "a webhook has a url or a url_env")
        return self


class NoticeSettings(_Section):
    """How owners hear of what waits for them."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Of the service's pages, for links in notices."""
    smtp_host: str | None = None
    smtp_port: Number = Field(default=587, ge=1, le=65535)
    smtp_from: str | None = Field(default=None, pattern=r"^[^\r\n]+@[^\r\n]+$")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    webhooks: tuple[WebhookSettings, ...] = ()
    allow_hosts: tuple[AllowedHost, ...] = ()
    """Hosts inside the team's network that webhooks may reach."""
    digest_schedule: Cron = "0 6 * * mon"
    """Cron, UTC; after the Drive."""
    reminder_schedule: Cron = "0 7 * * *"
    remind_after_days: Number = Field(default=7, ge=1, le=365)
    escalate_after_days: Number = Field(default=14, ge=1, le=365)
    """Then the owner's fallback is told."""

    @model_validator(mode="after")
    def _adds_up(self) -> NoticeSettings:
        if self.smtp_host is not None and self.smtp_from is None:
            raise _Mistake(("notices", "smtp_host"), "smtp_host needs smtp_from")
        if self.escalate_after_days < self.remind_after_days:
            raise _Mistake(
                ("notices", "escalate_after_days"), "escalation comes before the reminder"
            )
        return self


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


CLIENT_SECRET_VARIABLE = "KB_OIDC_CLIENT_SECRET"  # noqa: S105  (a name, no secret)


class GrantSettings(_Section):
    """Who comes in through OpenID Connect as what; the first that fits counts."""

    claim: str = Field(default="email", min_length=1, max_length=80)
    """Of the ID token: "email", "groups", or whatever the provider states."""
    value: str = Field(min_length=1, max_length=300)
    """What the claim must be, or hold where it is a list."""
    role: Literal["owner", "editor", "admin"]
    owner: str | None = None


class SignInSettings(_Section):
    """How people get to the pages."""

    keys: bool = True
    """Whether an API key of a person's role signs in, too."""
    passwords: bool = True
    idle_minutes: Number = Field(default=120, ge=5, le=1440)
    absolute_hours: Number = Field(default=12, ge=1, le=168)
    public_url: Origin | None = None
    """Where people reach the pages, behind a proxy; what the browser asked for where left out."""
    openid_issuer: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    openid_name: str = Field(default="your organisation", max_length=60)
    """What the button says."""
    client_id: str | None = None
    allowed_domains: tuple[HostName, ...] = ()
    """E-mail domains that may come in; the provider must call the address verified."""
    grants: tuple[GrantSettings, ...] = ()

    @model_validator(mode="after")
    def _provider_is_whole(self) -> SignInSettings:
        if self.openid_issuer is not None:
            if not self.client_id:
                raise _Mistake(("sign_in", "client_id"), "OpenID Connect needs a client_id")
            if not self.grants:
                raise _Mistake(
                    ("sign_in", "openid_issuer"),
                    "nobody could come in: say who with [[sign_in.grants]]",
                )
            host = urlsplit(self.openid_issuer).hostname or ""
            if self.openid_issuer.startswith("http://") and host not in LOOPBACK:
                raise _Mistake(("sign_in", "openid_issuer"), "the provider must be https")
        for grant in self.grants:
            if grant.role == "owner" and grant.owner is None:
                raise _Mistake(("sign_in", "grants"), "role 'owner' needs an owner")
        return self


class LanguageModelSettings(_Section):
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
            raise _Mistake(("language_model",), "base_url and model go together")
        return self


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
    releases: tuple[ReleaseSettings, ...] = ()
    git: GitSettings = GitSettings()
    gaps: GapSettings = GapSettings()
    drive: DriveSettings = DriveSettings()
    encoder: EncoderSettings = EncoderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    learning: LearningSettings = LearningSettings()
    mcp: McpSettings = McpSettings()
    links: LinkSettings = LinkSettings()
    notices: NoticeSettings = NoticeSettings()
    limits: LimitSettings = LimitSettings()
    sign_in: SignInSettings = SignInSettings()
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
            self._check_git(place, source)
            _expect_known(("sources", place, "owner"), "owner", source.owner, owners)
            _expect_known(
                ("sources", place, "authority"),
                "authority",
                source.authority,
                self.hierarchy.authorities,
            )
        for place, owner in enumerate(self.owners):
            if owner.fallback is not None:
                others = [name for name in owners if name != owner.name]
                _expect_known(("owners", place, "fallback"), "owner", owner.fallback, others)
        for place, webhook in enumerate(self.notices.webhooks):
            for name in webhook.owners:
                _expect_known(("notices", "webhooks", place, "owners"), "owner", name, owners)
        if self.gaps.default_owner is not None:
            _expect_known(("gaps", "default_owner"), "owner", self.gaps.default_owner, owners)
        for grant in self.sign_in.grants:
            if grant.owner is not None:
                _expect_known(("sign_in", "grants"), "owner", grant.owner, owners)
        if self.gaps.publish_to is not None:
            names = [s.name for s in self.sources]
            _expect_known(("gaps", "publish_to"), "source", self.gaps.publish_to, names)
        return self

    def _check_git(self, place: int, source: SourceSettings) -> None:
        if source.kind == "git":
            try:
                protocol = protocol_of(source.location)
            except InvalidInputError as error:
                raise _Mistake(("sources", place, "location"), error.reason) from error
            if protocol not in self.git.protocols:
                allowed = ", ".join(self.git.protocols)
                message = f"{protocol} is not allowed by [git] protocols (allowed: {allowed})"
                raise _Mistake(("sources", place, "location"), message)
            return
        for key in ("branch", "folder"):
            if getattr(source, key):
                raise _Mistake(("sources", place, key), f"{key!r} is for sources of kind 'git'")


class Environment(BaseSettings):
    """Secrets and places that differ from machine to machine, as KB_… variables."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="ignore")

    config: Path | None = None
    data_dir: Path | None = None
    database_url: str | None = None
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    model_cache: Path | None = None
    """Where built models are kept; ~/.cache/kbops where left out."""
    language_model_key: SecretStr | None = None

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
