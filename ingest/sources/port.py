"""What a sync needs of a source, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
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
