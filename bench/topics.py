"""How good are the topics found, how many topics are found, and how do peers do on the same?

    python bench/topics.py --data DIR [--work DIR] [--json FILE] [--plot FILE] [--seeds N]
                           [--systems NAME,NAME] [--sets NAME,NAME]

Peers run in their own environment (make bench-topic-peers-install); those that are not installed
are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from topics_data import LabelledTexts, find_data, read_texts, read_vectors
from topics_measure import measure_partition
from topics_plot import write_plot

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "bench" / "topic_workers" / "worker.py"
PEERS = ROOT / ".venv-topic-peers" / "bin" / "python"
SETS = ("natcs", "banking77", "clinc150")
OURS = ("kbops-fine", "kbops-coarse", "kmeans-silhouette", "kmeans-true", "linkage-82",
        "linkage-75")  # fmt: skip
"""Need nothing but the product's environment."""
SYSTEMS = {
    "kbops-fine": "kbops, fine",
    "kbops-coarse": "kbops, coarse",
    "bertopic": "BERTopic",
    "evoc": "EVoC",
    "umap-hdbscan": "UMAP + HDBSCAN",
    "community": "community_detection .75",
    "kmeans-silhouette": "k-means, K by silhouette",
    "kmeans-true": "k-means, true K given",
    "linkage-82": "single linkage .82 (FreeITSM's rule)",
    "linkage-75": "single linkage .75",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every system on every set; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data, SETS)
    systems = [name for name in options.systems.split(",") if name]
    wrong = sorted(set(systems) - set(SYSTEMS) | set(options.sets.split(",")) - set(SETS))
    if isinstance(data, str) or wrong:
        print(f"topics: {data if isinstance(data, str) else f'unknown: {wrong}'}", file=sys.stderr)
        return 2
    figures: dict[str, Any] = {"seeds": options.seeds, "sets": {}}
    with tempfile.TemporaryDirectory(prefix="kb-topics-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        for name in options.sets.split(","):
            texts = read_texts(data, name)
            folder = _write_inputs(texts, work)
            rows = figures["sets"][name] = {}
            for system in systems:
                rows[system] = _measure(system, texts, folder, options.seeds, options.peers)
                print(f"{name:10} {_describe(system, rows[system])}", flush=True)
            figures["sets"][name] = rows
            if options.json is not None:
                options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.plot is not None:
        write_plot(figures, SYSTEMS, options.plot)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="topics", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--plot", type=Path, help="write an SVG here")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each system")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which, by commas")
    parser.add_argument("--sets", default=",".join(SETS), help="which, by commas")
    parser.add_argument("--peers", type=Path, default=PEERS, help="python that has the peers")
    return parser.parse_args(arguments)


def _write_inputs(texts: LabelledTexts, work: Path) -> Path:
    folder = work / texts.name
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "vectors.npy", read_vectors(texts.texts, work))
    (folder / "texts.json").write_text(json.dumps(texts.texts))
    (folder / "true_count.json").write_text(json.dumps(len(set(texts.labels))))
    return folder


def _measure(
    system: str, texts: LabelledTexts, folder: Path, seeds: int, peers: Path
) -> dict[str, Any]:
    python = Path(sys.executable) if system in OURS else peers
    if not python.is_file():
        return {"failed": "not installed: make bench-topic-peers-install"}
    ran = subprocess.run(
        [str(python), str(WORKER), system, str(folder), str(seeds)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT) if system in OURS else ""},
        check=False,
    )
    if ran.returncode:
        return {"failed": (ran.stderr.strip().splitlines() or ["no reason given"])[-1]}
    said = json.loads(ran.stdout.strip().splitlines()[-1])
    runs = [
        measure_partition(texts.labels, np.load(folder / f"labels-{system}-{seed}.npy").tolist())
        for seed in range(seeds)
    ]
    return {
        "runs": runs,
        "mean": {key: statistics.mean(run[key] for run in runs) for key in runs[0]},
        "spread": {key: statistics.pstdev(run[key] for run in runs) for key in runs[0]},
        "seconds": said["seconds"],
        "median_seconds": statistics.median(said["seconds"]),
        "peak_mb": said["peak_mb"],
    }


def _describe(system: str, row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"{SYSTEMS[system]}: {row['failed']}"
    mean, spread = row["mean"], row["spread"]
    values = " ".join(f"{key} {mean[key]:.1f}±{spread[key]:.1f}" for key in ("acc", "nmi", "ari"))
    return (
        f"{SYSTEMS[system]:38} {values} K {mean['topics']:.0f} in none {mean['unassigned']:.0f}% "
        f"{row['median_seconds']:.1f} s {row['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    raise SystemExit(main())
