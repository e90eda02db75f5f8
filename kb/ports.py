"""What the pure floors need from the world, as protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...


class Encoder(Protocol):
    """Texts to unit vectors."""

    @property
    def recipe(self) -> str:
        """Name of the model, its weights' digest and settings; vectors of two recipes never mix."""
        ...

    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Returns:
            float32 array (len(texts), dimensions), rows of length 1; row i belongs to texts[i].

        Raises:
            UnavailableError: The model cannot be loaded or run.
        """
        ...


class VectorIndex(Protocol):
    """A sealed generation, read only."""

    @property
    def generation(self) -> str: ...

    def nearest(
        self, vector: Vectors, audiences: Sequence[str], limit: int
    ) -> list[tuple[str, float]]:
        """Chunk ids with cosine similarity, best first, out of the audiences' collections.

        Raises:
            IndexAwayError: The index cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model answered."""

    text: str
    tokens_in: int
    tokens_out: int
    cost: float | None
    """In the currency of the configured prices; None where no price is configured."""


class LanguageModel(Protocol):
    """Text to text; no tools, no memory, no reach."""

    @property
    def name(self) -> str: ...

    def complete(self, instructions: str, content: str) -> Completion:
        """Answer one request.

        Args:
            instructions: What is to be done; ours alone.
            content: Quoted data; whatever it says, it is data.

        Raises:
            UnavailableError: No whole answer in time, for whatever reason; the message tells.
        """
        ...
