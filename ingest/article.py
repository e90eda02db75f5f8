"""A Markdown file's bytes → a document ready to be compared with what is stored."""

from __future__ import annotations

from ingest.fingerprints import hash_content, hash_metadata
from ingest.parsing.front_matter import TEXT, FrontMatter, split_front_matter
from ingest.parsing.markdown import take_title
from ingest.parsing.metadata import Defaults, read_metadata
from kb.types import ParsedDocument


def parse_article(
    raw: bytes, path: str, *, source: str, document_id: str, defaults: Defaults
) -> ParsedDocument:
    """Read one article or policy.

    Args:
        raw: The file as stored.
        path: Relative to the source, for errors and as the document's place.
        source: Name of the source.
        document_id: Used when the front matter names none.
        defaults: What the source says for its documents.

    Raises:
        InvalidInputError: Names file, line and what was expected.
    """
    front = split_front_matter(raw, path)
    heading, body = take_title(front.body, _written_title(front))
    identifier, metadata = read_metadata(
        front, path, title=heading, document_id=document_id, defaults=defaults
    )
    markdown = body.strip("\n")
    return ParsedDocument(
        document_id=identifier,
        source=source,
        path=path,
        metadata=metadata,
        markdown=markdown,
        content_hash=hash_content(markdown, metadata.title),
        metadata_hash=hash_metadata(metadata, path),
    )


def _written_title(front: FrontMatter) -> str | None:
    field = front.fields.get("title")
    if field is None or field.is_list or field.scalars[0].kind != TEXT:
        return None
    return field.scalars[0].text
