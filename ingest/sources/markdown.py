"""The connector of kind "markdown": a folder of Markdown files with YAML front matter."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ingest.article import parse_article
from ingest.parsing.front_matter import MAX_FILE_BYTES
from ingest.parsing.metadata import Defaults
from ingest.sources.port import SourceFacts, SourceListing, check_path
from kb.errors import ConflictError, InvalidInputError, UnavailableError
from kb.types import Audience, ParsedDocument

KIND = "markdown"
SUFFIX = ".md"


@dataclass(frozen=True)
class MarkdownFolder:
    """Reads `**/*.md` below a folder; never leaves it."""

    name: str
    location: Path
    authority: str
    audience: Audience
    owner: str
    review_every_days: int | None = None
    authorities: Collection[str] = ()
    """Every authority kb.toml knows; a front matter may name one of them."""
    owners: Collection[str] = ()

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(
            self.name, KIND, str(self.location), self.authority, self.audience, self.owner,
            self.review_every_days,
        )  # fmt: skip

    def read_documents(self) -> SourceListing:
        """Parse every Markdown file in the order of paths; hidden files and folders are passed by.

        Raises:
            InvalidInputError: The location is missing or is no folder.
            UnavailableError: The folder may not be read.
        """
        if not self.location.is_dir():
            raise InvalidInputError(f"{self.location} is not a folder", where=f"source {self.name}")
        found = _Walk(self.location.resolve())
        found.walk(self.location.resolve())
        if found.top_unreadable:
            raise UnavailableError(f"source {self.name}: {self.location} cannot be read")
        documents, refused = self._parse_files(found)
        refused.sort(key=lambda entry: entry[0])
        return SourceListing(documents, refused, complete=found.complete)

    def parse(self, raw: bytes, path: str) -> ParsedDocument:
        """Read one file's bytes as this source would.

        Raises:
            InvalidInputError: Names file, line and what was expected.
        """
        defaults = Defaults(
            self.authority, self.audience, self.owner, self.review_every_days,
            self.authorities or (self.authority,), self.owners or (self.owner,),
        )  # fmt: skip
        return parse_article(
            raw, path, source=self.name, document_id=derive_id(path), defaults=defaults
        )

    def locate(self, path: str) -> Path:
        """The file of a path.

        Raises:
            InvalidInputError: It leaves the folder, by its name or through a link.
        """
        file = self.location / check_path(path)
        if not file.resolve().is_relative_to(self.location.resolve()):
            raise _refusal("a path that leads out of the folder", path)
        return file

    def read_present(self, path: str, *, fresh: bool = True) -> bytes | None:
        """The file as it lies in the folder; None where there is none.

        Args:
            path: Relative to the folder.
            fresh: Means nothing here: a folder is always asked itself.

        Raises:
            InvalidInputError: The path leaves the folder.
            ConflictError: There is something that cannot be read.
        """
        file = self.locate(path)
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConflictError(f"{file} cannot be read: {error}") from error

    def _parse_files(
        self, found: _Walk
    ) -> tuple[list[ParsedDocument], list[tuple[str, InvalidInputError]]]:
        documents: dict[str, ParsedDocument] = {}
        refused = list(found.refused)
        for path, file in sorted(found.files):
            try:
                parsed = self.parse(_read_file(file, path), path)
                check_unique(parsed, documents)
                documents[parsed.document_id] = parsed
            except InvalidInputError as error:
                refused.append((path, error))
        return list(documents.values()), refused


def derive_id(path: str) -> str:
    """Document id of a file that names none: its path without suffix, in the letters ids have."""
    plain = unicodedata.normalize("NFKD", path.removesuffix(SUFFIX))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    slug = re.sub(r"[^A-Za-z0-9._:/-]+", "-", plain)
    # A name in another script would be nothing but dashes; the refusal then asks for an id.
    return slug if re.search(r"[A-Za-z0-9][^/]*$", slug) else path.removesuffix(SUFFIX)


def check_unique(parsed: ParsedDocument, documents: dict[str, ParsedDocument]) -> None:
    """Raises InvalidInputError where another file has the document's id already."""
    first = documents.get(parsed.document_id)
    if first is not None:
        raise InvalidInputError(
            f"the id {parsed.document_id!r} is already that of {first.path}",
            where=parsed.path, path=parsed.path,
        )  # fmt: skip


def _read_file(file: Path, path: str) -> bytes:
    """At most one byte more than allowed, so that a huge file is refused without being read."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise _refusal("not a regular file", path)
        with file.open("rb") as opened:
            return opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _refusal(f"cannot be read: {error.strerror}", path) from error


def _refusal(reason: str, path: str) -> InvalidInputError:
    return InvalidInputError(reason, where=path, path=path)


@dataclass
class _Walk:
    """One walk over a folder; links to folders are never followed, so it always ends."""

    root: Path
    files: list[tuple[str, Path]] = field(default_factory=list)
    refused: list[tuple[str, InvalidInputError]] = field(default_factory=list)
    complete: bool = True
    top_unreadable: bool = False

    def walk(self, top: Path) -> None:
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not entry.name.startswith("."):
                            self._take(entry, folders)
            except OSError:
                self.complete = False
                self.top_unreadable |= folder == top

    def _take(self, entry: os.DirEntry[str], folders: list[Path]) -> None:
        path = Path(entry.path).relative_to(self.root).as_posix()
        if entry.is_symlink():
            self._take_link(Path(entry.path), path)
        elif entry.is_dir(follow_symlinks=False):
            folders.append(Path(entry.path))
        elif entry.name.endswith(SUFFIX):
            self.files.append((path, Path(entry.path)))

    def _take_link(self, link: Path, path: str) -> None:
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):
            if path.endswith(SUFFIX):
                self.refused.append((path, _refusal("a link that leads nowhere", path)))
            return
        if not target.is_relative_to(self.root):
            if path.endswith(SUFFIX) or target.is_dir():
                self.refused.append((path, _refusal("a link that leads out of the folder", path)))
        elif path.endswith(SUFFIX) and not target.is_dir():
            self.files.append((path, target))
