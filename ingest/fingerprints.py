"""Two hashes of a document: what it says (chunk and embed again), what is said about it (not)."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from ingest.chunking import CHUNKING_RECIPE
from kb.clock import format_instant
from kb.types import Metadata
from kb.vectors import hash_text


def hash_content(markdown: str, title: str) -> str:
    """Hash of a title and a newline-normalised body under the present chunking."""
    return hash_text(f"{CHUNKING_RECIPE}\x00{title}\x00{markdown}")


def hash_metadata(metadata: Metadata, path: str) -> str:
    """Hash over every field of the metadata and the document's place in its source."""
    facts: dict[str, Any] = {
        field.name: getattr(metadata, field.name) for field in fields(metadata)
    }
    return hash_text(json.dumps([path, facts], sort_keys=True, default=format_instant))
