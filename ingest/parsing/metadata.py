"""Front matter as written → checked metadata, with the source's defaults for what is not said."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from ingest.parsing.front_matter import NOTHING, TEXT, Field, FrontMatter, Scalar, refuse
from ingest.parsing.markdown import strip_hidden_characters
from kb.clock import parse_instant
from kb.errors import InvalidInputError
from kb.types import ActionClass, Audience, ConfidenceState, Governance, Metadata

KNOWN_KEYS = frozenset({
    "id", "title", "audience", "owner", "authority", "confidence", "governance",
    "effective_from", "effective_until", "last_verified_at", "review_every_days", "supersedes",
    "labels", "products", "regions", "plans", "action_class", "url", "approved_by", "customer",
})  # fmt: skip
MAX_TITLE_CHARACTERS = 300
MAX_ID_CHARACTERS = 200
MAX_NAME_CHARACTERS = 80
MAX_REVIEW_DAYS = 36_500

_ID = re.compile(r"[A-Za-z0-9._:/-]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a source says for its documents, and the names kb.toml knows."""

    authority: str
    audience: Audience
    owner: str
    review_every_days: int | None
    authorities: Collection[str]
    owners: Collection[str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The fields of one file, read by type; every refusal names the key's line."""

    fields: dict[str, Field]
    path: str

    def scalar(self, key: str) -> Scalar | None:
        """The one value of a key; None where the key is missing or left empty."""
        field = self.fields.get(key)
        if field is None:
            return None
        if field.is_list:
            refuse(f"{key!r} is a list (expected one value)", self.path, field.line)
        return None if field.scalars[0].kind == NOTHING else field.scalars[0]

    def text(self, key: str, limit: int | None = None) -> str | None:
        scalar = self.scalar(key)
        if scalar is None:
            return None
        text = strip_hidden_characters(scalar.text).strip()
        if not text:
            refuse(f"{key!r} is empty (expected text)", self.path, scalar.line)
        if limit is not None and len(text) > limit:
            refuse(f"{key!r} has {len(text)} characters (at most {limit})", self.path, scalar.line)
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """A list, or a single value as a list of one; what is repeated counts once."""
        field = self.fields.get(key)
        found: list[str] = []
        for scalar in field.scalars if field else ():
            text = strip_hidden_characters(scalar.text).strip()
            if scalar.kind == NOTHING and field and not field.is_list:
                continue
            if not text or scalar.kind == NOTHING:
                refuse(f"{key!r} holds an empty value (expected texts)", self.path, scalar.line)
            found.append(text)
        return tuple(dict.fromkeys(found))

    def choice(self, key: str, kind: type[_Choice]) -> _Choice | None:
        name = self.name(key, [member.value for member in kind])
        return None if name is None else kind(name)

    def name(self, key: str, allowed: Collection[str]) -> str | None:
        scalar = self.scalar(key)
        if scalar is not None and scalar.text not in allowed:
            listed = ", ".join(allowed)
            refuse(
                f"{key!r} is {scalar.text!r} (expected one of: {listed})", self.path, scalar.line
            )
        return None if scalar is None else scalar.text

    def instant(self, key: str, *, through_end_of_day: bool = False) -> datetime | None:
        scalar = self.scalar(key)
        if scalar is None:
            return None
        text = scalar.text.strip()
        is_date = _DATE.fullmatch(text) is not None
        if not is_date and not _INSTANT.fullmatch(text):
            refuse(
                f"{key!r} is {text!r} (expected a date 2026-03-01 or an instant "
                "2026-03-01T09:00:00Z)", self.path, scalar.line,
            )  # fmt: skip
        return self._parse_instant(key, scalar, through_end_of_day and is_date)

    def _parse_instant(self, key: str, scalar: Scalar, next_midnight: bool) -> datetime:
        try:
            instant = parse_instant(scalar.text.strip())
        except (InvalidInputError, OverflowError) as error:
            reason = error.reason if isinstance(error, InvalidInputError) else "out of range"
            refuse(f"{key!r}: {reason}", self.path, scalar.line)
        # The last day there is, people's way of writing "forever", has no day after it.
        forever = instant.date() == datetime.max.date()
        return instant + timedelta(days=1) if next_midnight and not forever else instant

    def days(self, key: str) -> int | None:
        scalar = self.scalar(key)
        if scalar is None:
            return None
        if not re.fullmatch(r"\d{1,6}", scalar.text) or not 0 < int(scalar.text) <= MAX_REVIEW_DAYS:
            refuse(
                f"{key!r} is {scalar.text!r} (expected a number of days, 1 to {MAX_REVIEW_DAYS})",
                self.path, scalar.line,
            )  # fmt: skip
        return int(scalar.text)

    def line(self, key: str) -> int:
        return self.fields[key].line if key in self.fields else 1


def read_metadata(
    front: FrontMatter, path: str, *, title: str | None, document_id: str, defaults: Defaults
) -> tuple[str, Metadata]:
    """Check every key and fill in what the source says.

    Args:
        front: As split from the file.
        path: For errors.
        title: The body's own heading, used when the front matter names no title.
        document_id: Used when the front matter names none.
        defaults: Of the source.

    Returns:
        The document's id and its metadata.

    Raises:
        InvalidInputError: Names file, line and what was expected.
    """
    reading = _Reading(dict(front.fields), path)
    _check_keys(reading)
    identifier = _read_id(reading, document_id)
    supersedes = reading.texts("supersedes")
    for superseded in supersedes:
        _check_id("supersedes", superseded, path, reading.line("supersedes"))
    if identifier in supersedes:
        refuse(f"{identifier!r} supersedes itself", path, reading.line("supersedes"))
    effective_from = reading.instant("effective_from")
    effective_until = reading.instant("effective_until", through_end_of_day=True)
    if effective_from and effective_until and effective_until <= effective_from:
        refuse("effective_until is before effective_from", path, reading.line("effective_until"))
    return identifier, Metadata(
        title=_read_title(reading, title),
        audience=reading.choice("audience", Audience) or defaults.audience,
        authority=reading.name("authority", defaults.authorities) or defaults.authority,
        owner=reading.name("owner", defaults.owners) or defaults.owner,
        confidence_state=reading.choice("confidence", ConfidenceState) or ConfidenceState.VALIDATED,
        governance=reading.choice("governance", Governance) or Governance.EXPERIENCE,
        effective_from=effective_from,
        effective_until=effective_until,
        last_verified_at=reading.instant("last_verified_at"),
        review_every_days=reading.days("review_every_days") or defaults.review_every_days,
        supersedes=supersedes,
        labels=reading.texts("labels"),
        products=reading.texts("products"),
        regions=reading.texts("regions"),
        plans=reading.texts("plans"),
        action_class=reading.choice("action_class", ActionClass),
        url=_read_url(reading),
        approved_by=reading.text("approved_by"),
        customer=reading.text("customer", MAX_NAME_CHARACTERS),
    )


def _check_keys(reading: _Reading) -> None:
    for key, field in reading.fields.items():
        if key not in KNOWN_KEYS:
            near = difflib.get_close_matches(key, KNOWN_KEYS, n=1)
            known = ", ".join(sorted(KNOWN_KEYS))
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of: {known}"
            refuse(f"unknown key {key!r} ({hint})", reading.path, field.line)


def _read_id(reading: _Reading, fallback: str) -> str:
    identifier = reading.text("id") or fallback
    _check_id("id", identifier, reading.path, reading.line("id"))
    return identifier


def _check_id(key: str, identifier: str, path: str, line: int) -> None:
    if len(identifier) > MAX_ID_CHARACTERS:
        length = len(identifier)
        refuse(f"{key!r} has {length} characters (at most {MAX_ID_CHARACTERS})", path, line)
    if not _ID.fullmatch(identifier):
        refuse(
            f"{key!r} is {identifier!r} (expected only letters, digits and . _ : / -; "
            "name an `id` where the file name has others)", path, line,
        )  # fmt: skip
    if any(part in ("", ".", "..") for part in identifier.split("/")):
        refuse(
            f"{key!r} is {identifier!r} (expected no empty or dotted part between slashes)",
            path,
            line,
        )


def _read_title(reading: _Reading, heading: str | None) -> str:
    scalar = reading.scalar("title")
    if scalar is None:
        if "title" in reading.fields:
            refuse("'title' is empty (expected text)", reading.path, reading.line("title"))
        if heading is None:
            refuse("no title (expected `title:` or a first line '# Heading')", reading.path, 1)
        title = strip_hidden_characters(heading).strip()
        if not 0 < len(title) <= MAX_TITLE_CHARACTERS:
            limit = f"1 to {MAX_TITLE_CHARACTERS} characters"
            refuse(f"the first heading is no title (expected {limit})", reading.path, 1)
        return title
    if scalar.kind != TEXT:
        said = f"'title' is {scalar.kind} (expected text; put it in quotes)"
        refuse(said, reading.path, scalar.line)
    return " ".join((reading.text("title", MAX_TITLE_CHARACTERS) or "").split())


def _read_url(reading: _Reading) -> str | None:
    url = reading.text("url")
    if url is not None and not re.match(r"https?://\S+$", url):
        refuse(f"'url' is {url!r} (expected https://…)", reading.path, reading.line("url"))
    return url
