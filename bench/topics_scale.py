"""How do seconds, memory and quality grow from ten thousand tickets to a million?

    python bench/topics_scale.py --data DIR [--work DIR] [--json FILE] [--plot FILE]
                                 [--counts 10000,100000,1000000] [--peer-limit SECONDS]

Tickets are made up around real texts' vectors; embedding is not part of the seconds and is
extrapolated from 500 texts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from topics import PEERS, ROOT, WORKER
from topics_data import LabelledTexts, find_data, read_texts, read_vectors
from topics_measure import measure_partition
from topics_scale_data import write_tickets
from topics_scale_plot import write_plot

from gaps.discovery.assigning import assign
from kb.encoding.choosing import choose_encoder

COUNTS = (10_000, 100_000, 1_000_000)
WEEK = 20_000
TIMED_TEXTS = 500
SYSTEMS = ("kbops-fine", "bertopic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data, ("scale",))
    if isinstance(data, str):
        print(f"topics_scale: {data}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="kb-topics-scale-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        figures = measure(data, work, options)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.plot is not None:
        write_plot(figures, options.plot)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="topics_scale", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--plot", type=Path, help="write an SVG here")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), help="of tickets")
    parser.add_argument("--peer-limit", type=float, default=300.0, help="seconds for BERTopic")
    parser.add_argument("--peers", type=Path, default=PEERS, help="python that has BERTopic")
    return parser.parse_args(arguments)


def measure(data: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All figures, by number of tickets."""
    texts = read_texts(data, "scale")
    vectors = read_vectors(texts.texts, work)
    figures: dict[str, Any] = {
        "texts": len(texts.texts),
        "planted_topics": len(set(texts.labels)),
        "load_average": os.getloadavg()[0],
        "rows": [],
    }
    given_up: set[str] = set()
    folder = work / "scale"
    for count in (int(part) for part in options.counts.split(",")):
        planted = write_tickets(texts, vectors, count, folder)
        for system in SYSTEMS:
            if system in given_up:
                continue
            row = _run(system, planted, folder, options)
            figures["rows"].append({"system": system, "tickets": count, **row})
            print(json.dumps(figures["rows"][-1]), flush=True)
            if "failed" in row:
                given_up.add(system)
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
    figures["week"] = _measure_week(texts, vectors, folder, work / "week")
    print(json.dumps(figures["week"]))
    return figures


def _run(
    system: str, planted: list[str], folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    ours = system.startswith("kbops")
    python = Path(sys.executable) if ours else options.peers
    if not python.is_file():
        return {"failed": "not installed: make bench-topic-peers-install"}
    try:
        ran = subprocess.run(
            [str(python), str(WORKER), system, str(folder), "1"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT) if ours else ""},
            timeout=None if ours else options.peer_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {options.peer_limit:.0f} s"}
    if ran.returncode:
        return {"failed": (ran.stderr.strip().splitlines() or ["no reason given"])[-1]}
    said = json.loads(ran.stdout.strip().splitlines()[-1])
    labels = np.load(folder / f"labels-{system}-0.npy")
    inside = np.asarray([name != "" for name in planted])
    gold = [name for name in planted if name]
    return {
        "seconds": said["seconds"][0],
        "peak_mb": said["peak_mb"],
        **measure_partition(gold, labels[inside].tolist()),
        "noise_in_none": 100 * float((labels[~inside] < 0).mean()),
    }


def _measure_week(
    texts: LabelledTexts, vectors: np.ndarray, folder: Path, week: Path
) -> dict[str, Any]:
    """Join another 20,000 tickets to the topics of the last run, and embed 500 texts."""
    topics = np.load(folder / "topics.npz")
    planted = write_tickets(texts, vectors, WEEK, week)
    new = np.load(week / "vectors.npy", mmap_mode="r")
    began = time.perf_counter()
    labels, _ = assign(new, topics["centroids"], topics["thresholds"])
    seconds = time.perf_counter() - began
    inside = np.asarray([name != "" for name in planted])
    encoder = choose_encoder()
    encoder.encode(texts.texts[:50])
    began = time.perf_counter()
    encoder.encode(texts.texts[::50][:TIMED_TEXTS])
    embedded = time.perf_counter() - began
    return {
        "tickets": WEEK,
        "assign_seconds": seconds,
        **measure_partition([name for name in planted if name], labels[inside].tolist()),
        "noise_in_none": 100 * float((labels[~inside] < 0).mean()),
        "embed_seconds_500_measured": embedded,
        "embed_seconds_extrapolated": embedded * WEEK / TIMED_TEXTS,
    }


if __name__ == "__main__":
    raise SystemExit(main())
