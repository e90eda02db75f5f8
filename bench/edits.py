"""Are edits the smallest? Changes articles whose next version is known, by what that version says.

    python bench/edits.py --data DIR [--json FILE] [--limit N]

Two sources of evidence. *Told*: the sentences of the next version that state another value, as a
stronger document would state them: can the editor put right what is wrong and nothing else? And
*tickets* (Thunderbird only): what was solved before the next version with a link to the article: is
it enough to see what changed?
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drafts_data import read_known_tickets
from edits_data import (
    COMMERCE,
    THUNDERBIRD,
    Edit,
    read_commerce,
    read_facts,
    read_lines,
    read_thunderbird,
)
from thunderbird_data import MIN_GRADE

from gaps.drafting.writing.extractive import WrittenArticle
from gaps.drafting.writing.smallest_edit import write_smallest_edit
from gaps.types import Gap, GapKind, GapStatus, Ticket
from kb.encoding.choosing import choose_encoder
from kb.ports import Encoder
from kb.quantities import extract_slots, plain_text
from kb.statements import find_disagreement
from kb.types import Audience, Document, Metadata, StoredChunk

NOW = datetime(2025, 1, 22, tzinfo=UTC)


@dataclass(slots=True)
class Count:
    """Sentences over all edits of a set."""

    versions: int = 0
    edited: int = 0
    changed: int = 0
    touched: int = 0
    right: int = 0
    """Touched and now as the next version has it."""
    of_value: int = 0
    value_touched: int = 0
    value_right: int = 0
    kept: int = 0
    left_alone: int = 0

    def to_json(self) -> dict[str, Any]:
        def share(part: int, whole: int) -> float | None:
            return round(part / whole, 4) if whole else None

        return {
            "versions": self.versions, "edited": self.edited,
            "changed": self.changed, "changed_touched": share(self.touched, self.changed),
            "value_changed": self.of_value,
            "value_touched": share(self.value_touched, self.of_value),
            "value_right": share(self.value_right, self.of_value),
            "unchanged": self.kept, "unchanged_left_alone": share(self.left_alone, self.kept),
        }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both sets; 0 done, 2 no data."""
    parser = argparse.ArgumentParser(prog="edits", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--limit", type=int, help="versions of each set")
    options = parser.parse_args(arguments)
    missing = [
        name
        for name in (COMMERCE, THUNDERBIRD)
        if options.data is None or not (options.data / name).is_dir()
    ]
    if missing:
        print(
            f"edits: name the folder that holds {', '.join(missing)} with --data", file=sys.stderr
        )
        return 2
    encoder = choose_encoder()
    commerce = read_commerce(options.data / COMMERCE)[: options.limit]
    thunderbird = read_thunderbird(options.data / THUNDERBIRD)[: options.limit]
    figures: dict[str, Any] = {}
    facts = read_facts(options.data / COMMERCE)
    for name, measure in (
        ("commerce, known facts", lambda: measure_facts(facts, encoder)),
        ("commerce, told", lambda: measure_told(commerce, encoder)),
        ("thunderbird, told", lambda: measure_told(thunderbird, encoder)),
        ("thunderbird, tickets", lambda: measure_tickets(
            thunderbird, options.data / THUNDERBIRD, encoder
        )),
    ):  # fmt: skip
        figures[name] = measure().to_json()
        print(name, json.dumps(figures[name]), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure_told(edits: Sequence[Edit], encoder: Encoder) -> Count:
    """Each version edited by what the next one says otherwise, as a stronger document."""
    count = Count()
    for edit in edits:
        says = [new for _, new in edit.changed if new is not None] + list(edit.added)
        chunk = StoredChunk("ch_next", _document("next"), (), "\n\n".join(says), 0)
        _score(count, edit, _edit(edit, (), (chunk,), encoder))
    return count


def measure_facts(facts: Sequence[tuple[Edit, str]], encoder: Encoder) -> Count:
    """Each version told the one sentence that states a fact anew, as a stronger document."""
    count = Count()
    for edit, new in facts:
        chunk = StoredChunk("ch_next", _document("next"), (), new, 0)
        _score(count, edit, _edit(edit, (), (chunk,), encoder))
    return count


def measure_tickets(edits: Sequence[Edit], folder: Path, encoder: Encoder) -> Count:
    """Each version edited by the tickets solved with a link to it before the next one."""
    count = Count()
    linked: dict[str, list[tuple[str, str]]] = {}
    for row in read_lines(folder / "tickets.jsonl.gz"):
        for slug, grade in row["kb"].items():
            if grade >= MIN_GRADE:
                linked.setdefault(slug, []).append((row["created"], row["id"]))
    wanted = {
        edit.key: {k for day, k in linked.get(edit.key.partition("@")[0], ()) if day < edit.day}
        for edit in edits
    }
    for day in sorted({edit.day for edit in edits}):
        todays = [edit for edit in edits if edit.day == day and wanted[edit.key]]
        ids = {key for edit in todays for key in wanted[edit.key]}
        known = {t.ticket_id: t for t in read_known_tickets(folder, (), ids, day)} if ids else {}
        for edit in todays:
            tickets = [known[key] for key in sorted(wanted[edit.key]) if key in known]
            if tickets:
                _score(count, edit, _edit(edit, tickets, (), encoder))
    return count


def _edit(
    edit: Edit, tickets: Sequence[Ticket], chunks: Sequence[StoredChunk], encoder: Encoder
) -> str:
    """The article after the product's editor; unchanged where it refuses."""
    gap = Gap(
        "gap_bench", "topic_bench", GapKind.WRONG, GapStatus.OPEN, edit.title, (), 1.0, 0.9, 1.0,
        Audience.PUBLIC, "owner", tuple(t.ticket_id for t in tickets), ("article",), (), (), NOW,
        NOW,
    )  # fmt: skip
    written = write_smallest_edit(gap, "article", edit.title, edit.before, tickets, chunks, encoder)
    return written.markdown if isinstance(written, WrittenArticle) else edit.before


def _score(count: Count, edit: Edit, text: str) -> None:
    count.versions += 1
    count.edited += text != edit.before
    plain = plain_text(text)
    after = plain_text(edit.after)
    for sentence, new in edit.changed:
        touched = plain_text(sentence.text) not in plain
        right = touched and new is not None and plain_text(new) in plain
        value = new is not None and _states_another_value(sentence.text, new)
        count.changed += 1
        count.touched += touched
        count.right += right
        count.of_value += value
        count.value_touched += value and touched
        count.value_right += value and (right or (touched and _agrees(text, new, after)))
    for sentence in edit.kept:
        count.kept += 1
        count.left_alone += plain_text(sentence.text) in plain


def _states_another_value(old: str, new: str) -> bool:
    return bool(extract_slots(old)) and find_disagreement(old, new) is not None


def _agrees(text: str, new: str | None, after: str) -> bool:
    """Whether the values of the new sentence stand in the edited text."""
    return new is not None and all(slot.text in text for slot in extract_slots(new))


def _document(key: str) -> Document:
    return Document(
        document_id=key, source="policies", path=f"{key}.md", version=1, content_hash="0" * 64,
        metadata_hash="0" * 64,
        metadata=Metadata("Next", Audience.PUBLIC, "policy", "owner"), updated_at=NOW,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
