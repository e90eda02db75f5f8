"""Two reviewers decide on one draft at the same moment, a thousand times: does one win?

    python bench/review_races.py [--races 1000] [--seed 1]

Approvals publish: what is raced is the whole operation, from the check of the hash to the file in
the folder. Exits 1 where a race does not end with one decision that stands, one article served at
most, and the other reviewer told (412) with the text they sent still theirs to keep.
Method and figures: bench/README.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from review_world import ReviewWorld

from api.keys import Caller
from gaps.drafting.drafts import read_draft, read_reviews
from gaps.drafting.publications import read_publication_of
from gaps.types import Draft
from kb.audit import verify_chain
from kb.errors import KbError, StaleError
from kb.types import Audience, Role

DECISIONS = ("approve", "edit", "reject", "ask_changes")


class _Weekly:
    """The measurement before a publication is not what is raced."""

    def measure_before(self, _draft: Draft) -> dict[str, Any]:
        return {}


def race(world: ReviewWorld, number: int, rng: random.Random) -> tuple[str, str]:
    """One race; what was decided on both sides, and how it ended."""
    application = world.application
    draft = world.add_draft(number)
    chosen = [rng.choice(DECISIONS[:2]), rng.choice(DECISIONS)]
    gate = threading.Barrier(2)
    ends: dict[str, str] = {}

    def decide(who: str, decision: str) -> None:
        caller = Caller(who, Role.EDITOR, Audience.INTERNAL, who)
        text = f"1. What {who} wrote in race {number}.\n" if decision == "edit" else None
        gate.wait()
        try:
            application.publishing.review(
                draft.draft_id, decision, caller=caller, draft_hash=draft.draft_hash,
                reason="Not right.", markdown=text, state="in_review",
            )  # fmt: skip
        except StaleError:
            ends[who] = "412"
        except KbError as error:
            ends[who] = f"{error.code}: {error.message}"
        else:
            ends[who] = "won"

    threads = [
        threading.Thread(target=decide, args=(who, decision))
        for who, decision in zip(("ben", "eva"), chosen, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with application.database.read() as connection:
        reviews = read_reviews(connection, draft.draft_id)
        stored = read_draft(connection, draft.draft_id)
        publication = read_publication_of(connection, draft.draft_id)
    winner = next((who for who, end in ends.items() if end == "won"), None)
    told = sorted(ends.values()) == ["412", "won"]
    stands = len(reviews) == 1 and reviews[0].reviewer == winner
    served = (publication is not None) == (stored.state.value == "published")
    end = "one won, one told" if told and stands and served else f"WRONG {ends} {len(reviews)}"
    return " against ".join(sorted(chosen)), end


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--races", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    rng = random.Random(said.seed)
    ends: Counter[tuple[str, str]] = Counter()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        world = ReviewWorld(Path(folder) / "kb", said.seed)
        world.application.__dict__["weekly"] = _Weekly()
        # The checks of an edited text are not raced either, and would read every article there is.
        world.application.desk.check_draft = lambda draft: draft.checks[:1]  # type: ignore[method-assign]
        for number in range(said.races):
            ends[race(world, number, rng)] += 1
        with world.application.database.read() as connection:
            entries, _ = verify_chain(connection)
        world.application.close()
    for (pair, end), count in sorted(ends.items()):
        print(f"{count:5} {pair:28} {end}")
    wrong = sum(count for (_, end), count in ends.items() if end.startswith("WRONG"))
    spent = time.perf_counter() - begin
    print(
        f"{said.races} races, {wrong} wrong, {spent:.0f} s; {entries} audit entries, chain intact"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
