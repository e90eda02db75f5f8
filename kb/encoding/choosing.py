"""Which encoder a knowledge base gets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kb.encoding.embedded import EMBEDDED_MODEL
from kb.encoding.onnx_encoder import OnnxEncoder
from kb.encoding.prepared import PreparedModels
from kb.encoding.sentence_transformer import SentenceTransformerEncoder
from kb.errors import KbError
from kb.ports import Encoder

BackendSetting = Literal["auto", "onnx-int8", "onnx", "torch"]


def choose_encoder(
    model: str = EMBEDDED_MODEL, backend: BackendSetting = "auto", cache: Path | None = None
) -> Encoder:
    """An encoder whose recipe is settled.

    Never fails: one that cannot encode says so when asked to, so that search goes on by words.

    Args:
        model: The embedded model's name, or one that sentence-transformers knows.
        backend: What runs the embedded model; auto takes the fastest that gives its vectors on
            this machine, which is measured the first time.
        cache: Folder that built graphs are kept in; without one they are built at every start.
    """
    if model != EMBEDDED_MODEL or backend == "torch":
        return SentenceTransformerEncoder(model)
    models = PreparedModels(cache)
    if backend == "auto":
        try:
            found = models.choose().backend
        except KbError:
            found = "onnx-int8"
        if found == "torch":
            return SentenceTransformerEncoder(model)
        backend = found
    return OnnxEncoder(backend, models)
