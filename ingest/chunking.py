"""Sections → chunks: the one place that decides what a unit of retrieval is.

No word of the text is lost or repeated; a chunk never exceeds `CHUNK_WORDS`. Only long sections
are split, at paragraphs, then sentences, list entries and table rows, then words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from ingest.parsing.markdown import parse_sections, strip_hidden
from kb.types import Chunk, ParsedDocument, Section
from kb.vectors import embedded_text, hash_text

CHUNK_WORDS = 180
"""With the title embedded, .564 nDCG@10 on customers' questions against .550 at 110 words without
(bench/README.md); with title and headings it just fits the 256 pieces the encoder reads."""
SHORT_SECTION_WORDS = 25
"""Below this a section says too little to be found by itself and joins its neighbour."""
CHUNKING_RECIPE = f"v2/{CHUNK_WORDS}"
"""Part of a document's content hash: raise it with every change here, and all are chunked again."""
BALANCE_WORDS = 25
"""Room above the even share, so that splits fall at sentences and no stub is left at the end."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = rf"(?:[{_CJK}]{{1,2}}|[^\s{_CJK}]{{1,20}})"
_WORDS = re.compile(_WORD)
_WORDS_WITH_SPACE = rf"{_WORD}\s*|\s+"
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"'”’)\]]*\s+|(?<=[。！？])|\n(?=[ \t]*(?:[-*+|>#`]|\d+[.)][ \t]))"
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A section, or neighbours merged, on its way to becoming chunks."""

    heading_path: tuple[str, ...]
    text: str
    words: int


def chunk_document(document: ParsedDocument) -> list[Chunk]:
    """Chunks of a document's body at positions 0..n-1.

    A body without anything to read gives one chunk holding the title, so that the document can
    still be found.
    """
    title = document.metadata.title
    parts = chunk_sections(parse_sections(document.markdown), title)
    return parts or [_to_chunk(0, title, (), title)]


def chunk_sections(sections: Sequence[Section], title: str) -> list[Chunk]:
    """Chunks in reading order; none where no section holds anything a reader sees."""
    parts = [
        (piece.heading_path, text)
        for piece in _merge_short(_read_pieces(sections))
        for text in _split_text(piece)
    ]
    return [_to_chunk(position, title, path, text) for position, (path, text) in enumerate(parts)]


def count_words(text: str) -> int:
    """Words as chunks measure them: a long one, as in a URL, counts once per 20 characters."""
    return len(_WORDS.findall(text))


def _to_chunk(position: int, title: str, path: tuple[str, ...], text: str) -> Chunk:
    embedded = embedded_text(title, path, text)
    return Chunk(position, path, text, embedded, hash_text(embedded))


def _read_pieces(sections: Sequence[Section]) -> list[_Piece]:
    """What sections say; a heading alone is text itself unless it heads the section after it."""
    pieces: list[_Piece] = []
    for i, section in enumerate(sections):
        path = tuple(strip_hidden(heading).strip() for heading in section.heading_path)
        text = strip_hidden(section.text).strip("\n").rstrip()
        if not text.strip():
            below = sections[i + 1].heading_path if i + 1 < len(sections) else ()
            if not path or below[: len(path)] == section.heading_path:
                continue
            path, text = path[:-1], path[-1]
        if text.strip():
            pieces.append(_Piece(path, text, count_words(text)))
    return pieces


def _merge_short(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Join very short neighbours under one parent, as long as both fit one chunk."""
    merged: list[_Piece] = []
    for piece in pieces:
        joined = _join(merged[-1], piece) if merged else None
        if joined is None:
            merged.append(piece)
        else:
            merged[-1] = joined
    return merged


def _join(first: _Piece, second: _Piece) -> _Piece | None:
    if min(first.words, second.words) >= SHORT_SECTION_WORDS:
        return None
    shared = _shared_path(first.heading_path, second.heading_path)
    if max(len(first.heading_path), len(second.heading_path)) > len(shared) + 1:
        return None
    text = f"{_under(shared, first)}\n\n{_under(shared, second)}"
    words = count_words(text)
    return _Piece(shared, text, words) if words <= CHUNK_WORDS else None


def _shared_path(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    return first[:shared]


def _under(shared: tuple[str, ...], piece: _Piece) -> str:
    """The text with the headings that the shared path no longer tells."""
    return "\n\n".join((*piece.heading_path[len(shared) :], piece.text))


def _split_text(piece: _Piece) -> list[str]:
    if piece.words <= CHUNK_WORDS:
        return [piece.text]
    count = -(-piece.words // CHUNK_WORDS)
    size = min(CHUNK_WORDS, -(-piece.words // count) + BALANCE_WORDS)
    return [str(part) for part in _splitter(size).split_text(piece.text)]


def _split_sentences(text: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    bounds = [0, *ends, len(text)]
    parts = [text[a:b] for a, b in pairwise(bounds) if b > a]
    # Code and addresses have lines where prose has sentences.
    return parts if len(parts) > 1 else text.splitlines(keepends=True)


@lru_cache(maxsize=CHUNK_WORDS)
def _splitter(size: int) -> Any:
    # Importing llama-index costs over a second, and short documents never need it.
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(
        chunk_size=size,
        chunk_overlap=0,
        paragraph_separator="\n\n",
        tokenizer=_WORDS.findall,
        chunking_tokenizer_fn=_split_sentences,
        secondary_chunking_regex=_WORDS_WITH_SPACE,
    )
