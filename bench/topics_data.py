"""Labelled texts for the topic benchmarks, and their vectors."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kb.encoding.choosing import choose_encoder
from kb.ports import Vectors

OUT_OF_SCOPE = "oos"
_FILES = {
    "natcs": ("natcs_dev/insurance.turns.jsonl.gz",),
    "banking77": ("banking77/test.csv.gz",),
    "clinc150": ("clinc150/test.csv.gz",),
    "scale": ("banking77/train.csv.gz", "clinc150/train.csv.gz", "clinc150/val.csv.gz"),
}


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """A set's texts with their gold topics, in the file's order."""

    name: str
    texts: list[str]
    labels: list[str]


def find_data(data: Path | None, names: tuple[str, ...]) -> Path | str:
    """The folder that holds the sets, or one line that says what is missing."""
    if data is None:
        return "no data: pass --data DIR, the folder that holds the data sets"
    missing = [file for name in names for file in _FILES[name] if not (data / file).is_file()]
    return f"{data} lacks {', '.join(missing)}" if missing else data


def read_texts(data: Path, name: str) -> LabelledTexts:
    """A set without texts that are out of every topic."""
    rows = [row for file in _FILES[name] for row in _read_rows(data / file)]
    kept = [row for row in rows if row["label"] != OUT_OF_SCOPE]
    return LabelledTexts(name, [row["text"] for row in kept], [row["label"] for row in kept])


def read_vectors(texts: list[str], work: Path) -> Vectors:
    """MiniLM vectors of the texts, kept in the work folder under the hash of recipe and texts."""
    encoder = choose_encoder()
    path = vectors_path(texts, encoder.recipe, work)
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = encoder.encode(texts)
    np.save(path, vectors)
    return vectors


def vectors_path(texts: list[str], recipe: str, work: Path) -> Path:
    key = hashlib.sha256(json.dumps([recipe, texts]).encode()).hexdigest()[:16]
    return work / "vectors" / f"{key}.npy"


def hash_texts(texts: list[str]) -> list[str]:
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def _read_rows(path: Path) -> list[dict[str, Any]]:
    read: Callable[..., Any] = csv.DictReader if path.name.endswith(".csv.gz") else _read_lines
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(read(file))


def _read_lines(file: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file]
