"""Questions longer than the encoder reads at once."""

from __future__ import annotations

import numpy as np

from kb.encoding.hashing import HashingEncoder
from kb.questions import MOST_WINDOWS, WINDOW_WORDS, encode_questions


def test_a_short_question_is_encoded_as_it_is() -> None:
    encoder = HashingEncoder(64)
    for text in ("reset the hub", "", " spaced   out\nlines "):
        assert np.array_equal(encode_questions(encoder, [text])[0], encoder.encode([text])[0])


def test_the_end_of_a_long_question_counts() -> None:
    encoder = HashingEncoder(256)
    asked = "weather " * WINDOW_WORDS + "router " * WINDOW_WORDS
    vector, router = encode_questions(encoder, [asked])[0], encoder.encode(["router"])[0]
    assert float(vector @ router) > 0.6
    assert np.isclose(np.linalg.norm(vector), 1.0)


def test_questions_do_not_touch_each_other_and_endless_ones_are_cut() -> None:
    encoder = HashingEncoder(64)
    long = " ".join(f"word{n}" for n in range(WINDOW_WORDS * (MOST_WINDOWS + 3)))
    both = encode_questions(encoder, [long, "short"])
    assert np.array_equal(both[1], encoder.encode(["short"])[0])
    assert np.array_equal(both[0], encode_questions(encoder, [long])[0])
    assert encoder.encoded_count <= 2 * (MOST_WINDOWS + 1) + 2
