"""Ask far more than can be answered: are those let in served as if alone, the rest told at once?

    python bench/load.py [--minutes 10] [--times 5] [--json FILE] [--at-once N]

Serves content/ with `kb serve`, then: one caller after another (unloaded), callers that each wait
for their answer (capacity), and calls sent on a clock at so many times the capacity whatever comes
back. Ends 1 when accepted p99 is over twice the unloaded one, a refusal took over 20 ms at p99, or
memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from served_content import ServedContent, read_questions

UNLOADED_CALLS = 400
WARM_UP_CALLS = 60
CAPACITY_SECONDS = 20.0
CAPACITY_CALLERS = 6
MOST_CONNECTIONS = 400
ACCEPTED_TIMES = 2.0
REFUSED_MS = 20.0
GROWTH_SHARE = 0.1
SETTLE_SECONDS = 5.0
PAGE_BYTES = 4096
EXPECTED = {"200", "429", "503", "sent", "idle connection"}


@dataclass(slots=True)
class Took:
    """Milliseconds by what was answered."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def note(self, status: int, milliseconds: float) -> None:
        self.statuses[str(status)] += 1
        if status == 200:
            self.accepted.append(milliseconds)
        elif status in (429, 503):
            self.refused.append(milliseconds)


class Caller:
    """Connections to one server, kept open and used again; as little work a call as can be."""

    def __init__(self, address: str, key: str, questions: Sequence[str]) -> None:
        host, port = address.removeprefix("http://").split(":")
        self._host, self._port = host, int(port)
        self._free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._open = 0
        self._next = 0
        self._calls = [self._make_call(question, key) for question in questions]

    def _make_call(self, question: str, key: str) -> bytes:
        body = json.dumps({"query": question}).encode()
        head = (
            f"POST /v1/search HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def call(self, took: Took) -> None:
        """One call, on a free connection or a new one."""
        if not self._free and self._open >= MOST_CONNECTIONS:
            took.statuses["not sent"] += 1
            return None
        if self._free:
            reader, writer = self._free.pop()
        else:
            self._open += 1
            reader, writer = await asyncio.open_connection(self._host, self._port)
        message = self._calls[self._next % len(self._calls)]
        self._next += 1
        started = time.perf_counter()
        try:
            writer.write(message)
            status = await _read_answer(reader)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self._open -= 1
            writer.close()
            if isinstance(error, asyncio.IncompleteReadError) and not error.partial:
                # The server closes what was idle for five seconds; not an answer to this call.
                took.statuses["idle connection"] += 1
                return await self.call(took)
            took.statuses[type(error).__name__] += 1
            return None
        took.note(status, (time.perf_counter() - started) * 1000)
        self._free.append((reader, writer))
        return None


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = next(int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def ask_alone(caller: Caller, count: int) -> Took:
    took = Took()
    for _ in range(count):
        await caller.call(took)
    return took


async def ask_together(caller: Caller, callers: int, seconds: float) -> tuple[Took, float]:
    """Callers that each wait for their answer; and how many were answered a second."""
    took, until = Took(), time.perf_counter() + seconds

    async def keep_asking() -> None:
        while time.perf_counter() < until:
            await caller.call(took)

    await asyncio.gather(*(keep_asking() for _ in range(callers)))
    return took, len(took.accepted) / seconds


async def ask_by_the_clock(
    caller: Caller, rate: float, seconds: float, pid: int
) -> tuple[Took, list[float]]:
    """Calls at a rate, whatever comes back; and the server's memory every second, in megabytes."""
    took, memory, tasks = Took(), [read_memory(pid)], set()
    began = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            task = asyncio.create_task(caller.call(took))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        if passed > len(memory):
            memory.append(read_memory(pid))
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    took.statuses["sent"] = sent
    return took, memory


def read_memory(pid: int) -> float:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES / 1e6


def find_percentile(values: Sequence[float], share: float) -> float:
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(
    address: str, pid: int, key: str, questions: Sequence[str], times: float, minutes: float
) -> dict[str, Any]:
    caller = Caller(address, key, questions)
    await ask_alone(caller, WARM_UP_CALLS)
    alone = await ask_alone(caller, UNLOADED_CALLS)
    together, capacity = await ask_together(caller, CAPACITY_CALLERS, CAPACITY_SECONDS)
    print(f"capacity {capacity:.0f} a second; now {times * capacity:.0f} for {minutes} min")
    loaded, memory = await ask_by_the_clock(caller, times * capacity, minutes * 60, pid)
    await asyncio.sleep(SETTLE_SECONDS)
    again = await ask_alone(caller, UNLOADED_CALLS)
    begin, end = memory[: max(3, len(memory) // 10)], memory[-max(3, len(memory) // 10) :]
    return {
        "unloaded_p50_ms": find_percentile(alone.accepted, 0.5),
        "unloaded_p99_ms": find_percentile(alone.accepted + again.accepted, 0.99),
        "unloaded_before_p99_ms": find_percentile(alone.accepted, 0.99),
        "unloaded_after_p99_ms": find_percentile(again.accepted, 0.99),
        "capacity_per_second": capacity,
        "capacity_p99_ms": find_percentile(together.accepted, 0.99),
        "offered_per_second": loaded.statuses["sent"] / (minutes * 60),
        "accepted_per_second": len(loaded.accepted) / (minutes * 60),
        "accepted_p50_ms": find_percentile(loaded.accepted, 0.5),
        "accepted_p99_ms": find_percentile(loaded.accepted, 0.99),
        "refused_p50_ms": find_percentile(loaded.refused, 0.5),
        "refused_p99_ms": find_percentile(loaded.refused, 0.99),
        "refused_max_ms": max(loaded.refused, default=float("nan")),
        "refused_within_20_ms_share": statistics.fmean(t <= REFUSED_MS for t in loaded.refused)
        if loaded.refused
        else float("nan"),
        "memory_begin_mb": statistics.fmean(begin),
        "memory_end_mb": statistics.fmean(end),
        "memory_most_mb": max(memory),
        "statuses": dict(loaded.statuses),
    }


def print_table(found: dict[str, Any]) -> bool:
    """The figures; whether all that is promised held."""
    times = found["accepted_p99_ms"] / found["unloaded_p99_ms"]
    growth = found["memory_end_mb"] / found["memory_begin_mb"] - 1
    print("\n| figure | value |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value if isinstance(value, dict) else f'{value:.2f}'} |")
    print(f"| accepted p99 / unloaded p99 | {times:.2f} |\n| memory growth | {growth:+.1%} |")
    held = {
        f"accepted p99 at most {ACCEPTED_TIMES} times unloaded": times <= ACCEPTED_TIMES,
        f"refusals within {REFUSED_MS:.0f} ms at p99": found["refused_p99_ms"] <= REFUSED_MS,
        "memory flat": growth <= GROWTH_SHARE,
        "nothing but answers and refusals": set(found["statuses"]) <= EXPECTED,
    }
    for name, holds in held.items():
        print(f"{'held' if holds else 'NOT HELD'}: {name}")
    return all(held.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--times", type=float, default=5.0)
    parser.add_argument("--at-once", type=int, help="searches_at_once; the default if left out")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kb-load-"))
    limits = f"\n[limits]\nsearches_at_once = {asked.at_once}\n" if asked.at_once else ""
    world = ServedContent(folder / "kb", limits)
    world.run("sync")
    key = world.make_keys()["agent"]
    questions = read_questions(world.folder)
    with world.serve() as (address, pid):
        found = asyncio.run(measure(address, pid, key, questions, asked.times, asked.minutes))
    held = print_table(found)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))
    shutil.rmtree(folder)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
