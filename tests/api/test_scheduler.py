"""What is due, over years, time zones and downtimes; and that each period runs once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from api import scheduler as scheduler_module
from api.jobs import JOBS, Job, day_of, run_job, week_of
from api.scheduler import Scheduler, last_due, read_trigger
from api.settings.reading import Settings
from kb import jobs
from kb.clock import FixedClock
from kb.database import Database
from kb.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError

WEEKLY, DAILY = "0 5 * * mon", "0 3 * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23 05:00", "2026-11-23 05:00"),
        ("2026-11-23 04:59:59.999999", "2026-11-16 05:00"),
        ("2026-11-22 23:00", "2026-11-16 05:00"),
        ("2027-01-01 00:00", "2026-12-28 05:00"),
        ("2028-02-29 12:00", "2028-02-28 05:00"),
    ],
)
def test_the_last_due_instant_is_the_latest_that_has_come(now: str, due: str) -> None:
    assert last_due(read_trigger(WEEKLY, where="t"), at(now)) == at(due)


def test_over_ten_years_every_week_is_due_once_and_every_day_once() -> None:
    start, end = at("2026-01-05 05:00"), at("2036-01-07 05:00")
    weekly, daily = read_trigger(WEEKLY, where="t"), read_trigger(DAILY, where="t")
    weeks, days = [], []
    now = start
    while now < end:
        week, day = last_due(weekly, now), last_due(daily, now)
        assert week is not None and day is not None
        weeks.append(week_of(week))
        days.append(day_of(day))
        now += timedelta(hours=12)
    # Each period comes, none is skipped, and none comes back after the next has begun.
    assert list(dict.fromkeys(weeks)) == sorted(set(weeks), key=lambda w: (w[:4], int(w[6:])))
    assert len(set(weeks)) == 522
    assert len(set(days)) == (end - start).days
    assert len(list(dict.fromkeys(days))) == sum(
        a != b for a, b in zip(["", *days], days, strict=False)
    )


def test_no_change_of_clocks_anywhere_moves_a_run() -> None:
    # The hours that are skipped or doubled in New York, Santiago and Berlin are plain in UTC.
    for line in ("30 6 * * sun", "0 4 * * sun", "30 1 * * sun"):
        trigger = read_trigger(line, where="t")
        fires, now = [], at("2026-01-01 00:00")
        while now < at("2037-01-01 00:00"):
            found = trigger.get_next_fire_time(None, now)
            assert found is not None
            fires.append(found)
            now = found + timedelta(seconds=1)
        assert {b - a for a, b in pairwise(fires)} == {timedelta(days=7)}


@pytest.mark.parametrize(
    ("line", "weekday"),
    [("0 5 * * 1", 0), ("0 5 * * 0", 6), ("0 5 * * 7", 6), ("0 5 * * 5", 4), ("0 5 * * sun", 6)],
)
def test_days_of_the_week_are_numbered_as_cron_numbers_them(line: str, weekday: int) -> None:
    due = last_due(read_trigger(line, where="t"), at("2026-11-21 12:00"))
    assert due is not None and due.weekday() == weekday


@pytest.mark.parametrize(
    ("line", "weekdays"),
    [
        ("0 5 * * 1-5", {0, 1, 2, 3, 4}),
        ("0 5 * * 0,6", {5, 6}),
        ("0 5 * * 5-7", {4, 5, 6}),
        ("0 5 * * 1-7/2", {0, 2, 4, 6}),
        ("0 5 * * */2", {6, 1, 3, 5}),
        ("0 5 * * mon-fri", {0, 1, 2, 3, 4}),
        ("0 5 * * *", set(range(7))),
    ],
)
def test_ranges_lists_and_steps_of_weekdays_are_cron_s(line: str, weekdays: set[int]) -> None:
    trigger = read_trigger(line, where="t")
    found, now = set(), at("2026-11-01 00:00")
    for _ in range(14):
        fire = trigger.get_next_fire_time(None, now)
        assert fire is not None
        found.add(fire.weekday())
        now = fire + timedelta(seconds=1)
    assert found == weekdays


@pytest.mark.parametrize(
    "line", ["", "every monday", "0 5 * *", "0 5 * * * *", "60 5 * * *", "0 25 * * *", "0 5 * * 8",
             "0 5 * * foo", "0 5 * * 5-1", "@daily"],
)  # fmt: skip
def test_what_is_no_cron_line_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(InvalidInputError, match=r"kb\.toml \[drive\]: .*not a cron line"):
        read_trigger(line, where="kb.toml [drive]")


class Recorder:
    """Stands in for the application: counts the runs of one job."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.settings = Settings()
        self.clock = FixedClock(now)
        self.runs: list[datetime] = []
        self.fails: Exception | None = None

    def work(self, *_: Any) -> dict[str, Any]:
        self.runs.append(self.clock.now())
        if self.fails is not None:
            raise self.fails
        return {"runs": len(self.runs)}


