"""Kill `kb drafts approve` while it publishes to a git repository, and count what arrived.

    python bench/soak_git.py [--kills 30] [--seed 1] [--work DIR]

Each draft's process is killed with SIGKILL at a moment spread over what the command takes. Then a
sync runs, as it would anyway, and every approved draft must stand in the repository as exactly one
commit, be served, and leave nothing waiting. A draft that was not approved yet is approved again.
Ends 1 when something did not hold.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path

from soak_world import CHANGED_BY_DRAFTS, CONFIG, OWNER, World

from gaps.drafting.publications import read_unwritten
from gaps.types import DraftState

KB = (sys.executable, "-c", "from api.cli.main import main; main()")
LEAVES_WAITING, NOT_ONCE, NOT_SERVED = "left waiting", "not one commit", "not served"


def git(folder: Path, *arguments: str) -> str:
    person = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "s", "GIT_AUTHOR_EMAIL": "s@s"}
    person |= {"GIT_COMMITTER_NAME": "s", "GIT_COMMITTER_EMAIL": "s@s"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=os.environ | person, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def create(folder: Path, seed: int) -> World:
    """A knowledge base whose source `help` is a bare repository."""
    folder.mkdir(parents=True)
    world = World(folder, random.Random(seed))
    config = CONFIG.replace('kind = "markdown"\nlocation = "articles"',
                            'kind = "git"\nlocation = "remote.git"')  # fmt: skip
    world.config.write_text(config, encoding="utf-8")
    (folder / "policies").mkdir()
    clone = folder / "clone"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(folder, "init", "--quiet", "--initial-branch=main", str(clone))
    for number in range(CHANGED_BY_DRAFTS):
        name = f"base-{number:03}"
        (clone / f"{name}.md").write_text(f"---\ntitle: About {name}\n---\n\nFirst words.\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "first")
    git(clone, "push", "--quiet", str(folder / "remote.git"), "HEAD:main")
    return world


def run(world: World, kill_after: float | None, *words: str) -> tuple[int, float]:
    """Exit code and seconds; negative where it was killed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*KB, *words, "--config", str(world.config)], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=kill_after)
        if process.returncode != 0:
            print(f"exit {process.returncode}: {said.decode()[-300:]}", flush=True)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return process.returncode, time.perf_counter() - started


def look(world: World, drafts: list[str]) -> list[str]:
    """What does not hold after a sync."""
    log = git(world.folder / "remote.git", "log", "--format=%B", "main").splitlines()
    wrong = []
    with world.open() as application:
        with application.database.read() as connection:
            if read_unwritten(connection):
                wrong.append(LEAVES_WAITING)
        for draft_id in drafts:
            if log.count(f"Draft: {draft_id}") != 1:
                wrong.append(f"{draft_id}: {NOT_ONCE}")
            if world.read_draft(application, draft_id).state is not DraftState.PUBLISHED:
                wrong.append(f"{draft_id}: {NOT_SERVED}")
        if world.listed_of(application, "help") != world.stored(application)["help"]:
            wrong.append("the repository and the database differ")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path)
    said = parser.parse_args()
    folder = (said.work or Path(tempfile.mkdtemp())) / "soak_git"
    world, moments, drafts, seconds = create(folder, said.seed), Counter[str](), [], []
    run(world, None, "sync")
    wrong: list[str] = []
    for number in range(said.kills + 2):
        with world.open() as application:
            draft_id = world.make_draft(application, new=number % 2 == 0)
        words = ("drafts", "approve", draft_id, "--as", OWNER)
        # The first two say how long it takes.
        least = 0.3 * statistics.median(seconds) if number > 1 else 0.0
        after = world.rng.uniform(least, 1.05 * statistics.median(seconds)) if number > 1 else None
        code, took = run(world, after, *words)
        if code == 0:
            seconds.append(took)
        with world.open() as application:
            state = world.read_draft(application, draft_id).state
        moments[f"{'killed' if code < 0 else 'done'}, {state.value}"] += 1
        if state is DraftState.IN_REVIEW:
            run(world, None, *words)
        run(world, None, "sync")
        drafts.append(draft_id)
        wrong = look(world, drafts)
        print(number, "killed" if code < 0 else "done", state.value, flush=True)
        if wrong:
            print(f"FAILED after {number}: {'; '.join(wrong)}; {folder} is kept")
            break
    print(dict(sorted(moments.items())), f"drafts {len(drafts)}, wrong {len(wrong)}")
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
