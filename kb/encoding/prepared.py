"""Graphs of the embedded model kept between runs, and which of them this machine may use.

A graph is a pure function of the checked weights, so a lost, damaged or unwritable cache costs the
seconds of a build and changes no vector. Which graph serves is measured once a machine and kept,
because it decides the recipe, and a recipe that moves embeds everything anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from filelock import FileLock

from kb.encoding.embedded import EMBEDDED_SHA256, GRAPH_VERSION, read_tokenizer, read_weights
from kb.encoding.specimens import REFERENCE_TOLERANCE, REFERENCES, SPECIMENS
from kb.errors import UnavailableError

if TYPE_CHECKING:
    from kb.encoding.minilm import MiniLm

Graph = Literal["onnx-int8", "onnx"]
Backend = Literal["onnx-int8", "onnx", "torch"]
MEAN_COSINE = 0.99
LEAST_COSINE = 0.97
"""Of the 8-bit vectors to the exact ones. Measured on the specimens: mean 0.9954, least 0.9828 (the
empty text)."""
CHOICE = "choice.json"
log = logging.getLogger("kb.encoding")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a machine was found to run."""

    backend: Backend
    reason: str
    """Why none that is faster."""
    mean_cosine: float
    least_cosine: float

    def describe(self) -> str:
        if self.backend == "onnx-int8":
            return f"onnx-int8, cosine to the exact vectors {self.mean_cosine:.3f}"
        return f"{self.backend}, because {self.reason}"


class PreparedModels:
    """The cache of one user on one machine; without a folder everything is built anew."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / _cache_key()

    def load(self, graph: Graph) -> MiniLm:
        """A graph ready to run, from the cache where it is there and whole.

        Raises:
            IntegrityError: The weights or the tokenizer are not the expected ones.
            UnavailableError: They cannot be read, or ONNX Runtime cannot run here.
        """
        model = self._read_model(graph)
        if model is None:
            with self._locked():
                model = self._read_model(graph)
                if model is None:
                    model = _build(graph)
                    self._keep_model(graph, model)
        return _start(model)

    def choose(self) -> Choice:
        """The fastest backend that gives the model's vectors here; measured at the first call.

        Raises:
            IntegrityError: The weights or the tokenizer are not the expected ones.
            UnavailableError: They cannot be read.
        """
        choice = self._read_choice()
        if choice is None:
            with self._locked():
                choice = self._read_choice() or self._measure()
        return choice

    def choose_anew(self) -> Choice:
        """Measure again, as after a failure that has gone; raises what `choose` raises."""
        with self._locked():
            return self._measure()

    def _measure(self) -> Choice:
        choice = self._find_fastest()
        self._keep(CHOICE, json.dumps(asdict(choice), indent=1).encode())
        return choice

    def _find_fastest(self) -> Choice:
        read_weights()
        read_tokenizer()
        try:
            exact = _start(_build("onnx"))
            if (fault := _find_fault(exact)) is not None:
                return Choice("torch", fault, 0.0, 0.0)
        except UnavailableError as error:
            return Choice("torch", error.message, 0.0, 0.0)
        try:
            model = _build("onnx-int8")
            mean, least = _compare(_start(model), exact)
        except UnavailableError as error:
            return Choice("onnx", error.message, 0.0, 0.0)
        if mean < MEAN_COSINE or least < LEAST_COSINE:
            return Choice("onnx", f"8-bit vectors are off: cosine {mean:.3f}", mean, least)
        self._keep_model("onnx-int8", model)
        return Choice("onnx-int8", "", mean, least)

    def _read_model(self, graph: Graph) -> bytes | None:
        if self._folder is None:
            return None
        try:
            model = (self._folder / f"{graph}.onnx").read_bytes()
            wanted = (self._folder / f"{graph}.sha256").read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        if hashlib.sha256(model).hexdigest() != wanted:
            log.warning("%s in %s is damaged and built anew", graph, self._folder)
            return None
        return model

    def _keep_model(self, graph: Graph, model: bytes) -> None:
        self._keep(f"{graph}.onnx", model)
        self._keep(f"{graph}.sha256", hashlib.sha256(model).hexdigest().encode())

    def _read_choice(self) -> Choice | None:
        if self._folder is None:
            return None
        try:
            stored = json.loads((self._folder / CHOICE).read_text(encoding="utf-8"))
            choice = Choice(**stored)
        except (OSError, ValueError, TypeError):
            return None
        return choice if choice.backend in ("onnx-int8", "onnx", "torch") else None

    def _keep(self, name: str, content: bytes) -> None:
        """Write under another name and rename, so that no reader ever sees half a file."""
        if self._folder is None:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self._folder / name)
        except OSError as error:
            log.warning("%s is not kept and built at every start: %s", name, error)

    def _locked(self) -> AbstractContextManager[object]:
        """One builder at a time; where the folder cannot be written, each builds its own."""
        folder = self._folder
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if os.access(folder, os.W_OK):
                    return FileLock(folder / "build.lock")
            except OSError as error:
                log.warning("%s: %s", folder, error)
            self._folder = None
        return nullcontext()


def _cache_key() -> str:
    """What decides a graph's vectors: weights, builder and the library that runs it."""
    try:
        runtime = metadata.version("onnxruntime")
    except metadata.PackageNotFoundError:
        runtime = "none"
    return f"minilm-{EMBEDDED_SHA256[:12]}-graph{GRAPH_VERSION}-onnxruntime{runtime}"


def _build(graph: Graph) -> bytes:
    weights = read_weights()
    try:
        # Only a build needs onnx; a start from the cache does without.
        from kb.encoding.minilm_graph import build_graph
    except ImportError as error:
        raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
    return build_graph(weights, quantised=graph == "onnx-int8")


def _start(model: bytes) -> MiniLm:
    try:
        # A machine ONNX Runtime has no build for falls back to torch.
        from kb.encoding.minilm import MiniLm
    except ImportError as error:
        raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
    return MiniLm(model, read_tokenizer())


def _find_fault(exact: MiniLm) -> str | None:
    """Where the exact graph differs from what the model's authors' code gives."""
    found = exact.encode(list(REFERENCES))
    for vector, (text, wanted) in zip(found, REFERENCES.items(), strict=True):
        off = float(np.abs(vector[: len(wanted)] - np.asarray(wanted)).max())
        if off > REFERENCE_TOLERANCE:
            return f"ONNX Runtime's vector of {text!r} is off by {off:.4f}"
    return None


def _compare(quick: MiniLm, exact: MiniLm) -> tuple[float, float]:
    cosines = (quick.encode(SPECIMENS) * exact.encode(SPECIMENS)).sum(axis=1)
    return float(cosines.mean()), float(cosines.min())
