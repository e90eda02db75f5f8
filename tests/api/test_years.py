"""Eleven years of the schedule: six zones, every change of clocks, jumps, restarts and kills.

Six replicas share one database, each on a machine in another zone (`TZ`). Their clocks are set
forward and back, everything is down for hours or days, and runs fail or are killed in the middle.
Whatever happens, a period is run to its end exactly once, unless nothing ran from its due instant
to the next one's: of several such periods only the last is caught up. 20 to 40 s of processor time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from api.jobs import JOBS, Job
from api.scheduler import Scheduler
from api.settings.reading import Settings
from kb import jobs
from kb.database import Database
from kb.errors import UnavailableError

ZONES = (
    "America/New_York", "America/Santiago", "Europe/Berlin", "Africa/Casablanca",
    "Australia/Lord_Howe", "Pacific/Chatham",
)  # fmt: skip
"""Changes of an hour and of half an hour, in both halves of the year, around the month of fasting,
and a zone three quarters of an hour off the others."""
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
JUMPS = 1_000
SKEW = timedelta(minutes=30)
"""Clocks closer than this count as right."""
WEEKLY, DAILY = ("links", "freshness", "drive", "digest"), ("sync", "reminders")


class Killed(BaseException):
    """The process dies: nothing of it runs any more, not even what notes that a run has ended."""


class Fleet:
    """What the replicas share, and a count of what they did."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.done: Counter[tuple[str, str]] = Counter()
        self.begun: Counter[tuple[str, str]] = Counter()
        self.befallen = 0
        self.true_now = START
        self.fate: type[BaseException] | None = None
        """What befalls the next run."""
        self.dead = False
        self.awake: Replica | None = None
        self.after_fate: Callable[[], None] = lambda: None

    def work(self, job: str, period: str) -> dict[str, Any]:
        self.begun[job, period] += 1
        assert self.awake is not None
        # The lease of a clock that is days ahead holds for days, and is tested by itself.
        if self.fate is not None and abs(self.awake.off) < SKEW:
            fate, self.fate = self.fate, None
            self.befallen += 1
            self.after_fate()
            self.dead = fate is Killed
            raise fate("by the test")
        self.done[job, period] += 1
        return {"period": period}


class Replica:
    """One process on a machine in a zone; its clock is the true time, off by what it was set."""

    def __init__(self, fleet: Fleet, zone: str) -> None:
        self.database, self.settings, self.clock = fleet.database, Settings(), self
        self.fleet = fleet
        self.zone = zone
        self.off = timedelta(0)
        self.start()

    def now(self) -> datetime:
        return self.fleet.true_now + self.off

    def start(self) -> None:
        self.fleet.dead = False
        self.scheduler = Scheduler(self)  # type: ignore[arg-type]

    def run(self, names: Iterable[str]) -> None:
        """As APScheduler runs jobs that have come due, or at the start all of them."""
        self._live(lambda: [self.scheduler.run_due(name) for name in names])

    def look(self) -> None:
        """As APScheduler looks for unfinished runs every quarter of an hour."""
        self._live(self.scheduler.catch_up)

    def _live(self, act: Callable[[], object]) -> None:
        os.environ["TZ"] = self.zone
        time.tzset()
        self.fleet.awake = self
        try:
            act()
        except Killed:
            self.start()


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    database = Database(f"sqlite:///{tmp_path / 'kb.db'}")

    def hurry(connection: Any, _record: Any) -> None:
        # Power does not fail in this test, and eleven years of waiting for the disk are long.
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(database.engine, "connect", hurry)
    database.migrate()
    fleet = Fleet(database)
    for name, job in list(JOBS.items()):
        work = partial(lambda name, _kb, period: fleet.work(name, period), name)
        monkeypatch.setitem(JOBS, name, Job(name, job.period_of, work))
    finish = jobs.finish_run

    def finish_alive(*said: Any, **more: Any) -> None:
        if not fleet.dead:
            finish(*said, **more)

    monkeypatch.setattr(jobs, "finish_run", finish_alive)
    zone = os.environ.get("TZ", "")
    logging.disable(logging.CRITICAL)
    yield fleet
    logging.disable(logging.NOTSET)
    database.close()
    monkeypatch.setenv("TZ", zone) if zone else os.environ.pop("TZ", None)
    time.tzset()


def changes_of_clocks(zone: str) -> list[datetime]:
    """The instants, in UTC and to the half hour, at which a zone's clocks change."""
    found, here, step = [], ZoneInfo(zone), timedelta(minutes=30)
    day = START
    while day < END:
        following = day + timedelta(days=1)
        if day.astimezone(here).utcoffset() != following.astimezone(here).utcoffset():
            moment = day
            while moment.astimezone(here).utcoffset() == day.astimezone(here).utcoffset():
                moment += step
            found.append(moment)
        day = following
    return found


Act = Callable[[], None]


