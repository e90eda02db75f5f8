"""Two texts compared by word, in rows that can stand side by side or in one column; pure.

Nothing here is quadratic in a whole text: what is equal at both ends goes first, then lines (or
words) that occur once in each text anchor the rest (patience diff, Cohen 2003), and only what is
left between two anchors is compared with all of its counterpart, if it is short.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

CONTEXT_LINES = 2
"""Unchanged lines kept in sight around a change; the rest is folded."""
FEWEST_FOLDED = 4
MAX_CELLS = 40_000
"""Pairs compared between two anchors: 200 words against 200. What is longer and shares no unique
word counts as replaced."""
MAX_PAIRED = 2_500
"""Pairs of changed lines tried for which stand side by side: 50 against 50."""
LIKE = 0.4
"""Share of common words from which on a line counts as the other one changed; judgement."""
KEPT_DIFFS = 32

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_PLAIN = re.compile(r"\w+")

Opcode = tuple[str, int, int, int, int]


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


@lru_cache(maxsize=KEPT_DIFFS)
def diff_texts(before: str, after: str) -> Diff:
    """Compare two texts by line, and lines that differ by word."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[DiffRow] = []
    for tag, i1, i2, j1, j2 in align(old, new):
        if tag == "equal":
            rows.extend(_fold(old[i1:i2], first=i1 == 0, last=i2 == len(old)))
        else:
            rows.extend(_changed_rows(old[i1:i2], new[j1:j2]))
    segments = [segment for row in rows for segment in row.segments]
    return Diff(tuple(rows), _count(segments, "added"), _count(segments, "removed"))


def align(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Runs of "equal" and "replace" that cover both sequences, in order."""
    pairs = _anchor(old, new)
    codes: list[Opcode] = []
    i = j = 0
    for x, y, size in [*pairs, (len(old), len(new), 0)]:
        if (i, j) != (x, y):
            codes.append(("replace", i, x, j, y))
        if size:
            codes.append(("equal", x, x + size, y, y + size))
        i, j = x + size, y + size
    return codes


def _anchor(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """Runs of equal items as (place in old, place in new, length), none touching the next."""
    found: list[tuple[int, int, int]] = []
    todo = [(0, len(old), 0, len(new))]
    while todo:
        i1, i2, j1, j2 = todo.pop()
        head = 0
        while i1 + head < i2 and j1 + head < j2 and old[i1 + head] == new[j1 + head]:
            head += 1
        if head:
            found.append((i1, j1, head))
        i1, j1 = i1 + head, j1 + head
        tail = 0
        while i2 - tail > i1 and j2 - tail > j1 and old[i2 - tail - 1] == new[j2 - tail - 1]:
            tail += 1
        i2, j2 = i2 - tail, j2 - tail
        if tail:
            found.append((i2, j2, tail))
        if i1 == i2 or j1 == j2:
            continue
        unique = _common_unique(old, i1, i2, new, j1, j2)
        if unique:
            ends = [*unique, (i2, j2)]
            # Each part begins with its anchor, which the next round takes off as equal.
            starts = [(i1, j1), *unique]
            todo += [(a, c, b, d) for (a, b), (c, d) in zip(starts, ends, strict=True)]
        elif (i2 - i1) * (j2 - j1) <= MAX_CELLS:
            matcher = SequenceMatcher(None, old[i1:i2], new[j1:j2], autojunk=False)
            found += [(i1 + m.a, j1 + m.b, m.size) for m in matcher.get_matching_blocks() if m.size]
    return _join(sorted(found))


def _join(runs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for i, j, size in runs:
        if joined and (joined[-1][0] + joined[-1][2], joined[-1][1] + joined[-1][2]) == (i, j):
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + size)
        else:
            joined.append((i, j, size))
    return joined


def _common_unique(
    old: Sequence[str], i1: int, i2: int, new: Sequence[str], j1: int, j2: int
) -> list[tuple[int, int]]:
    """Places of items that occur once on each side, the longest run of them in both orders."""
    left, right = Counter(old[i1:i2]), Counter(new[j1:j2])
    places = {new[j]: j for j in range(j1, j2) if right[new[j]] == 1 and left[new[j]] == 1}
    pairs = [(i, places[old[i]]) for i in range(i1, i2) if old[i] in places]
    ends: list[int] = []
    chain: list[int] = []
    previous: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        place = bisect_left(ends, j)
        previous.append(chain[place - 1] if place else None)
        ends[place : place + 1] = [j]
        chain[place : place + 1] = [number]
    kept: list[tuple[int, int]] = []
    number_or_none = chain[-1] if chain else None
    while number_or_none is not None:
        kept.append(pairs[number_or_none])
        number_or_none = previous[number_or_none]
    return kept[::-1]


def _count(segments: Sequence[Segment], kind: str) -> int:
    return sum(len(_PLAIN.findall(s.text)) for s in segments if s.kind == kind)


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
    """Blocks of equal length line by line; others with the lines that are alike paired."""
    if len(old) == len(new):
        pairs: list[tuple[int | None, int | None]] = [(n, n) for n in range(len(old))]
    elif len(old) * len(new) <= MAX_PAIRED:
        pairs = _pair_lines(old, new)
    else:
        pairs = [(i, None) for i in range(len(old))] + [(None, j) for j in range(len(new))]
    for i, j in pairs:
        left, right = "" if i is None else old[i], "" if j is None else new[j]
        if left == right:
            yield _same_row(left)
        else:
            yield DiffRow("changed", tuple(_diff_words(left, right)))


def _pair_lines(old: Sequence[str], new: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Lines in order, those alike side by side: the pairing with the most common words."""
    left = [Counter(_PLAIN.findall(line.lower())) for line in old]
    right = [Counter(_PLAIN.findall(line.lower())) for line in new]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    like = [[_likeness(a, b) for b in right] for a in left]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + like[i][j])
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if like[i][j] and best[i][j] == best[i + 1][j + 1] + like[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    pairs += [(n, None) for n in range(i, len(old))]
    pairs += [(None, n) for n in range(j, len(new))]
    return pairs


def _likeness(left: Counter[str], right: Counter[str]) -> float:
    """Common words over all words of the two, 0 to 1; 0 below `LIKE`."""
    total = left.total() + right.total()
    common = 2 * (left & right).total() / total if total else 0.0
    return common if common >= LIKE else 0.0


def _diff_words(before: str, after: str) -> Iterator[Segment]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if not old or not new:
        yield from _replaced(before, after)
        return
    codes = align(old, new)
    removed = added = ""
    for place, (tag, i1, i2, j1, j2) in enumerate(codes):
        left, right = "".join(old[i1:i2]), "".join(new[j1:j2])
        # A space that two changes share belongs to the phrase that changed around it.
        inside = left.isspace() and 0 < place < len(codes) - 1
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
