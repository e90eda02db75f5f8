"""The embedded model run by ONNX Runtime; the one user of `onnxruntime` and `tokenizers`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from kb.encoding.embedded import EMBEDDED_DIMENSIONS, MAX_PIECES, MAX_TEXT_CHARACTERS
from kb.errors import UnavailableError
from kb.ports import Vectors

MOST_WORKERS = 4
_ERRORS_ONLY = 3


class MiniLm:
    """One loaded graph; any number of threads may encode at once.

    Texts go through it one by one: see `minilm_graph`. A run keeps to its caller's thread and many
    texts are spread over several. On two processors at a load of four to six that gave 134 texts a
    second, two threads within a run 102, one thread 93 (480 characters each); at a load of eleven
    two threads within a run were ahead (51 against 37), so measure again before relying on either.
    """

    def __init__(self, model: bytes, tokenizer: bytes) -> None:
        """Load a graph of `minilm_graph`.

        Raises:
            UnavailableError: ONNX Runtime or the tokenizer cannot take it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # Both raise bare subclasses of it.
            raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
        self._tokenizer.enable_truncation(MAX_PIECES)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1 in the texts' order.

        Raises:
            UnavailableError: The model cannot be run.
        """
        vectors = np.zeros((len(texts), EMBEDDED_DIMENSIONS), np.float32)
        try:
            if len(texts) == 1:
                vectors[0] = self._encode_one(texts[0])
                return vectors
            # Longest first, so that no worker is left alone with a long one at the end.
            order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
            with ThreadPoolExecutor(_count_workers(), "encoder") as workers:
                found = workers.map(self._encode_one, [texts[place] for place in order])
                for place, vector in zip(order, found, strict=True):
                    vectors[place] = vector
        except Exception as error:
            raise UnavailableError(f"embedded encoder: {error}") from error
        return vectors

    def _encode_one(self, text: str) -> Vectors:
        pieces = self._tokenizer.encode(text[:MAX_TEXT_CHARACTERS]).ids
        answer = self._session.run(None, {"ids": np.array([pieces], np.int64)})
        vector: Vectors = answer[0][0]
        return vector


def _count_workers() -> int:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(MOST_WORKERS, usable)
