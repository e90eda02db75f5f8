"""Made-up tickets around real texts' vectors: skewed topics, copies, near copies and noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from topics_data import LabelledTexts

from kb.ports import Vectors

COPIES, NEAR_COPIES, NOISE = 0.10, 0.05, 0.10
"""Shares of the tickets."""
SKEW = 1.0
"""Zipf's exponent of the topics' sizes."""
WANDER = 0.45
"""Length of the noise on a ticket's vector: its cosine with the text it was made from is .91."""
NEAR_WANDER = 0.12
"""The same for a near copy: .993."""
BLOCK = 50_000


def write_tickets(texts: LabelledTexts, vectors: Vectors, count: int, folder: Path) -> list[str]:
    """Write float16 vectors.npy, texts.json and true_count.json; give the planted topics.

    A ticket is a text of its topic with noise on the vector; a copy repeats the ticket before it; a
    near copy has hardly any noise; noise is the mean of two texts of two topics and of no topic
    (planted as "").
    """
    generator = np.random.default_rng(20_261_121)
    names, gold = np.unique(np.asarray(texts.labels), return_inverse=True)
    shares = 1.0 / np.arange(1, len(names) + 1) ** SKEW
    shares = generator.permutation(shares / shares.sum())
    topics = generator.choice(len(names), size=count, p=shares)
    by_topic = [np.nonzero(gold == topic)[0] for topic in range(len(names))]
    rows = np.asarray([generator.choice(by_topic[topic]) for topic in topics.tolist()])
    kind = generator.choice(
        ["copy", "near", "noise", "own"], size=count,
        p=[COPIES, NEAR_COPIES, NOISE, 1 - COPIES - NEAR_COPIES - NOISE],
    )  # fmt: skip
    kind[0] = "own"
    others = generator.integers(len(gold), size=count)
    folder.mkdir(parents=True, exist_ok=True)
    written = open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float16, shape=(count, vectors.shape[1])
    )
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        written[part] = _make_block(generator, vectors, rows[part], others[part], kind[part])
    originals = np.maximum.accumulate(np.where(kind == "copy", -1, np.arange(count)))
    for start in range(0, count, BLOCK):
        places = np.arange(start, min(start + BLOCK, count))
        copied = places[kind[places] == "copy"]
        written[copied] = written[originals[copied]]
    written.flush()
    planted = np.where(kind == "noise", "", names[gold[rows]])[originals]
    (folder / "texts.json").write_text(
        json.dumps([f"{texts.texts[rows[place]]} ({place})" for place in originals.tolist()])
    )
    (folder / "true_count.json").write_text(json.dumps(len(names)))
    return [str(name) for name in planted]


def _make_block(
    generator: np.random.Generator,
    vectors: Vectors,
    rows: np.ndarray,
    others: np.ndarray,
    kind: np.ndarray,
) -> Vectors:
    made = vectors[rows] + np.where(kind == "noise", 1.0, 0.0)[:, None] * vectors[others]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    noise = generator.normal(size=made.shape) / np.sqrt(made.shape[1])
    made = made + np.where(kind == "near", NEAR_WANDER, WANDER)[:, None] * noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)
