"""A document back to the Markdown file its source keeps: the inverse of reading one.

What is written here parses to the same document, so the sync after a publication finds nothing
to do.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import yaml

from kb.types import Metadata

_FRONT = re.compile(r"\A---\r?\n.*?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def render_new_article(
    document_id: str, metadata: Metadata, markdown: str, *, source_audience: str, source_owner: str
) -> str:
    """A file for a document that its source does not have yet; says only what differs from it."""
    front: dict[str, object] = {"id": document_id, "title": metadata.title}
    if metadata.audience.value != source_audience:
        front["audience"] = metadata.audience.value
    if metadata.owner != source_owner:
        front["owner"] = metadata.owner
    front["confidence"] = metadata.confidence_state.value
    if metadata.last_verified_at is not None:
        front["last_verified_at"] = metadata.last_verified_at.astimezone(UTC).date()
    if metadata.products:
        front["products"] = list(metadata.products)
    return f"---\n{_dump(front)}---\n\n{markdown.strip()}\n"


def render_changed_article(
    current: str, markdown: str, *, title: str | None = None, verified_at: datetime | None = None
) -> str:
    """The source's file with a new body; its front matter stays as its author wrote it.

    Args:
        current: The file as the source has it.
        markdown: The new body.
        title: A new title, where it changes.
        verified_at: When a person confirmed the text, where one did.
    """
    found = _FRONT.match(current)
    front = found.group() if found else "---\n---\n"
    if title is not None:
        front = _set_key(front, "title", _scalar(title))
    if verified_at is not None:
        front = _set_key(front, "last_verified_at", verified_at.astimezone(UTC).date().isoformat())
    return f"{front.rstrip()}\n\n{markdown.strip()}\n"


def verified_instant(now: datetime) -> datetime:
    """The midnight that a front matter's date stands for."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day <= now else day - timedelta(days=1)


def _set_key(front: str, key: str, value: str) -> str:
    line = re.compile(rf"^{key}[ \t]*:.*(?:\n[ \t]+\S.*)*$", re.MULTILINE)
    if line.search(front):
        return line.sub(lambda _: f"{key}: {value}", front, count=1)
    end = front.rstrip().rfind("---")
    return f"{front[:end]}{key}: {value}\n---\n"


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).removesuffix("...\n").strip()


def _dump(front: dict[str, object]) -> str:
    return str(yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000))
