"""Builders shared by the tests of `ingest`."""

from __future__ import annotations

from pathlib import Path

from ingest.fingerprints import hash_content, hash_metadata
from ingest.sources.markdown import MarkdownFolder
from kb.types import Audience, Metadata, ParsedDocument

AUTHORITIES = ("policy", "procedure", "help_article")
OWNERS = ("ana", "ben")


def make_folder(location: Path, name: str = "help") -> MarkdownFolder:
    return MarkdownFolder(
        name,
        location,
        authority="help_article",
        audience=Audience.PUBLIC,
        owner="ana",
        review_every_days=90,
        authorities=AUTHORITIES,
        owners=OWNERS,
    )


def write_article(folder: Path, path: str, body: str = "Press the button.", **keys: object) -> Path:
    """Write an article; `title` defaults to its path."""
    lines = [f"{key}: {value}" for key, value in {"title": f"About {path}", **keys}.items()]
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["---", *lines, "---", "", body, ""]), encoding="utf-8")
    return file


def make_document(
    document_id: str = "a", markdown: str = "Text.", *, title: str = "Title", source: str = "help"
) -> ParsedDocument:
    metadata = Metadata(title, Audience.PUBLIC, "help_article", "ana")
    path = f"{document_id}.md"
    return ParsedDocument(
        document_id,
        source,
        path,
        metadata,
        markdown,
        hash_content(markdown, title),
        hash_metadata(metadata, path),
    )
