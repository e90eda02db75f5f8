"""Texts to vectors: deterministic, of length one, and never made twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.database import Database
from kb.encoding.hashing import HashingEncoder
from kb.encoding.sentence_transformer import SentenceTransformerEncoder
from kb.errors import UnavailableError
from kb.ports import Vectors
from kb.vectors import (
    ENCODE_BATCH,
    embed_live,
    embed_texts,
    embedded_text,
    hash_text,
    read_embeddings,
)
from tests.kb.factories import Knowledge, make_parsed


@given(st.lists(st.text(max_size=60), max_size=5))
def test_hashed_rows_have_length_one_and_depend_on_their_own_text_only(texts: list[str]) -> None:
    encoder = HashingEncoder(32)
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(texts), 32) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(encoder.encode([text])[0], vector)


def test_shared_words_mean_closeness() -> None:
    one, near, far = HashingEncoder().encode(["reset the router", "the router reset", "pay a bill"])
    assert one @ near > 0.99
    assert one @ far < 0.5


def test_a_vector_is_the_same_in_every_process() -> None:
    program = "from kb.encoding.hashing import HashingEncoder as H; print(H().encode(['a b é']).tobytes().hex())"
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


def test_recipes_tell_encoders_apart() -> None:
    recipes = {HashingEncoder(32).recipe, HashingEncoder(64).recipe}
    recipes |= {SentenceTransformerEncoder().recipe, SentenceTransformerEncoder("other").recipe}
    assert len(recipes) == 4


def test_no_texts_need_no_model() -> None:
    assert SentenceTransformerEncoder().encode([]).shape == (0, 384)


def test_a_model_that_cannot_be_loaded_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no such model")

    stand_in = SimpleNamespace(SentenceTransformer=fail)
    logging = SimpleNamespace(logging=SimpleNamespace(disable_progress_bar=lambda: None))
    monkeypatch.setitem(sys.modules, "sentence_transformers", stand_in)
    monkeypatch.setitem(sys.modules, "transformers.utils", logging)
    with pytest.raises(UnavailableError, match="encoder /nowhere: no such model") as caught:
        SentenceTransformerEncoder("/nowhere").encode(["a"])
    assert caught.value.retryable is False


def test_only_texts_without_a_vector_are_encoded(database: Database) -> None:
    encoder = HashingEncoder(32)
    texts = {hash_text(text): text for text in ("one", "two")}
    assert embed_texts(database, encoder, texts)[1] == 2
    texts |= {hash_text("three"): "three"}
    found, encoded = embed_texts(database, encoder, texts)
    assert (encoded, encoder.encoded_count) == (1, 3)
    assert all(np.array_equal(found[hash_text(t)], encoder.encode([t])[0]) for t in texts.values())


def test_vectors_of_two_recipes_never_mix(database: Database) -> None:
    texts = {hash_text("one"): "one"}
    embed_texts(database, HashingEncoder(32), texts)
    found, encoded = embed_texts(database, HashingEncoder(64), texts)
    assert encoded == 1 and len(found[hash_text("one")]) == 64
    with database.read() as connection:
        assert len(read_embeddings(connection, HashingEncoder(32).recipe, texts)) == 1


def test_what_a_stopped_run_encoded_is_kept(database: Database) -> None:
    class Stopping(HashingEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            if self.encoded_count:
                raise InterruptedError
            return super().encode(texts)

    texts = {hash_text(str(n)): str(n) for n in range(ENCODE_BATCH + 10)}
    with pytest.raises(InterruptedError):
        embed_texts(database, Stopping(32), texts)
    assert embed_texts(database, HashingEncoder(32), texts)[1] == 10


def test_the_title_is_embedded_apart_from_the_text() -> None:
    assert embedded_text("Hub", ("Setup", "Cable"), "Plug it.") == "Hub\nSetup > Cable\nPlug it."
    assert embedded_text("Hub", ("Hub", "Cable"), "Plug it.") == "Hub\nCable\nPlug it."
    assert embedded_text("Hub", (), "Plug it.") == "Hub\nPlug it."
    assert embedded_text("Hub", (), "Hub") == "Hub"


def test_another_encoder_embeds_everything_live_once(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a", "One."), make_parsed("b", "Two."))
    knowledge.put(make_parsed("a", "Three."))
    other = HashingEncoder(16)
    # Two live chunks and two titles; the retired chunk is left alone.
    assert embed_live(knowledge.database, other) == 4
    assert embed_live(knowledge.database, other) == 0
