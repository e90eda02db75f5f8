"""The encoder alone, as sentence-transformers runs it: the floor under every peer's latency."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from serve import model_directory


class EncoderSystem:
    def __init__(self) -> None:
        self._model: Any = None

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"ingest_seconds": None}

    def open(self, options: dict[str, Any]) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(model_directory(), device="cpu")

    def search(self, query: str) -> list[str]:
        self._model.encode([query], show_progress_bar=False)
        return []

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        pass


SYSTEM = EncoderSystem()