@pytest.fixture
def recorder(database: Database, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder(database, at("2026-11-21 12:00"))
    for name in JOBS:
        monkeypatch.setitem(JOBS, name, Job(name, JOBS[name].period_of, recorder.work))
    return recorder


def test_what_was_due_while_nobody_was_up_is_caught_up_once(recorder: Recorder) -> None:
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    scheduler.run_due("drive")
    scheduler.run_due("drive")
    assert len(recorder.runs) == 1
    with recorder.database.read() as connection:
        assert [run.period for run in jobs.read_runs(connection)] == ["2026-W46"]
    recorder.clock = FixedClock(at("2026-11-23 05:00"))
    scheduler.run_due("drive")
    assert len(recorder.runs) == 2


def test_two_replicas_run_a_period_once(recorder: Recorder) -> None:
    for scheduler in [Scheduler(recorder) for _ in range(3)]:  # type: ignore[arg-type]
        scheduler.run_due("sync")
    assert len(recorder.runs) == 1


def test_a_failed_run_is_recorded_and_tried_again(recorder: Recorder) -> None:
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    recorder.fails = UnavailableError("the encoder is away")
    scheduler.run_due("sync")
    with recorder.database.read() as connection:
        run = jobs.read_runs(connection)[0]
    assert (run.status, run.error) == ("failed", "the encoder is away")
    recorder.fails = RuntimeError("a fault of ours")
    scheduler.run_due("sync")
    recorder.fails = None
    scheduler.run_due("sync")
    with recorder.database.read() as connection:
        run = jobs.read_runs(connection)[0]
    assert (run.status, run.fence, run.report) == ("done", 3, {"runs": 3})


def test_a_run_that_was_taken_over_meanwhile_overwrites_nothing(recorder: Recorder) -> None:
    def overslept(*_: Any) -> dict[str, Any]:
        later = recorder.clock.now() + jobs.LEASE
        with recorder.database.write() as connection:
            fence = jobs.claim_run(connection, "drive", "2026-W47", now=later)
            assert fence == 2
            jobs.finish_run(connection, "drive", "2026-W47", 2, now=later, report={"by": "other"})
        return {"by": "the one that slept"}

    JOBS["drive"] = Job("drive", week_of, overslept)
    with pytest.raises(ConflictError, match="taken over"):
        run_job(recorder, "drive")  # type: ignore[arg-type]
    with recorder.database.read() as connection:
        run = jobs.read_run(connection, "drive", "2026-W47")
    assert run is not None and run.report == {"by": "other"}


def test_a_killed_run_is_taken_up_again_when_its_lease_has_run_out(recorder: Recorder) -> None:
    start = recorder.clock.now()
    with recorder.database.write() as connection:
        assert jobs.claim_run(connection, "drive", "2026-W46", now=start) == 1
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    for later, runs in ((timedelta(0), 0), (jobs.LEASE - timedelta(seconds=1), 0), (jobs.LEASE, 1)):
        recorder.clock = FixedClock(start + later)
        scheduler.catch_up()
        with recorder.database.read() as connection:
            run = jobs.read_run(connection, "drive", "2026-W46")
        assert run is not None and (run.status == jobs.DONE) == bool(runs)


def test_a_lease_of_a_clock_days_ahead_ends_and_the_period_is_run_once(recorder: Recorder) -> None:
    due = at("2026-11-23 05:00")
    ahead = due + timedelta(days=3)
    with recorder.database.write() as connection:
        assert jobs.claim_run(connection, "drive", "2026-W47", now=ahead) == 1  # And it dies.
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    runs = []
    for hours in range(0, 6 * 24, 2):
        recorder.clock = FixedClock(due + timedelta(hours=hours))
        before = len(recorder.runs)
        scheduler.run_due("drive")
        if len(recorder.runs) > before:
            runs.append(hours)
    assert runs == [3 * 24 + 2]


def test_what_fails_is_tried_again_later_and_later(recorder: Recorder) -> None:
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    recorder.fails = UnavailableError("the encoder is away")
    start, tried = recorder.clock.now(), []
    for minutes in range(0, 24 * 60, 5):
        recorder.clock = FixedClock(start + timedelta(minutes=minutes))
        before = len(recorder.runs)
        scheduler.run_due("drive") if minutes == 0 else scheduler.catch_up()
        with recorder.database.read() as connection:
            run = jobs.read_run(connection, "drive", "2026-W46")
        assert run is not None
        if len(recorder.runs) > before and run.fence > len(tried):
            tried.append(minutes)
    waits = [b - a for a, b in pairwise(tried)]
    assert waits == [15, 30, 60, 120, 240, 480]


def test_a_run_at_work_keeps_its_lease_however_long_it_takes(recorder: Recorder) -> None:
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    begun: list[str] = []

    def work_long(_application: Any, period: str) -> dict[str, Any]:
        begun.append(period)
        for _ in range(20):
            recorder.clock = FixedClock(recorder.clock.now() + timedelta(minutes=15))
            scheduler.catch_up()
            with recorder.database.write() as connection:
                assert jobs.claim_run(connection, "drive", period, now=recorder.clock.now()) is None
        return {}

    JOBS["drive"] = Job("drive", week_of, work_long)
    scheduler.run_due("drive")
    assert begun == ["2026-W47"]


def test_an_interrupted_run_does_not_count_as_done(recorder: Recorder) -> None:
    recorder.fails = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        run_job(recorder, "drive")  # type: ignore[arg-type]
    recorder.fails = None
    with recorder.database.read() as connection:
        run = jobs.read_runs(connection)[0]
    assert (run.status, run.error) == ("failed", "KeyboardInterrupt: ")
    assert run_job(recorder, "drive").status == "done"  # type: ignore[arg-type]


def test_an_unknown_job_is_not_found(recorder: Recorder) -> None:
    with pytest.raises(NotFoundError):
        run_job(recorder, "gossip")  # type: ignore[arg-type]


def test_the_scheduler_starts_with_a_catch_up_of_every_job_and_stops(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[str] = []
    fake = SimpleNamespace(
        add_job=lambda *_args, id, **_kw: added.append(id),
        start=lambda: added.append("started"),
        shutdown=lambda wait: added.append(f"stopped {wait}"),
    )
    monkeypatch.setattr(scheduler_module, "BackgroundScheduler", lambda **_: fake)
    scheduler = Scheduler(recorder)  # type: ignore[arg-type]
    scheduler.start()
    scheduler.stop()
    assert {"sync", "sync-catch-up", "drive", "drive-catch-up", "freshness"} <= set(added)
    assert {"links", "digest", "reminders", "catch-up", "relay"} <= set(added)
    assert added[-2:] == ["started", "stopped False"]
