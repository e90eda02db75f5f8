"""APScheduler in UTC: it wakes jobs up; whether a period's run happens is the database's word."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from api.cron import normalise_cron
from api.jobs import JOBS, run_job
from kb import jobs
from kb.errors import InvalidInputError, KbError

if TYPE_CHECKING:
    from api.wiring import Application

log = logging.getLogger("kb.scheduler")
LOOK_BACK = timedelta(days=8)
"""Longer than the longest interval between two runs, so that a catch-up sees the last due one."""


def read_trigger(schedule: str, *, where: str) -> CronTrigger:
    """A cron line, in UTC: a change of clocks can neither skip nor double a run.

    Raises:
        InvalidInputError: It is not a cron line.
    """
    try:
        return CronTrigger.from_crontab(normalise_cron(schedule), timezone=UTC)
    except ValueError as error:
        raise InvalidInputError(f"{schedule!r} is not a cron line: {error}", where=where) from error


def last_due(trigger: CronTrigger, now: datetime) -> datetime | None:
    """The latest instant at or before now that the trigger fires at, within the look-back."""
    due: datetime | None = None
    # The last day first: of a daily job that is one step where the whole look-back has nine.
    for since in (timedelta(days=1), LOOK_BACK):
        fire = trigger.get_next_fire_time(None, now - since)
        while fire is not None and fire <= now:
            due = fire
            fire = trigger.get_next_fire_time(fire, fire + timedelta(microseconds=1))
        if due is not None:
            break
    return due


RETRY_AFTER = timedelta(minutes=15)
"""How often unfinished runs are looked for; after each failure of one, twice as long."""
RETRY_DOUBLINGS = 6
RELAY_SECONDS = 60


class Scheduler:
    """Runs what is due, and what was due while nobody was up."""

    def __init__(self, application: Application) -> None:
        self._application = application
        drive = application.settings.drive
        self._triggers = {
            "sync": read_trigger(drive.sync_schedule, where="kb.toml [drive] sync_schedule"),
            "freshness": read_trigger(
                drive.freshness_schedule, where="kb.toml [drive] freshness_schedule"
            ),
            "drive": read_trigger(drive.schedule, where="kb.toml [drive] schedule"),
            "links": read_trigger(
                application.settings.links.schedule, where="kb.toml [links] schedule"
            ),
            "digest": read_trigger(
                application.settings.notices.digest_schedule,
                where="kb.toml [notices] digest_schedule",
            ),
            "reminders": read_trigger(
                application.settings.notices.reminder_schedule,
                where="kb.toml [notices] reminder_schedule",
            ),
        }
        self._running: dict[str, str] = {}
        """Periods of the jobs that this process is at, by job."""
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        for name, trigger in self._triggers.items():
            self._scheduler.add_job(self.run_due, trigger, args=[name], id=name)
            # A digest tells of what the others find: it is caught up after them.
            if name != "digest":
                self._scheduler.add_job(self.run_due, args=[name], id=f"{name}-catch-up")
        self._scheduler.add_job(
            self.catch_up, "interval", seconds=RETRY_AFTER.total_seconds(), id="catch-up"
        )
        self._scheduler.add_job(self.relay, "interval", seconds=RELAY_SECONDS, id="relay")
        self._scheduler.start()

    def run_due(self, name: str) -> None:
        """Run the job for its last due period, unless that was done."""
        due = last_due(self._triggers[name], self._application.clock.now())
        if due is None:
            return
        self._running[name] = JOBS[name].period_of(due)
        try:
            run = run_job(self._application, name, at=due)
            log.info("job %s: %s", run.run_id, run.status)
        except KbError as error:
            log.error("job %s failed: %s", name, error.message)
        except Exception:
            log.exception("job %s failed", name)
        finally:
            self._running.pop(name, None)

    def catch_up(self) -> None:
        """Run again what failed or was killed; whoever is still at work keeps their lease.

        Without it a run that was killed would be lost: at the restart its lease still holds, and
        at the next due instant another period is due.
        """
        now = self._application.clock.now()
        for name, trigger in self._triggers.items():
            due = last_due(trigger, now)
            if due is None:
                continue
            period = JOBS[name].period_of(due)
            if name in self._running:
                with self._application.database.write() as connection:
                    jobs.renew_lease(connection, name, self._running[name], now=now)
                continue
            with self._application.database.read() as connection:
                run = jobs.read_run(connection, name, period)
            if run is None or _may_try(run, now):
                self.run_due(name)

    def relay(self) -> None:
        """Send what the outbox holds."""
        try:
            self._application.notices.send()
        except KbError as error:
            log.error("notices are not sent: %s", error.message)
        except Exception:
            log.exception("notices are not sent")

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)


def _may_try(run: jobs.JobRun, now: datetime) -> bool:
    """Whether an unfinished run is due again: later and later while it fails."""
    if run.status == jobs.DONE:
        return False
    if run.status != jobs.FAILED or run.finished_at is None:
        return True
    wait: timedelta = RETRY_AFTER * 2 ** min(run.fence - 1, RETRY_DOUBLINGS)
    # A clock that was set back would otherwise make it wait for a time that has passed.
    return abs(now - run.finished_at) >= wait
