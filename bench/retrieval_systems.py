"""The rows of the comparison: which system, on which texts, with which options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tables."""

    key: str
    """What `--only` calls it; the part before a dash is the system."""
    label: str
    module: str
    """In `retrieval_workers`."""
    units: str | None = "articles"
    """`articles`, `windows` or `chunks`; kbops reads the articles' files itself."""
    options: dict[str, Any] = field(default_factory=dict)
    extra: bool = False
    """Only when named."""
    built_as: str | None = None
    """Key of the row that builds the very same store."""

    @property
    def is_peer(self) -> bool:
        return not self.key.startswith("kbops")


ROWS = (
    Row("kbops", "kbops, unlearned", "kbops_worker", None),
    Row("kbops-learned", "kbops, learned", "kbops_worker", None, extra=True),
    Row("kbops-http", "kbops over HTTP", "kbops_http_worker", None),
    Row("llamaindex", "llama-index + Chroma", "llamaindex_worker"),
    Row("txtai", "txtai", "txtai_worker", options={"hybrid": False}),
    Row("txtai-hybrid", "txtai, hybrid", "txtai_worker", options={"hybrid": True}),
    Row("haystack", "Haystack", "haystack_worker", options={"hybrid": False}),
    Row(
        "haystack-hybrid", "Haystack, hybrid", "haystack_worker", options={"hybrid": True},
        built_as="haystack",
    ),
    Row("chromadb", "chromadb, whole articles", "chroma_worker"),
    Row("chromadb-windows", "chromadb, titled windows", "chroma_worker", "windows"),
    Row("chromadb-chunks", "chromadb on our chunks", "chroma_worker", "chunks"),
    Row(
        "llamaindex-chunks", "llama-index on our chunks", "llamaindex_worker", "chunks",
        extra=True,
    ),
    Row(
        "txtai-hybrid-chunks", "txtai, hybrid, on our chunks", "txtai_worker", "chunks",
        {"hybrid": True}, extra=True,
    ),
    Row(
        "haystack-hybrid-chunks", "Haystack, hybrid, on our chunks", "haystack_worker", "chunks",
        {"hybrid": True}, extra=True,
    ),
    Row("encoder", "the encoder alone", "encoder_worker", None),
)  # fmt: skip
REFERENCES = ("kbops", "kbops-learned")
"""What the others are compared to."""


def choose_rows(only: str | None, *, learned: bool) -> list[Row] | str:
    """The rows to measure, or one line that says which name is unknown.

    Args:
        only: Keys or systems, by commas; without it every row that is not extra. kbops is always
            among them: it is what differences are taken to, and its chunks are read in by others.
        learned: Also kbops after learning.
    """
    names = {name.strip() for name in (only or "").split(",") if name.strip()}
    systems = {row.key.partition("-")[0] for row in ROWS}
    known = systems | {row.key for row in ROWS}
    if unknown := sorted(names - known):
        return f"unknown: {', '.join(unknown)} (expected: {', '.join(sorted(known))})"
    chosen = []
    for row in ROWS:
        system = row.key.partition("-")[0]
        wanted = row.key in names or (not row.extra and (not names or system in names))
        if row.key == "kbops" or wanted or (learned and row.key == "kbops-learned"):
            chosen.append(row)
    return chosen
