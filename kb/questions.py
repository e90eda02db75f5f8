"""Questions to vectors: a long ticket is read to its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kb.ports import Encoder, Vectors

WINDOW_WORDS = 180
"""What the encoder reads at once, as for chunks. On role plays of 500 words .394 nDCG@10 with the
mean over windows, .351 with the first window alone (bench/README.md)."""
MOST_WINDOWS = 6


def encode_questions(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """One vector a question: the mean direction of its windows.

    Its cosine to a passage is, up to one factor, the mean of its windows' cosines.

    Returns:
        float32 array (len(texts), dimensions), rows of length 1.

    Raises:
        UnavailableError: The model cannot be loaded or run.
    """
    windows = [_cut(text) for text in texts]
    encoded = encoder.encode([window for found in windows for window in found])
    vectors = np.zeros((len(texts), encoder.dimensions), np.float32)
    start = 0
    for row, found in enumerate(windows):
        parts = encoded[start : start + len(found)]
        start += len(found)
        mean = parts.mean(axis=0)
        length = float(np.linalg.norm(mean))
        vectors[row] = mean / length if len(found) > 1 and length > 0 else parts[0]
    return vectors


def _cut(text: str) -> list[str]:
    """The text itself where it fits, else even windows; what is beyond the last is not read."""
    words = text.split()
    if len(words) <= WINDOW_WORDS:
        return [text]
    words = words[: WINDOW_WORDS * MOST_WINDOWS]
    count = -(-len(words) // WINDOW_WORDS)
    size = -(-len(words) // count)
    return [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
