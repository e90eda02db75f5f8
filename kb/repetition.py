"""Text that several passages would say, said once; pure.

Equal means equal but for spacing and case. A chunk that stands in another passage is left out; a
longer chunk that holds one loses just those words, so that the stronger authority is the one that
is cited for them and nothing else is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kb.passage_text import cut_text, fold_text
from kb.types import StoredChunk

REPEATED_CHARACTERS = 20
"""A shorter text inside a longer one is a phrase they share, not a repeated text; judgement."""
_SEAM = "\x00"
"""Between chunks that do not follow each other."""


class ChunkTexts:
    """Folded texts and what was compared, kept while one context is packed."""

    def __init__(self) -> None:
        self._folded: dict[str, str] = {}
        self._beginnings: dict[str, frozenset[str]] = {}
        self._holds: dict[tuple[str, str], bool] = {}

    def fold(self, chunk: StoredChunk) -> str:
        if chunk.chunk_id not in self._folded:
            self._folded[chunk.chunk_id] = fold_text(chunk.text)
        return self._folded[chunk.chunk_id]

    def beginnings_of(self, folded: str) -> frozenset[str]:
        """With what a repeated part of the text could begin."""
        if folded not in self._beginnings:
            self._beginnings[folded] = frozenset(
                folded[place : place + REPEATED_CHARACTERS]
                for place in range(len(folded) - REPEATED_CHARACTERS + 1)
            )
        return self._beginnings[folded]

    def holds(self, whole: str, folded: str) -> bool:
        key = (whole, folded)
        if key not in self._holds:
            self._holds[key] = folded in whole
        return self._holds[key]


class Said:
    """What passages say so far, the strongest authority's first."""

    def __init__(self, texts: ChunkTexts) -> None:
        self._texts = texts
        self._chunks: set[str] = set()
        self._wholes: list[str] = []
        self._parts: dict[str, list[str]] = {}

    def left_of(self, chunks: Sequence[StoredChunk]) -> list[tuple[StoredChunk, str]]:
        """The chunks that say more than was said, each with the words that are left of it."""
        left: list[tuple[StoredChunk, str]] = []
        own: set[str] = set()
        for chunk in chunks:
            folded = self._texts.fold(chunk)
            if folded in own or self._is_said(folded):
                continue
            own.add(folded)
            text = self._shorten(chunk.text.strip(), folded)
            if text is not None:
                left.append((chunk, text))
        return left

    def add(self, chunks: Sequence[StoredChunk]) -> None:
        """Take in a passage's chunks, in reading order."""
        whole, after = "", None
        for chunk in chunks:
            folded = self._texts.fold(chunk)
            whole += (
                "" if after is None else " " if chunk.position == after + 1 else _SEAM
            ) + folded
            after = chunk.position
            self._chunks.add(folded)
            # A document without a body is its title: others that name it do not repeat it.
            is_title = folded == fold_text(chunk.document.metadata.title)
            if len(folded) >= REPEATED_CHARACTERS and not is_title:
                self._parts.setdefault(folded[:REPEATED_CHARACTERS], []).append(folded)
        self._wholes.append(whole)

    def _is_said(self, folded: str) -> bool:
        if folded in self._chunks:
            return True
        return len(folded) >= REPEATED_CHARACTERS and any(
            self._texts.holds(whole, folded) for whole in self._wholes
        )

    def _shorten(self, text: str, folded: str) -> str | None:
        """The text without the parts that were said, or None where no word is left."""
        beginnings = self._parts.keys() & self._texts.beginnings_of(folded)
        said = {part for key in beginnings for part in self._parts[key] if part in folded}
        for part in sorted(said, key=lambda part: (-len(part), part)):
            text = cut_text(text, part)
        return text if not said or re.search(r"\w", text) else None
