"""APScheduler in UTC: it wakes jobs up; whether a period's run happens is the database's word."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from api.cron import normalise_cron
from api.jobs import run_job
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
    fire = trigger.get_next_fire_time(None, now - LOOK_BACK)
    while fire is not None and fire <= now:
        due = fire
        fire = trigger.get_next_fire_time(fire, fire + timedelta(microseconds=1))
    return due


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
        }
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        for name, trigger in self._triggers.items():
            self._scheduler.add_job(self.run_due, trigger, args=[name], id=name)
            self._scheduler.add_job(self.run_due, args=[name], id=f"{name}-catch-up")
        self._scheduler.start()

    def run_due(self, name: str) -> None:
        """Run the job for its last due period, unless that was done."""
        due = last_due(self._triggers[name], self._application.clock.now())
        if due is None:
            return
        try:
            run = run_job(self._application, name, at=due)
            log.info("job %s: %s", run.run_id, run.status)
        except KbError as error:
            log.error("job %s failed: %s", name, error.message)
        except Exception:
            log.exception("job %s failed", name)

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
