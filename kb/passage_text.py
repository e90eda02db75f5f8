"""The words of a passage: chunks joined, losing statements left out, marks escaped; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from kb.types import StoredChunk

LEFT_OUT = "[…]"
"""Stands where chunks between two others, or words cited elsewhere, are left out."""

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_MARK = re.compile(r"(?<![^\W_])(?<!\\)([\[［【])(?=[^\w\n]{0,40}\d(?:\d|[^\w\n]){0,40}[\]］】])")

_LETTERS = re.compile(r"[^\W_]+")


def fold_text(text: str) -> str:
    """What is compared: one space between words, no case."""
    return " ".join(text.split()).casefold()


def escape_marks(text: str) -> str:
    """The text with every bracketed number escaped, so that only we begin or cite a passage.

    "[2]" becomes "\\[2]", which Markdown shows as it was. Every kind of line break becomes a
    newline. Behind a letter or digit, as in "args[0]", a bracket is code and stays.
    """
    return _MARK.sub(r"\\\1", _LINE_ENDS.sub("\n", text))


class ReadingText:
    """The chunks of one document as they read on, to find statements in.

    Compared by letters and digits alone: a statement was cut out of the document's source, a chunk
    out of what a reader sees of it, so spacing, marks and line ends may differ, and either may end
    in the middle of the other. Digits of two numbers never join.
    """

    def __init__(self, chunks: Sequence[StoredChunk]) -> None:
        self.chunks = sorted(chunks, key=lambda chunk: chunk.position)
        folded = [_fold_letters(chunk.text) for chunk in self.chunks]
        self._starts = [0]
        whole = ""
        for text in folded:
            whole = _join_letters(whole, text)
            self._starts.append(len(whole))
        self._whole = whole

    def holding(self, statement: str) -> set[str]:
        """Ids of the chunks that hold any part of a statement the document makes."""
        letters = _fold_letters(statement)
        if not letters:
            return set()
        before = r"(?<!\d)" if letters[0].isdigit() else ""
        after = r"(?!\d)" if letters[-1].isdigit() else ""
        found = set()
        for match in re.finditer(f"{before}{re.escape(letters)}{after}", self._whole):
            for chunk, (start, end) in zip(self.chunks, pairwise(self._starts), strict=True):
                if start < match.end() and match.start() < end:
                    found.add(chunk.chunk_id)
        return found


def _fold_letters(text: str) -> str:
    folded = ""
    for word in _LETTERS.findall(text.casefold()):
        folded = _join_letters(folded, word)
    return folded


def _join_letters(before: str, after: str) -> str:
    """Without a space, but for one between two digits: 1.4 is not 14."""
    between = " " if before[-1:].isdigit() and after[:1].isdigit() else ""
    return f"{before}{between}{after}"


def leave_out_losing(chunks: Sequence[StoredChunk], statements: Sequence[str]) -> list[StoredChunk]:
    """The chunks of one document that hold no part of a statement, in reading order."""
    text = ReadingText(chunks)
    lost: set[str] = set().union(*(text.holding(said) for said in set(statements)))
    return [chunk for chunk in text.chunks if chunk.chunk_id not in lost]


def join_chunks(chunks: Sequence[tuple[StoredChunk, str]], root: tuple[str, ...]) -> str:
    """Chunks with the words to show of each, in reading order, under the headings below `root`.

    Neighbours of one section follow on the next line: a long section is cut at sentences, list
    entries and table rows, and chunks never overlap. Where one is missing between, `LEFT_OUT`
    says so.
    """
    parts: list[str] = []
    path, after = root, None
    for chunk, text in chunks:
        if after is not None:
            missing = chunk.position != after + 1
            parts.append(f"\n\n{LEFT_OUT}\n\n" if missing else "\n")
            if not missing and chunk.heading_path != path:
                parts.append("\n")
        for depth in _new_headings(path, chunk.heading_path, root):
            name = " ".join(chunk.heading_path[depth].split())
            parts.append(f"{'#' * min(depth + 2, 6)} {name}\n\n")
        parts.append(text)
        path, after = chunk.heading_path, chunk.position
    return "".join(parts)


def _new_headings(before: tuple[str, ...], path: tuple[str, ...], root: tuple[str, ...]) -> range:
    """Depths of the headings to show before a chunk; its last one at least, where it changed."""
    if path == before:
        return range(0)
    shared = 0
    while shared < min(len(before), len(path)) and before[shared] == path[shared]:
        shared += 1
    return range(max(len(root), min(shared, len(path) - 1)), len(path))


def cut_text(text: str, folded: str) -> str:
    """The text with a repeated part, given as folded, replaced by `LEFT_OUT`."""
    pattern = r"\s+".join(re.escape(word) for word in folded.split())
    return re.sub(pattern, LEFT_OUT, text, flags=re.IGNORECASE)
