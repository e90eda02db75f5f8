"""The embedded model behind the `Encoder` port, without torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kb.encoding.embedded import (
    EMBEDDED_DIMENSIONS,
    EMBEDDED_MODEL,
    EMBEDDED_SHA256,
    GRAPH_VERSION,
)
from kb.encoding.prepared import Graph, PreparedModels
from kb.ports import Vectors

if TYPE_CHECKING:
    from kb.encoding.minilm import MiniLm


class OnnxEncoder:
    """A prepared graph, loaded at the first text and not at construction."""

    def __init__(self, graph: Graph, models: PreparedModels) -> None:
        self._graph = graph
        self._models = models
        self._loaded: MiniLm | None = None
        self._lock = threading.Lock()

    @property
    def recipe(self) -> str:
        digest = EMBEDDED_SHA256[:12]
        return f"{EMBEDDED_MODEL}@{digest}/{self._graph}/mean/unit/v{GRAPH_VERSION}"

    @property
    def dimensions(self) -> int:
        return EMBEDDED_DIMENSIONS

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1; a row depends on its own text and on nothing else of the call.

        Raises:
            IntegrityError: The model's files are not the expected ones.
            UnavailableError: The model cannot be loaded or run.
        """
        if not texts:
            return np.zeros((0, EMBEDDED_DIMENSIONS), np.float32)
        return self._load().encode(texts)

    def _load(self) -> MiniLm:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._models.load(self._graph)
            return self._loaded
