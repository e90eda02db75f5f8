"""What a sync needs of a source, and a publication of one it is brought back to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from kb.errors import InvalidInputError
from kb.types import Audience, ParsedDocument


@dataclass(frozen=True, slots=True)
class SourceListing:
    """Everything a source holds at one time."""

    documents: list[ParsedDocument] = field(default_factory=list)
    """Ids are unique; ordered by path."""
    refused: list[tuple[str, InvalidInputError]] = field(default_factory=list)
    """Path and reason of what the source holds and cannot be taken."""
    complete: bool = True
    """False when a part could not be listed: what is missing then is not thereby deleted."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is stored about a source itself."""

    name: str
    kind: str
    location: str
    authority: str
    audience: Audience
    owner: str
    review_every_days: int | None


class Source(Protocol):
    @property
    def facts(self) -> SourceFacts: ...

    @property
    def name(self) -> str: ...

    def read_documents(self) -> SourceListing:
        """List and parse everything the source holds; one bad document never stops the others.

        Raises:
            InvalidInputError: The location is not what the kind of source needs.
            UnavailableError: The location cannot be read now.
        """
        ...


class DeliveryState(StrEnum):
    WRITTEN = "written"
    """The source says it; said again, nothing happens."""
    PROPOSED = "proposed"
    """It lies beside the source's own text until somebody there takes it."""
    DECLINED = "declined"
    """Somebody there took the proposal away."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a change that was brought to a source."""

    state: DeliveryState
    branch: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One article's new text, with who decided it and why."""

    path: str
    """Relative to the source."""
    content: bytes | None
    """The whole file; None deletes it."""
    base: bytes | None
    """The file the change was made from; None where there was none."""
    subject: str
    why: str
    draft_id: str
    gap_id: str
    evidence_url: str
    author_name: str
    author_email: str
    at: datetime
    proposed_on: str | None = None
    """Branch that an earlier call answered it is proposed on."""


class ReadableSource(Source, Protocol):
    """A source whose single files can be read, which a change needs."""

    def parse(self, raw: bytes, path: str) -> ParsedDocument:
        """Read one file's bytes as `read_documents` would.

        Raises:
            InvalidInputError: Names file, line and what was expected.
        """
        ...

    def locate(self, path: str) -> Path:
        """Where a publication says that the file lies; no promise that anything is there.

        Raises:
            InvalidInputError: The path leaves the source, or names what it would pass by.
        """
        ...

    def read_present(self, path: str, *, fresh: bool = True) -> bytes | None:
        """The file as it stands in the source; None where there is none.

        Args:
            path: Relative to the source.
            fresh: Ask the source itself; else what was last heard of it will do.

        Raises:
            InvalidInputError: The path leaves the source.
            ConflictError: There is something that cannot be read.
            UnavailableError: The source cannot be reached.
        """
        ...


class WritableSource(ReadableSource, Protocol):
    """A source that a publication can be brought back to."""

    def write(self, change: SourceChange) -> Delivery:
        """Bring a change to the source: whole or not at all, and once however often it is said.

        Raises:
            StaleError: The file is no longer what the change was made from; nothing was written.
            InvalidInputError: The path leaves the source.
            UnavailableError: The source cannot be reached; say it again later.
            OSError: The folder cannot be written.
        """
        ...


def check_path(path: str) -> str:
    """A path below a source's folder, as given.

    Raises:
        InvalidInputError: It is absolute, climbs, hides (a part starts with a dot) or is not text.
    """
    parts = path.split("/")
    if "\\" in path or not path.isprintable() or any(p == "" or p[0] == "." for p in parts):
        raise InvalidInputError("not a path inside the source", where=repr(path), path=path)
    return path
