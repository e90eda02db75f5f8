"""Hits to cited passages within a token budget; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kb.types import Hit

CHARACTERS_PER_TOKEN = 4
"""The usual estimate for English text with byte-pair vocabularies; errs on the safe side."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One cited passage of the packed context."""

    citation: str
    """"[1]", "[2]" …: how the prompt refers to it."""
    hit: Hit
    text: str
    tokens: int


def estimate_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def pack_context(hits: Sequence[Hit], token_budget: int) -> list[Passage]:
    """Take hits in their order while they fit; leave out overruled, unverified and repeated text.

    A passage is taken whole or not at all: half a procedure is worse than none.

    Args:
        hits: Best first.
        token_budget: Upper bound of the sum of `tokens`, headings included.
    """
    packed: list[Passage] = []
    seen: set[str] = set()
    left = token_budget
    for hit in hits:
        if hit.overruled_by is not None or hit.unverified is not None:
            continue
        body = " ".join(hit.chunk.text.split())
        if body in seen:
            continue
        heading = " > ".join((hit.chunk.document.metadata.title, *hit.chunk.heading_path))
        citation = f"[{len(packed) + 1}]"
        text = f"{citation} {heading}\n{hit.chunk.text.strip()}"
        tokens = estimate_tokens(text)
        if tokens > left:
            continue
        seen.add(body)
        left -= tokens
        packed.append(Passage(citation, hit, text, tokens))
    return packed
