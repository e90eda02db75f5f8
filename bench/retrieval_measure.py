"""Workers, the interleaved rounds, and what is made of their times and rankings.

All systems are up at once and take turns question by question, in an order drawn anew each time,
so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from retrieval_systems import Row
from thunderbird_data import Query

from kb.metrics import bootstrap_interval, ndcg, recall

DEPTH = 10
CALLERS = (1, 8, 32)
PAUSE_SECONDS = 0.004
"""Between turns: idle threads of the last system's libraries spin for about as long."""
BLOCK = 64
"""Questions a system is asked at a stretch by 1, 8 or 32 callers."""
SERVE = Path(__file__).parent / "retrieval_workers" / "serve.py"
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
}


class WorkerError(Exception):
    """A system could not be built, opened or asked."""


class Worker:
    """One system in its own process."""

    def __init__(self, row: Row, python: Path, log: Path) -> None:
        self.row = row
        self.started = time.perf_counter()
        bench = Path(__file__).resolve().parent
        kept = {key: value for key, value in os.environ.items() if not key.startswith("KB_")}
        paths = os.pathsep.join([str(bench.parent), str(bench)])
        self._log = log.open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [str(python), str(SERVE), row.module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env=kept | QUIET | {"PYTHONPATH": paths},
        )  # fmt: skip

    def request(self, do: str, **what: Any) -> dict[str, Any]:
        """Ask and wait.

        Raises:
            WorkerError: It failed or is gone.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps({"do": do} | what) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise WorkerError(f"{do}: the process ended; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{do}: {answer['error']}")
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.request("close")
        except WorkerError as error:
            print(f"retrieval: {self.row.label}: {error}", file=sys.stderr)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


@dataclass(slots=True)
class Measured:
    """Everything measured of one system."""

    ranked: list[list[str]] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    """One caller, interleaved by question; beside `ranked`."""
    blocks: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """Callers to questions and seconds of each block."""
    waits: dict[int, list[float]] = field(default_factory=dict)
    """Callers to milliseconds of each search."""
    startup_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lost: str | None = None
    """Why the process is gone, if it is: it is asked nothing more."""

    @property
    def is_whole(self) -> bool:
        return self.lost is None


def ask_in_turns(
    workers: Mapping[str, Worker], queries: Sequence[str], measured: Mapping[str, Measured]
) -> None:
    """One question at a time, one system at a time."""
    order = list(workers)
    shuffle = random.Random(20_261_121).shuffle
    for place, query in enumerate(queries, start=1):
        for key in _draw(shuffle, order, measured):
            answer = _ask(workers[key], measured[key], [query], 1)
            if answer is None:
                continue
            measured[key].ranked.append(answer["answers"][0] or [])
            measured[key].milliseconds.append(answer["milliseconds"][0])
            measured[key].failures += answer["failed"]
        if place % 100 == 0 or place == len(queries):
            print(f"asked {place}/{len(queries)}", file=sys.stderr)


def ask_at_once(
    workers: Mapping[str, Worker], queries: Sequence[str], measured: Mapping[str, Measured]
) -> None:
    """Blocks of questions by 1, 8 and 32 callers; no question twice to a system."""
    order = list(workers)
    shuffle = random.Random(20_261_122).shuffle
    blocks = [queries[start : start + BLOCK] for start in range(0, len(queries), BLOCK)]
    for step, block in enumerate(blocks):
        callers = CALLERS[step % len(CALLERS)]
        for key in _draw(shuffle, order, measured):
            answer = _ask(workers[key], measured[key], block, callers)
            if answer is None:
                continue
            done = len(block) - len(answer["failed"])
            measured[key].blocks.setdefault(callers, []).append((done, answer["seconds"]))
            measured[key].waits.setdefault(callers, []).extend(answer["milliseconds"])
            measured[key].failures += answer["failed"]
        print(f"round {step // len(CALLERS) + 1}, {callers} callers", file=sys.stderr)


def _draw(
    shuffle: Callable[[list[str]], None], order: list[str], measured: Mapping[str, Measured]
) -> list[str]:
    """The systems that are still there, in the order of this turn."""
    shuffle(order)
    return [key for key in order if measured[key].is_whole]


def _ask(
    worker: Worker, measured: Measured, queries: Sequence[str], callers: int
) -> dict[str, Any] | None:
    time.sleep(PAUSE_SECONDS)
    try:
        return worker.request("ask", queries=list(queries), callers=callers)
    except WorkerError as error:
        measured.lost = str(error)
        return None


def summarise(
    measured: Measured, queries: Sequence[Query], references: Mapping[str, Measured]
) -> dict[str, Any]:
    """Quality with intervals and paired differences, latency, throughput, start-up."""
    figures: dict[str, Any] = {"failures": len(measured.failures)}
    if measured.lost is not None:
        figures["ended"] = measured.lost
    if measured.failures:
        figures["first_failure"] = measured.failures[0]
    if any(measured.ranked):
        figures |= _judge(measured, queries, references)
    took = measured.milliseconds
    figures |= {
        "p50_ms": round(float(np.percentile(took, 50)), 2),
        "p95_ms": round(float(np.percentile(took, 95)), 2),
        "p99_ms": round(float(np.percentile(took, 99)), 2),
        "times": {
            name: round(float(np.median(np.divide(took, reference.milliseconds))), 3)
            for name, reference in references.items()
        },
        "callers": {str(c): _summarise_callers(measured, c) for c in measured.blocks},
        "startup_seconds": [round(seconds, 2) for seconds in measured.startup_seconds],
    }
    return figures


def _judge(
    measured: Measured, queries: Sequence[Query], references: Mapping[str, Measured]
) -> dict[str, Any]:
    gains = _gains(measured, queries)
    found = np.asarray(
        [recall(r, list(q.relevant), DEPTH) for q, r in zip(queries, measured.ranked, strict=True)]
    )
    return {
        "ndcg_at_10": interval(gains),
        "recall_at_10": interval(found),
        "minus": {
            name: interval(gains - _gains(reference, queries))
            for name, reference in references.items()
            if reference is not measured
        },
    }


def _gains(measured: Measured, queries: Sequence[Query]) -> Any:
    pairs = zip(queries, measured.ranked, strict=True)
    return np.asarray([ndcg(ranked, query.relevant, DEPTH) for query, ranked in pairs])


def interval(values: Any) -> dict[str, Any]:
    """Mean with its 95% bootstrap interval over the questions."""
    low, high = bootstrap_interval(list(values)) or (0.0, 0.0)
    mean = round(float(np.mean(values)), 4)
    return {"mean": mean, "interval": [round(low, 4), round(high, 4)]}


def _summarise_callers(measured: Measured, callers: int) -> dict[str, Any]:
    blocks = measured.blocks[callers]
    rates = [done / seconds for done, seconds in blocks]
    return {
        "per_second": round(sum(d for d, _ in blocks) / sum(s for _, s in blocks), 1),
        "per_second_range": [round(min(rates), 1), round(max(rates), 1)],
        "p50_ms": round(float(np.percentile(measured.waits[callers], 50)), 1),
        "p99_ms": round(float(np.percentile(measured.waits[callers], 99)), 1),
    }
