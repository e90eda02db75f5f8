"""kbops beside llama-index, txtai, Haystack and chromadb: same texts, same encoder, one run.

    python bench/retrieval.py --data DIR [--work DIR] [--json FILE] [--plot FILE]

DIR holds `sumo_thunderbird_dev`, which is not part of this repository. The peers live in an
environment of their own: `make bench-peers-install`. Method and figures: bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from retrieval_inputs import Inputs, write_inputs
from retrieval_measure import (
    BLOCK,
    CALLERS,
    Measured,
    Worker,
    WorkerError,
    ask_at_once,
    ask_in_turns,
    summarise,
)
from retrieval_plot import write_plot
from retrieval_systems import REFERENCES, Row, choose_rows
from retrieval_table import format_tables
from thunderbird_data import LAST_SNAPSHOT, find_data

PEERS = Path(__file__).resolve().parent.parent / ".venv-peers" / "bin" / "python"
ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 1 kbops failed, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data)
    rows = choose_rows(options.only, learned=options.learned)
    for problem in (data, rows):
        if isinstance(problem, str):
            print(f"retrieval: {problem}", file=sys.stderr)
            return 2
    assert isinstance(data, Path) and isinstance(rows, list)
    if any(row.is_peer for row in rows) and not options.peers_python.is_file():
        print(
            f"retrieval: no {options.peers_python}; make it with `make bench-peers-install`. "
            "Measuring kbops alone.",
            file=sys.stderr,
        )
        rows = [row for row in rows if not row.is_peer]
    with ExitStack() as stack:
        if options.work is None:
            made = tempfile.TemporaryDirectory(prefix="kb-retrieval-")
            options.work = Path(stack.enter_context(made))
        return _run(options, data, rows)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="retrieval", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds sumo_thunderbird_dev")
    parser.add_argument("--work", type=Path, help="stores and logs stay here")
    parser.add_argument("--reuse", action="store_true", help="take the stores in --work as built")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--plot", type=Path, help="write an SVG here")
    parser.add_argument("--only", help="rows or systems by commas, such as kbops,chromadb")
    parser.add_argument("--limit", type=int, help="only so many questions, to try it out")
    parser.add_argument(
        "--rounds",
        type=int,
        choices=range(1, 11),
        default=ROUNDS,
        metavar="N",
        help="how often start-up and load are measured",
    )
    parser.add_argument("--learned", action="store_true", help="also kbops after `kb learn`")
    parser.add_argument("--learn-now", default=LAST_SNAPSHOT, help="the day `kb learn` takes it is")
    parser.add_argument("--peers-python", type=Path, default=PEERS, help="has the peers installed")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, data: Path, rows: list[Row]) -> int:
    started = time.perf_counter()
    work = options.work.resolve() / "retrieval"
    work.mkdir(parents=True, exist_ok=True)
    inputs = write_inputs(data, work, options.limit, options.rounds * len(CALLERS) * BLOCK)
    bench = _Bench(work, inputs, options)
    for row in rows:
        bench.build(row)
        if row.key == "kbops" and "not_measured" in bench.figures["kbops"]:
            return 1
    bench.start(rows)
    bench.ask(rows)
    figures = {
        "questions": len(inputs.queries),
        "articles": inputs.articles,
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "load_before": bench.load_before,
        "load_after": os.getloadavg()[0],
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "rows": {row.key: {"label": row.label} | bench.figures[row.key] for row in rows},
    }
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    print(format_tables(figures))
    if options.plot is not None:
        write_plot(figures, options.plot)
    return 0


class _Bench:
    """The stages of one run; a row that fails at any is left out of the later ones."""

    def __init__(self, work: Path, inputs: Inputs, options: argparse.Namespace) -> None:
        self._work = work
        self._inputs = inputs
        self._options = options
        self.figures: dict[str, dict[str, Any]] = {}
        self._measured: dict[str, Measured] = {}
        self.load_before = os.getloadavg()[0]

    def build(self, row: Row) -> None:
        """Each system reads the texts into a store of its own, in a process of its own.

        The other rows of kbops work on copies of the first one's store.
        """
        builder = row.built_as or row.key
        store, built = self._work / builder, self._work / f"{builder}.built.json"
        self._measured[row.key] = Measured()
        if built.is_file() and (self._options.reuse or builder in self.figures):
            self.figures[row.key] = json.loads(built.read_text())
            return
        print(f"building: {row.label}", file=sys.stderr)
        built.unlink(missing_ok=True)
        shutil.rmtree(store, ignore_errors=True)
        copied = not row.is_peer and row.key != "kbops"
        if copied:
            shutil.copytree(self._work / "kbops", store)
        else:
            store.mkdir()
        try:
            with self._spawn(row) as worker:
                figures = worker.request("build", options=self._row_options(row))
        except WorkerError as error:
            self.figures[row.key] = {"not_measured": str(error)}
            self._lose(row, error)
            return
        if copied:
            kept = ("ingest_seconds", "units")
            figures |= {key: self.figures["kbops"][key] for key in kept}
        built.write_text(json.dumps(figures))
        self.figures[row.key] = figures

    def start(self, rows: Sequence[Row]) -> None:
        """A fresh process on the built store, from its spawn to the first answer.

        The processes that serve in `ask` give the last round.
        """
        order = list(rows)
        for turn in range(1, self._options.rounds):
            random.Random(turn).shuffle(order)
            for row in self._whole(order):
                with self._spawn(row) as worker:
                    self._open(worker)
            print(f"started each, {turn} of {self._options.rounds}", file=sys.stderr)

    def ask(self, rows: Sequence[Row]) -> None:
        """All systems up at once: every question in turns, then blocks with more callers."""
        workers: dict[str, Worker] = {}
        with ExitStack() as stack:
            for row in self._whole(rows):
                workers[row.key] = stack.enter_context(self._spawn(row))
                self._open(workers[row.key])
            self.load_before = os.getloadavg()[0]
            ask_in_turns(workers, [query.text for query in self._inputs.queries], self._measured)
            self._read_memory(workers)
            ask_at_once(workers, self._inputs.load, self._measured)
            self._read_memory(workers)
        asked = {  # one that ended later, under load, keeps what it gave until then
            key: measured
            for key, measured in self._measured.items()
            if len(measured.ranked) == len(self._inputs.queries)
        }
        references = {key: asked[key] for key in REFERENCES if key in asked}
        for row in rows:
            if row.key in asked:
                summary = summarise(asked[row.key], self._inputs.queries, references)
                self.figures[row.key] |= summary
            else:
                self.figures[row.key]["not_measured"] = self._measured[row.key].lost

    def _read_memory(self, workers: dict[str, Worker]) -> None:
        for key, worker in workers.items():
            if not self._measured[key].is_whole:
                continue
            try:
                self.figures[key] |= worker.request("memory")
            except WorkerError as error:
                self._lose(worker.row, error)

    def _open(self, worker: Worker) -> None:
        try:
            worker.request("open", options=self._row_options(worker.row))
            worker.request("ask", queries=self._inputs.warm_up[:1], callers=1)
            seconds = time.perf_counter() - worker.started
            self._measured[worker.row.key].startup_seconds.append(seconds)
            worker.request("ask", queries=self._inputs.warm_up[1:], callers=1)
        except WorkerError as error:
            self._lose(worker.row, error)

    def _lose(self, row: Row, error: WorkerError) -> None:
        self._measured[row.key].lost = str(error)
        print(f"retrieval: {row.label}: {error}", file=sys.stderr)

    def _whole(self, rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if self._measured[row.key].is_whole]

    def _spawn(self, row: Row) -> Worker:
        python = self._options.peers_python if row.is_peer else Path(sys.executable)
        return Worker(row, python, self._work / f"{row.key}.log")

    def _row_options(self, row: Row) -> dict[str, Any]:
        store = self._work / (row.built_as or row.key)
        options: dict[str, Any] = dict(row.options) | {"store": str(store)}
        if row.units is not None:
            return options | {"units": str(self._inputs.units[row.units])}
        if not row.is_peer:
            options |= {"config": str(self._inputs.write_config(store)), "now": LAST_SNAPSHOT}
        if row.key == "kbops":
            options["chunks"] = str(self._inputs.units["chunks"])
        if row.key == "kbops-learned":
            options |= {
                "tickets": str(self._inputs.tickets),
                "learn_now": self._options.learn_now,
            }
        return options


if __name__ == "__main__":
    sys.exit(main())
