"""Kill the product at random moments, and look each time whether anything was lost.

    python bench/soak.py [--kills 200] [--seed 1] [--work DIR]

Real `kb sync`, `kb index build` and `kb drafts approve` processes are killed with SIGKILL at
moments spread over 1.1 times what they take; half of them with their child processes, half alone,
so that the child goes on by itself. After each kill everything in soak_checks must hold
without anybody repairing anything. Ends 1 when something did not hold, and keeps the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak_checks import (
    AuditHead,
    check_audit,
    check_publication,
    check_search,
    check_sources,
    check_storage,
)
from soak_world import OWNER, World

from api.wiring import Application
from gaps.types import DraftState

KINDS = {"sync": 0.4, "build": 0.3, "approve": 0.3}
SUMMARY_EVERY = 20
MOST_FAILURES = 10
COMMAND_SECONDS = 300
OUT = Path(__file__).parent / "out" / "soak.json"
KB = Path(sys.executable).with_name("kb")


@dataclass(slots=True)
class Run:
    """One command that was started, and how it ended."""

    killed: bool
    output: str
    errors: str
    code: int
    seconds: float


@dataclass(slots=True)
class Soak:
    """The loop of killing and looking."""

    world: World
    rng: random.Random
    head: AuditHead = field(default_factory=AuditHead)
    durations: dict[str, list[float]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    """What a kill was found to have hit: before or after the commit, acknowledged or not."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    draft_id: str | None = None
    groups: list[int] = field(default_factory=list)

    def prepare(self) -> None:
        self.world.create()
        for kind in ("sync", "build"):
            for _ in range(2):
                self._must_run(kind, *self._command(kind))
        with self.world.open() as application:
            self.world.accept(application)
            self.draft_id = self.world.make_draft(application, new=True)
        self._must_run("approve", *self._command("approve"))
        with self.world.open() as application:
            self.world.accept(application)
        self.draft_id = None

    def kill_one(self, kind: str) -> None:
        """Start a command, kill it, look, and let the product go on by itself."""
        if kind == "sync":
            self.world.mutate()
        with self.world.open() as application:
            if kind == "approve" and self.draft_id is None:
                self.draft_id = self.world.make_draft(application, new=self.rng.random() < 0.5)
            before = self.world.stored(application)
            attempted = self.world.listed(application)
            # Drafts of new and of changed articles: their files may still be on their way.
            for name, documents in attempted.items():
                published = {k: v for k, v in before[name].items() if not _is_mutable(k)}
                attempted[name] = {k: v for k, v in documents.items() if _is_mutable(k)} | published
        run = self._run(kind, self._moment(kind), *self._command(kind))
        if not run.killed and run.code != 0:
            self._fail(kind, [f"exit {run.code}: {run.errors.strip()[-300:]}"])
        if run.killed:
            self.kills[kind] += 1
        self._look(kind, run, before, attempted)
        if self.rng.random() < 0.5:
            self._go_on(kind)

    def _moment(self, kind: str) -> float:
        """Anywhere in the command, every second time in its later half, where it writes."""
        typical = statistics.median(self.durations[kind][-9:])
        return self.rng.uniform(self.rng.choice((0.0, 0.5)) * typical, 1.1 * typical)

    def _look(
        self,
        kind: str,
        run: Run,
        before: dict[str, dict[str, str]],
        attempted: dict[str, dict[str, str]],
    ) -> None:
        with self.world.open() as application:
            wrong = [*check_storage(application), *check_audit(application, self.head)]
            stored = self.world.stored(application)
            if kind == "sync":
                said = {line.partition(":")[0] for line in run.output.splitlines() if ":" in line}
                wrong += check_sources(before, attempted, stored, said)
                self._note(kind, run, stored != before, bool(said))
            elif kind == "build":
                wrong += self._look_at_build(application, run)
                wrong += check_sources(before, before, stored, set())
            else:
                wrong += self._look_at_draft(application, run)
            self.world.accept(application)
            wrong += check_search(application, self.world)
        if wrong:
            self._fail(kind, wrong)

    def _look_at_build(self, application: Application, run: Run) -> list[str]:
        generations = {g.generation_id for g in application.generations.read_all()}
        active = next((row for row in _active(application)), None)
        said = run.output.rsplit(" ", 1)[-1].strip() if run.output.endswith("\n") else ""
        self._note("build", run, bool(said), bool(said))
        wrong = [] if active in generations else [f"{active} serves and is not known"]
        if said and said != active:
            wrong.append(f"{said} was acknowledged and {active} serves")
        return wrong

    def _look_at_draft(self, application: Application, run: Run) -> list[str]:
        assert self.draft_id is not None
        draft = self.world.read_draft(application, self.draft_id)
        said = run.output.endswith("}\n")
        wrong = list(check_publication(application, draft, said))
        self._note("approve", run, draft.state is not DraftState.IN_REVIEW, said)
        self.moments[f"approve left the draft {draft.state.value}"] += run.killed
        if said:
            self.draft_id = None
        return wrong

    def _go_on(self, kind: str) -> None:
        """The same command again, or a sync, must simply work and finish what was begun."""
        again = kind if kind != "approve" or self.rng.random() < 0.5 else "sync"
        if again == "approve" and self.draft_id is None:
            again = "sync"
        run = self._must_run(again, *self._command(again))
        with self.world.open() as application:
            wrong = [*check_storage(application), *check_audit(application, self.head)]
            if again == "sync":
                wrong += _check_settled(self.world, application)
            if self.draft_id is not None:
                draft = self.world.read_draft(application, self.draft_id)
                said = again == "approve" and run.code == 0
                wrong += check_publication(application, draft, said)
                if draft.state is DraftState.PUBLISHED:
                    self.draft_id = None
                elif said:
                    wrong.append(f"approved again and still {draft.state.value}")
            self.world.accept(application)
            wrong += check_search(application, self.world)
        if wrong:
            self._fail(f"{kind}, then {again}", wrong)

    def finish(self) -> None:
        """All that was started is let run out, and the end state is clean without any repair."""
        for group in self.groups:
            _kill_group(group)
        for kind in ("sync", "build"):
            self._must_run(kind, *self._command(kind))
        verify = self._must_run("verify", str(KB), "index", "verify")
        generations = self.world.folder / ".kb" / "generations"
        with self.world.open() as application:
            known = {g.generation_id for g in application.generations.read_all()}
            wrong = _check_settled(self.world, application)
        left = {p.name for p in generations.glob("gen_*")} - known
        if left:
            wrong.append(f"folders no row tells of: {sorted(left)}")
        if "sound" not in verify.output:
            wrong.append(verify.output)
        if wrong:
            self._fail("end", wrong)

    def _command(self, kind: str) -> list[str]:
        words = {
            "sync": ["sync"],
            "build": ["index", "build"],
            "approve": ["drafts", "approve", str(self.draft_id), "--as", OWNER, "--json"],
        }[kind]
        return [str(KB), *words]

    def _must_run(self, kind: str, *command: str) -> Run:
        run = self._run(kind, None, *command)
        if run.code != 0:
            self._fail(kind, [f"exit {run.code} without a kill: {run.errors.strip()[-300:]}"])
        return run

    def _run(self, kind: str, kill_after: float | None, *command: str) -> Run:
        output, errors = self.world.folder / "stdout", self.world.folder / "stderr"
        started = time.perf_counter()
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [*command, "--config", str(self.world.config)],
                stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
            try:
                process.wait(COMMAND_SECONDS if kill_after is None else kill_after)
            except subprocess.TimeoutExpired:
                if self.rng.random() < 0.5:
                    _kill_group(process.pid)
                else:
                    process.kill()
                    self.groups.append(process.pid)
                process.wait()
        seconds = time.perf_counter() - started
        killed = process.returncode == -signal.SIGKILL
        if not killed and process.returncode == 0:
            self.durations.setdefault(kind, []).append(seconds)
        return Run(
            killed, output.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"),
            process.returncode, seconds,
        )  # fmt: skip

    def _note(self, kind: str, run: Run, written: bool, said: bool) -> None:
        if run.killed:
            moment = "after the acknowledgement" if said else "after" if written else "before"
            self.moments[f"{kind} killed {moment}{'' if said else ' the commit'}"] += 1

    def _fail(self, where: str, wrong: Sequence[str]) -> None:
        entry = {"kill": sum(self.kills.values()), "during": where, "wrong": list(wrong)}
        self.failures.append(entry)
        print(f"FAILED {json.dumps(entry)}", flush=True)
        if len(self.failures) >= MOST_FAILURES:
            raise SystemExit(f"soak: {MOST_FAILURES} failures; {self.world.folder} is kept")


