"""Articles with their next version: what a change of an article really changed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

from thunderbird_data import clean_text

from kb.quantities import plain_text
from kb.statements import Sentence, split_sentences

COMMERCE, THUNDERBIRD = "commerce_kb_dev", "sumo_thunderbird_dev"
SAME = 0.95
"""Word-level similarity from which on a sentence of the next version is the old one."""
REWORDED = 0.6
"""From here on it is the old one changed; below it the old one is gone."""
FEWEST_WORDS = 4
MOST_CHANGED = 0.5
"""Share of changed sentences above which a version is a new text and no edit."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A version, the next one, and which sentences of the first the second changes."""

    key: str
    title: str
    before: str
    after: str
    day: str
    """When the next version was there."""
    changed: tuple[tuple[Sentence, str | None], ...]
    """Sentences of the first with what stands in their place; None where nothing does."""
    kept: tuple[Sentence, ...]
    added: tuple[str, ...]
    """Sentences of the second that the first has no counterpart of."""


def read_commerce(folder: Path) -> list[Edit]:
    """Consecutive versions of the commerce articles, by article and day."""
    rows = sorted(read_lines(folder / "versions.jsonl.gz"), key=lambda r: (r["doc_id"], r["date"]))
    found = []
    for one, two in pairwise(rows):
        if one["doc_id"] == two["doc_id"]:
            key = f"{one['doc_id']}@{two['date']}"
            found.append((key, one["title"], one["text"], two["text"], two["date"]))
    return [edit for each in found if (edit := compare_versions(*each)) is not None]


def read_thunderbird(folder: Path) -> list[Edit]:
    """Consecutive texts of the Thunderbird articles, by article and day."""
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for row in read_lines(folder / "kb_versions.jsonl.gz"):
        rows.setdefault(row["slug"], []).append((min(row["seen"]), row))
    found = []
    for slug in sorted(rows):
        ordered = sorted(rows[slug], key=lambda pair: pair[0])
        for (_, one), (day, two) in pairwise(ordered):
            if one["format"] != two["format"]:
                continue
            texts = clean_text(one["text"]), clean_text(two["text"])
            found.append((f"{slug}@{day}", one["title"], *texts, day))
    return [edit for each in found if (edit := compare_versions(*each)) is not None]


def read_facts(folder: Path) -> list[tuple[Edit, str]]:
    """Commerce versions in which one known fact changes, with the sentence that states it anew."""
    texts = {(r["doc_id"], r["date"]): r for r in read_lines(folder / "versions.jsonl.gz")}
    found = []
    for row in read_lines(folder / "fact_changes.jsonl.gz"):
        version = texts.get((row["doc_id"], row["old_date"]))
        if version is None:
            continue
        sentences = split_sentences(version["text"])
        old = [s for s in sentences if plain_text(s.text) == plain_text(row["old"])]
        if not old:
            continue
        kept = tuple(s for s in sentences if plain_text(s.text) != plain_text(row["old"]))
        changed = tuple((s, row["new"]) for s in old)
        key = f"{row['doc_id']}@{row['new_date']}"
        found.append(
            (
                Edit(
                    key, version["title"], version["text"], row["new"], row["new_date"],
                    changed, kept, (),
                ),
                row["new"],
            )
        )  # fmt: skip
    return found


def compare_versions(key: str, title: str, before: str, after: str, day: str) -> Edit | None:
    """What changed, sentence by sentence; None where nothing or nearly everything did."""
    ours = [s for s in split_sentences(before) if len(s.text.split()) >= FEWEST_WORDS]
    theirs = [s.text for s in split_sentences(after) if len(s.text.split()) >= FEWEST_WORDS]
    left = {plain_text(text) for text in theirs}
    used: set[str] = set()
    changed: list[tuple[Sentence, str | None]] = []
    kept = []
    for sentence in ours:
        said = plain_text(sentence.text)
        if said in left:
            used.add(said)
            kept.append(sentence)
            continue
        value, best = max(
            ((_likeness(said, plain_text(t)), t) for t in theirs), default=(0.0, None)
        )
        if value >= SAME and best is not None:
            # Punctuation or a word's case: nobody's evidence asks for that.
            used.add(plain_text(best))
            kept.append(sentence)
        else:
            near = best if value >= REWORDED else None
            used |= {plain_text(near)} if near is not None else set()
            changed.append((sentence, near))
    if not changed or len(changed) > MOST_CHANGED * len(ours):
        return None
    added = tuple(t for t in theirs if plain_text(t) not in used)
    return Edit(key, title, before, after, day, tuple(changed), tuple(kept), added)


def _likeness(left: str, right: str) -> float:
    one, two = left.split(), right.split()
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= REWORDED else 0.0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
