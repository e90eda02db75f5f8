"""Pairs of statements of real pages: an earlier one and the one that took its place, as labelled.

The labels hold no text: a row names a page, two dates and a hash of each statement, and a person's
verdict (hierarchy_labels.md). The statements are found again in the data.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDERS = ("handbook_18f", "commerce_kb_dev")
LABELS = Path(__file__).with_name("hierarchy_labels.csv")
MIN_WORDS = 4


@dataclass(frozen=True, slots=True)
class PageVersion:
    doc_id: str
    date: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class StatementPair:
    """What a page said and what it says later in that place."""

    before: PageVersion
    after: PageVersion
    old: str
    new: str
    heading: str
    """That the earlier statement stands under; the page's title on top of it."""
    verdict: str
    """conflict, agreeing or unclear."""
    kind: str
    """Of a conflict: value, contact, modal or denial."""

    @property
    def half(self) -> str:
        """Rules and thresholds were set on "tune"; "check" only reports."""
        return half_of(self.before.doc_id)


def half_of(doc_id: str) -> str:
    return "check" if int(hashlib.sha256(doc_id.encode()).hexdigest(), 16) % 2 else "tune"


def find_data(data: Path) -> str | None:
    """One line that says what is missing, or None."""
    wanted = [data / name / "versions.jsonl.gz" for name in FOLDERS]
    missing = [str(path) for path in wanted if not path.is_file()]
    return f"no {', '.join(missing)}" if missing else None


def read_pages(data: Path) -> dict[str, list[PageVersion]]:
    """Versions of every page of both sets, oldest first."""
    pages: dict[str, list[PageVersion]] = {}
    for name in FOLDERS:
        for row in _read_lines(data / name / "versions.jsonl.gz"):
            title = " ".join(str(row["title"] or "").split()) or row["doc_id"]
            page = PageVersion(row["doc_id"], row["date"], title, tidy(row["text"]))
            pages.setdefault(page.doc_id, []).append(page)
    return {key: sorted(pages[key], key=lambda page: page.date) for key in sorted(pages)}


def tidy(text: str) -> str:
    """Entities and typographic quotes as plain characters; wrapped lines joined."""
    text = html.unescape(html.unescape(text))
    text = text.translate(str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "}))
    return re.sub(r"(?<=[^\n|])\n(?!\s*(?:\n|[-*+#>|`]|\d{1,3}[.)]\s))[ \t]*", " ", text)


def statements_of(text: str) -> list[tuple[str, str]]:
    """Sentences with the heading they stand under; cut by a rule that is not the product's."""
    found, heading = [], ""
    for line in text.splitlines():
        line = line.strip()
        title = re.match(r"#{1,6}\s+(.*)", line)
        if title:
            heading = re.sub(r"[*_`#]", "", title.group(1)).strip()
            continue
        line = re.sub(r"^(?:[-*+>]|\d{1,3}[.)])\s+", "", line)
        if line.startswith(("|", "```")):
            continue
        for piece in re.split(r"(?<=[.!?])[\"')*_]*\s+(?=[\"'(*_\[]*[A-Z0-9])", line):
            words = piece.split()
            if len(words) >= MIN_WORDS:
                found.append((" ".join(words), heading))
    return found


def read_pairs(pages: dict[str, list[PageVersion]]) -> list[StatementPair]:
    """Every labelled pair, found again by its hashes.

    Raises:
        SystemExit: The data is not the one that was labelled.
    """
    known: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    found = []
    with LABELS.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            sides = []
            for date, key in (
                (row["old_date"], row["old_hash"]),
                (row["new_date"], row["new_hash"]),
            ):
                page = next(p for p in pages[row["doc_id"]] if p.date == date)
                place = (page.doc_id, page.date)
                if place not in known:
                    known[place] = {_hash(s): (s, h) for s, h in statements_of(page.text)}
                if key not in known[place]:
                    raise SystemExit(f"hierarchy: {page.doc_id} of {date} lacks a statement")
                sides.append((page, *known[place][key]))
            (before, old, heading), (after, new, _) = sides
            found.append(
                StatementPair(
                    before, after, old, new, heading or before.title, row["verdict"], row["kind"]
                )
            )
    return found


def _hash(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()[:10]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
