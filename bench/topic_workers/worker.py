"""One system on one set's vectors, once per seed; runs in the environment that has the system.

    python worker.py SYSTEM FOLDER SEEDS

FOLDER (absolute) holds vectors.npy, texts.json and true_count.json; labels-SYSTEM-SEED.npy and a
line of JSON with each run's seconds and the process' peak memory come out. Imports are not timed;
what a system compiles at its first run is, so take the median. No hub is reached: vectors are
given.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np

SMALLEST = 10
"""Smallest topic for the systems that ask for one: BERTopic's and HDBSCAN's usual value."""
Run = Callable[[int], Any]


def load_bertopic(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    from bertopic import BERTopic
    from umap import UMAP

    def run(seed: int) -> Any:
        # Its own defaults, with a seed.
        umap = UMAP(
            n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
        )
        topics, _ = BERTopic(umap_model=umap).fit_transform(texts, embeddings=vectors)
        return topics

    return run


def load_evoc(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    from evoc import EVoC

    return lambda seed: EVoC(random_state=seed).fit_predict(vectors)


def load_umap_hdbscan(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    from hdbscan import HDBSCAN
    from umap import UMAP

    def run(seed: int) -> Any:
        low = UMAP(
            n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
        ).fit_transform(vectors)
        return HDBSCAN(min_cluster_size=SMALLEST).fit_predict(low)

    return run


def load_community(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    import torch
    from sentence_transformers.util import community_detection

    def run(seed: int) -> Any:
        labels = np.full(len(vectors), -1)
        found = community_detection(
            torch.from_numpy(vectors), threshold=0.75, min_community_size=SMALLEST
        )
        for number, members in enumerate(found):
            labels[members] = number
        return labels

    return run


def load_kmeans_silhouette(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    counts = np.unique(np.geomspace(5, len(vectors) / 12, 16).astype(int))

    def run(seed: int) -> Any:
        best: tuple[float, Any] = (-2.0, None)
        for count in counts:
            labels = KMeans(int(count), n_init=1, random_state=seed).fit_predict(vectors)
            score = silhouette_score(vectors, labels, sample_size=2_000, random_state=seed)
            best = max(best, (score, labels), key=lambda pair: pair[0])
        return best[1]

    return run


def load_kmeans_true(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
    from sklearn.cluster import KMeans

    return lambda seed: KMeans(true_count, n_init=10, random_state=seed).fit_predict(vectors)


def load_linkage(threshold: float) -> Callable[..., Run]:
    """Tickets at least this alike are one topic, and so on; at least three tickets."""

    def load(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        def run(seed: int) -> Any:
            near = np.nonzero(vectors @ vectors.T >= threshold)
            graph = coo_array((np.ones(len(near[0]), bool), near), shape=(len(vectors),) * 2)
            _, labels = connected_components(graph, directed=False)
            return np.where(np.bincount(labels)[labels] >= 3, labels, -1)

        return run

    return load


def load_kbops(level: str) -> Callable[..., Run]:
    def load(vectors: np.ndarray, texts: list[str], true_count: int) -> Run:
        import hashlib

        from gaps.discovery.partition import discover

        ids = [f"{place:07}" for place in range(len(texts))]

        def run(seed: int) -> Any:
            hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
            found = discover(hashes, vectors, ids, seed=seed)
            np.savez("topics.npz", centroids=found.centroids, thresholds=found.thresholds)
            return found.labels if level == "fine" else found.coarse

        return run

    return load


SYSTEMS: dict[str, Callable[..., Run]] = {
    "kbops-fine": load_kbops("fine"),
    "kbops-coarse": load_kbops("coarse"),
    "bertopic": load_bertopic,
    "evoc": load_evoc,
    "umap-hdbscan": load_umap_hdbscan,
    "community": load_community,
    "kmeans-silhouette": load_kmeans_silhouette,
    "kmeans-true": load_kmeans_true,
    "linkage-82": load_linkage(0.82),
    "linkage-75": load_linkage(0.75),
}


def main(arguments: list[str]) -> int:
    system, folder, seeds = arguments[0], Path(arguments[1]), int(arguments[2])
    os.chdir(folder)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    if not system.startswith("kbops"):
        vectors = np.array(vectors, np.float32)
    texts = json.loads((folder / "texts.json").read_text())
    true_count = json.loads((folder / "true_count.json").read_text())
    run = SYSTEMS[system](vectors, texts, true_count)
    seconds = []
    for seed in range(seeds):
        began = time.perf_counter()
        labels = run(seed)
        seconds.append(time.perf_counter() - began)
        np.save(folder / f"labels-{system}-{seed}.npy", np.asarray(labels))
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
