"""How much of an article's own statements a draft says, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kb.ports import Encoder
from kb.quantities import plain_text
from kb.statements import split_sentences

SAME_STATEMENT = 0.6
"""Cosine (MiniLM) from which on two sentences of two texts count as one statement. Judgement,
from pairs looked at and not counted: below it the object mostly differs."""
FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares, 0 to 1; None where there is nothing to compare."""

    recall: float | None
    """Of the article's statements, those that the draft says."""
    precision: float | None
    """Of the draft's statements, those that the article says."""


def compare_statements(draft: Sequence[str], article: str, encoder: Encoder) -> Overlap:
    """Align statements by their nearest neighbour on the other side."""
    theirs = [
        text
        for sentence in split_sentences(article)
        if len((text := plain_text(sentence.text)).split()) >= FEWEST_WORDS
        and not text.startswith("|")
    ]
    ours = [plain_text(text) for text in draft]
    if not theirs or not ours:
        return Overlap(0.0 if theirs else None, None)
    similar = np.asarray(encoder.encode(ours)) @ np.asarray(encoder.encode(theirs)).T
    return Overlap(
        float((similar.max(axis=0) >= SAME_STATEMENT).mean()),
        float((similar.max(axis=1) >= SAME_STATEMENT).mean()),
    )
