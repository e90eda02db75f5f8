"""Texts to vectors through sentence-transformers; the one user of it, and so of torch.

For any model a user's machine holds, and for the embedded one where ONNX Runtime cannot run it. The
library takes six seconds to import, so that happens at the first text and not at construction.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from kb.encoding.embedded import (
    EMBEDDED_DIMENSIONS,
    EMBEDDED_MODEL,
    EMBEDDED_SHA256,
    MAX_TEXT_CHARACTERS,
    embedded_directory,
    read_weights,
)
from kb.errors import UnavailableError
from kb.ports import Vectors


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
            return EMBEDDED_DIMENSIONS
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
            read_weights()
            path = str(embedded_directory())
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            return SentenceTransformer(path, device="cpu")
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            raise UnavailableError(f"encoder {self._name}: {error}", retryable=False) from error
