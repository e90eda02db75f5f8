"""kb.toml to settings: every mistake names the file, the line and what was expected."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ValidationError,
    model_validator,
)

from api.settings.edge import (
    LimitSettings,
    LinkSettings,
    McpSettings,
    NoticeSettings,
    SignInSettings,
)
from api.settings.environment import Environment
from api.settings.kinds import Mistake, Section, expect_known
from api.settings.knowledge import (
    ActionSettings,
    DriveSettings,
    EncoderSettings,
    FreshnessSettings,
    GapSettings,
    GitSettings,
    HierarchySettings,
    LanguageModelSettings,
    LearningSettings,
    OwnerSettings,
    ReleaseSettings,
    RetrievalSettings,
    SourceSettings,
    StorageSettings,
)
from ingest.sources.git_command import protocol_of
from kb.errors import InvalidInputError


class Settings(Section):
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
                    raise Mistake((kind, place, "name"), f"{name!r} is there twice")
        for place, authority in enumerate(self.hierarchy.authorities):
            if authority in self.hierarchy.authorities[:place]:
                raise Mistake(("hierarchy", "authorities"), f"{authority!r} is there twice")
        owners = [o.name for o in self.owners]
        for place, source in enumerate(self.sources):
            self._check_git(place, source)
            expect_known(("sources", place, "owner"), "owner", source.owner, owners)
            expect_known(
                ("sources", place, "authority"),
                "authority",
                source.authority,
                self.hierarchy.authorities,
            )
        for place, owner in enumerate(self.owners):
            if owner.fallback is not None:
                others = [name for name in owners if name != owner.name]
                expect_known(("owners", place, "fallback"), "owner", owner.fallback, others)
        for place, webhook in enumerate(self.notices.webhooks):
            for name in webhook.owners:
                expect_known(("notices", "webhooks", place, "owners"), "owner", name, owners)
        if self.gaps.default_owner is not None:
            expect_known(("gaps", "default_owner"), "owner", self.gaps.default_owner, owners)
        for grant in self.sign_in.grants:
            if grant.owner is not None:
                expect_known(("sign_in", "grants"), "owner", grant.owner, owners)
        if self.gaps.publish_to is not None:
            names = [s.name for s in self.sources]
            expect_known(("gaps", "publish_to"), "source", self.gaps.publish_to, names)
        return self

    def _check_git(self, place: int, source: SourceSettings) -> None:
        if source.kind == "git":
            try:
                protocol = protocol_of(source.location)
            except InvalidInputError as error:
                raise Mistake(("sources", place, "location"), error.reason) from error
            if protocol not in self.git.protocols:
                allowed = ", ".join(self.git.protocols)
                message = f"{protocol} is not allowed by [git] protocols (allowed: {allowed})"
                raise Mistake(("sources", place, "location"), message)
            return
        for key in ("branch", "folder"):
            if getattr(source, key):
                raise Mistake(("sources", place, key), f"{key!r} is for sources of kind 'git'")


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
        if isinstance(cause, Mistake):
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