def _is_mutable(document_id: str) -> bool:
    return document_id.startswith(("art-", "pol-"))


def _active(application: Application) -> list[str | None]:
    from kb.retrieval.index import read_state

    with application.database.read() as connection:
        return [read_state(connection).generation]


def _check_settled(world: World, application: Application) -> list[str]:
    """After a sync the folders and the database say the same."""
    listed, stored = world.listed(application), world.stored(application)
    return [
        f"after a sync the folder and the database differ in {name}: "
        f"{sorted(set(listed[name].items()) ^ set(stored[name].items()))[:4]}"
        for name in stored
        if listed[name] != stored[name]
    ]


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="kept for reading; else a temporary folder")
    parser.add_argument("--only", choices=sorted(KINDS), action="append")
    parser.add_argument("--json", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    kinds = {kind: share for kind, share in KINDS.items() if kind in (options.only or KINDS)}
    folder = options.work or Path(tempfile.mkdtemp(prefix="kb-soak-"))
    world = World(folder.resolve() / "kb", random.Random(options.seed))
    soak = Soak(world, random.Random(options.seed + 1))
    started = time.monotonic()
    report = _run_soak(soak, kinds, options.kills, started)
    report["seed"] = options.seed
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{report['kills']} kills, {len(soak.failures)} failures, {report['seconds']:.0f} s")
    if soak.failures:
        print(f"soak: kept {folder}", file=sys.stderr)
        return 1
    if options.work is None:
        shutil.rmtree(folder)
    return 0


def _run_soak(soak: Soak, kinds: dict[str, float], wanted: int, started: float) -> dict[str, Any]:
    def summarise() -> dict[str, Any]:
        took = {k: round(statistics.median(v), 2) for k, v in soak.durations.items()}
        return {
            "kills": sum(soak.kills.values()),
            "by_command": dict(soak.kills),
            "moments": dict(sorted(soak.moments.items())),
            "failures": soak.failures,
            "typical_seconds": took,
            "seconds": round(time.monotonic() - started, 1),
        }

    try:
        soak.prepare()
        shown = 0
        while (done := sum(soak.kills.values())) < wanted:
            if done // SUMMARY_EVERY > shown:
                shown = done // SUMMARY_EVERY
                print(f"{done} kills: {json.dumps(summarise()['by_command'])}, "
                      f"{len(soak.failures)} failures, {time.monotonic() - started:.0f} s",
                      flush=True)  # fmt: skip
            soak.kill_one(soak.rng.choices(list(kinds), list(kinds.values()))[0])
        soak.finish()
    finally:
        for group in soak.groups:
            _kill_group(group)
    return summarise()


if __name__ == "__main__":
    sys.exit(main())
