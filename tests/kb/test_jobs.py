"""A period's run happens once: claimed once, taken over only when its lease ran out."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from kb import jobs
from kb.database import Database
from kb.errors import ConflictError, NotFoundError
from tests.kb.factories import NOW

WEEK = "2026-W47"


def claim(database: Database, *, now=NOW, period: str = WEEK) -> int | None:  # type: ignore[no-untyped-def]
    with database.write() as connection:
        return jobs.claim_run(connection, "drive", period, now=now)


def finish(database: Database, fence: int, *, now=NOW, **said: object) -> None:  # type: ignore[no-untyped-def]
    with database.write() as connection:
        jobs.finish_run(connection, "drive", WEEK, fence, now=now, **said)  # type: ignore[arg-type]


def read(database: Database) -> jobs.JobRun:
    with database.read() as connection:
        return jobs.read_run_by_id(connection, f"drive:{WEEK}")


def test_a_period_is_claimed_once(database: Database) -> None:
    assert claim(database) == 1
    assert claim(database) is None
    assert claim(database, period="2026-W48") == 1


def test_of_many_that_claim_at_once_one_gets_it(database: Database) -> None:
    fences: list[int | None] = []
    threads = [threading.Thread(target=lambda: fences.append(claim(database))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(f for f in fences if f is not None) == [1]
    assert len(fences) == 8


def test_a_finished_period_is_never_claimed_again(database: Database) -> None:
    claim(database)
    finish(database, 1, report={"gaps": 3})
    assert claim(database, now=NOW + timedelta(days=400)) is None
    run = read(database)
    assert (run.status, run.report, run.lease_until) == ("done", {"gaps": 3}, None)


def test_a_failed_run_may_be_taken_at_once_with_a_higher_fence(database: Database) -> None:
    claim(database)
    finish(database, 1, error="the encoder is away")
    assert read(database).error == "the encoder is away"
    assert claim(database) == 2
    assert read(database).error is None


def test_a_run_whose_lease_ran_out_is_taken_over_and_not_before(database: Database) -> None:
    claim(database)
    assert claim(database, now=NOW + jobs.LEASE - timedelta(seconds=1)) is None
    assert claim(database, now=NOW + jobs.LEASE) == 2


def test_who_was_taken_over_cannot_finish_and_overwrites_nothing(database: Database) -> None:
    claim(database)
    later = NOW + jobs.LEASE
    claim(database, now=later)
    with pytest.raises(ConflictError, match="taken over"):
        finish(database, 1, report={"from": "the late one"})
    finish(database, 2, now=later, report={"from": "the one in charge"})
    with pytest.raises(ConflictError):
        finish(database, 1, error="late again")
    assert read(database).report == {"from": "the one in charge"}


def test_a_run_finishes_once(database: Database) -> None:
    claim(database)
    finish(database, 1)
    with pytest.raises(ConflictError):
        finish(database, 1)


def test_unknown_runs_are_not_found_and_runs_are_listed_latest_first(database: Database) -> None:
    with database.read() as connection:
        for run_id in ("drive:1999-W01", "drive", ""):
            with pytest.raises(NotFoundError):
                jobs.read_run_by_id(connection, run_id)
    claim(database)
    claim(database, now=NOW + timedelta(days=7), period="2026-W48")
    with database.read() as connection:
        assert [run.period for run in jobs.read_runs(connection)] == ["2026-W48", WEEK]
        assert jobs.read_runs(connection, "sync") == []
        assert [run.period for run in jobs.read_runs(connection, limit=1, offset=1)] == [WEEK]