class Calendar:
    """What happens when, in true time."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.choose = random.Random(seed)
        self.replicas = [Replica(fleet, zone) for zone in ZONES]
        self.outages: list[tuple[datetime, datetime]] = []
        self._acts: list[tuple[datetime, int, Act]] = []
        self._count = itertools.count()
        self.jumps = 0

    def add(self, at: datetime, act: Act) -> None:
        heapq.heappush(self._acts, (at, next(self._count), act))

    def is_down(self, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.outages)

    def live(self) -> None:
        while self._acts:
            self.fleet.true_now, _, act = heapq.heappop(self._acts)
            if not self.is_down(self.fleet.true_now):
                act()


def plan_outages(calendar: Calendar, count: int) -> None:
    """Everything is down, for an hour to five days; all replicas start at the end."""
    for _ in range(count):
        start = START + timedelta(minutes=calendar.choose.randrange(30, 11 * 525_600))
        end = start + timedelta(hours=calendar.choose.choice((1, 3, 9, 26, 50, 120)))
        calendar.outages.append((start, end))

        def restart() -> None:
            for replica in calendar.replicas:
                replica.start()
                replica.run(JOBS)

        calendar.add(end, restart)


def plan_due(calendar: Calendar) -> dict[tuple[str, str], tuple[datetime, datetime]]:
    """Replicas wake for each due instant; returns each period's instant and the next one's."""
    periods = {}
    for name, trigger in Scheduler(calendar.replicas[0])._triggers.items():  # type: ignore[arg-type]
        due = trigger.get_next_fire_time(None, START)
        while due is not None and due < END:
            calendar.add(due, partial(wake_some, calendar, name))
            following = trigger.get_next_fire_time(due, due + timedelta(seconds=1))
            periods[name, JOBS[name].period_of(due)] = (due, following)
            due = following
    return periods


def wake_some(calendar: Calendar, name: str) -> None:
    """Some replicas whose clocks are right; the others would find the same."""
    right = [replica for replica in calendar.replicas if abs(replica.off) < SKEW]
    for replica in calendar.choose.sample(right, 2 if name in WEEKLY else 1):
        replica.off = timedelta(0)
        replica.run([name])


def plan_changes_of_clocks(calendar: Calendar) -> int:
    count = 0
    for replica in calendar.replicas:
        for moment in changes_of_clocks(replica.zone):
            count += 1
            for minutes in (-61, -1, 0, 1, 61):
                calendar.add(moment + timedelta(minutes=minutes), replica.look)
    return count


def plan_jumps(calendar: Calendar) -> None:
    """One clock is set wrong by a second to nine days, and right again hours or days later."""
    for _ in range(JUMPS * 11 // 20):
        replica = calendar.choose.choice(calendar.replicas)
        seconds = calendar.choose.choice((1, 60, 3_600, 7_200, 86_400, 9 * 86_400))
        off = timedelta(seconds=seconds * calendar.choose.choice((-1, 1)))
        at = START + timedelta(minutes=calendar.choose.randrange(1, 11 * 525_600))
        back = at + timedelta(minutes=calendar.choose.randrange(1, 4_000))
        for moment, wanted in ((at, off), (back, timedelta(0))):

            def jump(replica: Replica = replica, wanted: timedelta = wanted) -> None:
                replica.off = wanted
                calendar.jumps += 1
                calendar.choose.choice((replica.look, partial(replica.run, JOBS)))()

            calendar.add(moment, jump)


def plan_fates(calendar: Calendar, count: int) -> None:
    """The next run fails or is killed, and the fleet looks for what is unfinished later on."""
    for _ in range(count):
        at = START + timedelta(minutes=calendar.choose.randrange(1, 11 * 525_600))
        fate = calendar.choose.choice((Killed, UnavailableError, ZeroDivisionError))

        def befall(fate: type[BaseException] = fate) -> None:
            calendar.fleet.fate = fate

        calendar.add(at, befall)

    def look_later() -> None:
        for hours in (0.5, 2.5, 5.0):
            looks = calendar.choose.choice(calendar.replicas)
            later = calendar.fleet.true_now + timedelta(hours=hours)
            calendar.add(later, partial(look_right, looks))

    calendar.fleet.after_fate = look_later


def look_right(replica: Replica) -> None:
    replica.off = timedelta(0)
    replica.look()


def was_up(calendar: Calendar, due: datetime, following: datetime) -> bool:
    """Whether anything ran between an instant and the next."""
    moment = due
    while moment < following:
        ends = [end for start, end in calendar.outages if start <= moment < end]
        if not ends:
            return True
        moment = max(ends)
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_eleven_years_in_six_zones_run_every_period_once(fleet: Fleet) -> None:
    calendar = Calendar(fleet, seed=20261121)
    plan_outages(calendar, 60)
    periods = plan_due(calendar)
    changes = plan_changes_of_clocks(calendar)
    plan_jumps(calendar)
    plan_fates(calendar, 330)
    calendar.live()

    assert changes > 100 and calendar.jumps >= JUMPS and fleet.befallen >= 250
    assert set(fleet.done.values()) == {1}
    assert sum(fleet.begun.values()) == sum(fleet.done.values()) + fleet.befallen
    wanted = {period: span for period, span in periods.items() if was_up(calendar, *span)}
    missed = set(periods) - set(wanted)
    assert len(wanted) > 10_000 and 20 < len(missed) < 200
    assert {name for name, _ in missed} == set(DAILY)
    assert set(wanted) <= set(fleet.done)
    with fleet.database.read() as connection:
        found = jobs.read_runs(connection, limit=20_000)
    assert {run.status for run in found} == {jobs.DONE}
    assert {run.report["period"] == run.period for run in found if run.report} == {True}
