"""Two texts compared by word, in rows that can stand side by side or in one column; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT_LINES = 2
"""Unchanged lines kept in sight around a change; the rest is folded."""
FEWEST_FOLDED = 4
MAX_WORDS = 2_500
"""Words of a block compared one by one; matching is quadratic, so longer blocks count as
replaced."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text: "same", "removed" or "added"."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One block of lines: "same", "changed", or "folded" (unchanged, out of sight)."""

    kind: str
    segments: tuple[Segment, ...]
    line_count: int = 1

    @property
    def before(self) -> tuple[Segment, ...]:
        return tuple(s for s in self.segments if s.kind != "added")

    @property
    def after(self) -> tuple[Segment, ...]:
        return tuple(s for s in self.segments if s.kind != "removed")


@dataclass(frozen=True, slots=True)
class Diff:
    rows: tuple[DiffRow, ...]
    words_added: int
    words_removed: int

    @property
    def is_empty(self) -> bool:
        return not (self.words_added or self.words_removed)


def diff_texts(before: str, after: str) -> Diff:
    """Compare two texts by line, and lines that differ by word."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[DiffRow] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            rows.extend(_fold(old[i1:i2], first=i1 == 0, last=i2 == len(old)))
        else:
            rows.extend(_changed_rows(old[i1:i2], new[j1:j2]))
    segments = [segment for row in rows for segment in row.segments]
    return Diff(tuple(rows), _count(segments, "added"), _count(segments, "removed"))


def _count(segments: Sequence[Segment], kind: str) -> int:
    return sum(len(re.findall(r"\w+", s.text)) for s in segments if s.kind == kind)


def _fold(lines: Sequence[str], *, first: bool, last: bool) -> Iterator[DiffRow]:
    head = 0 if first else CONTEXT_LINES
    tail = 0 if last else CONTEXT_LINES
    if len(lines) - head - tail < FEWEST_FOLDED:
        head, tail = len(lines), 0
    hidden = lines[head : len(lines) - tail]
    yield from map(_same_row, lines[:head])
    if hidden:
        yield DiffRow("folded", (Segment("same", "\n".join(hidden)),), len(hidden))
    yield from map(_same_row, lines[len(lines) - tail :] if tail else ())


def _same_row(line: str) -> DiffRow:
    return DiffRow("same", (Segment("same", line),))


def _changed_rows(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffRow]:
    """Blocks of equal length line by line, others as one block."""
    if len(old) == len(new):
        for left, right in zip(old, new, strict=True):
            yield DiffRow("changed", tuple(_diff_words(left, right)))
        return
    yield DiffRow(
        "changed", tuple(_diff_words("\n".join(old), "\n".join(new))), max(len(old), len(new))
    )


def _diff_words(before: str, after: str) -> Iterator[Segment]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if not old or not new or max(len(old), len(new)) > MAX_WORDS:
        yield from _replaced(before, after)
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    opcodes = matcher.get_opcodes()
    removed = added = ""
    for place, (tag, i1, i2, j1, j2) in enumerate(opcodes):
        left, right = "".join(old[i1:i2]), "".join(new[j1:j2])
        # A space that two changes share belongs to the phrase that changed around it.
        inside = left.isspace() and 0 < place < len(opcodes) - 1
        if tag == "equal" and not inside:
            yield from _replaced(removed, added)
            removed = added = ""
            yield Segment("same", left)
        else:
            removed, added = removed + left, added + right
    yield from _replaced(removed, added)


def _replaced(before: str, after: str) -> Iterator[Segment]:
    if before:
        yield Segment("removed", before)
    if after:
        yield Segment("added", after)
