"""The jobs that run by themselves, and the one way any of them runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kb import jobs
from kb.errors import KbError, NotFoundError

if TYPE_CHECKING:
    from api.wiring import Application


def week_of(instant: datetime) -> str:
    """ISO week of an instant in UTC: "2026-W47"."""
    year, week, _ = instant.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02d}"


def week_before(instant: datetime) -> str:
    """The last complete ISO week: what a Drive looks back on."""
    return week_of(instant - timedelta(days=7))


def day_of(instant: datetime) -> str:
    return instant.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    period_of: Callable[[datetime], str]
    run: Callable[[Application, str], dict[str, Any]]
    """Does the work of a period and reports it."""


def _run_sync(application: Application, _period: str) -> dict[str, Any]:
    reports = list(application.sync_sources())
    application.refresh_index(actor="schedule")
    return {"sources": reports}


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("sync", day_of, _run_sync),
        Job("freshness", week_of, lambda kb, _period: kb.weekly.check_freshness()),
        Job("links", week_of, lambda kb, _period: kb.weekly.check_links()),
        Job("digest", week_of, lambda kb, period: kb.notices.write_digests(period)),
        Job("reminders", day_of, lambda kb, _period: kb.notices.write_reminders()),
        Job("drive", week_before, lambda kb, period: kb.weekly.run_drive(period)),
    )
}


def run_job(application: Application, name: str, *, at: datetime | None = None) -> jobs.JobRun:
    """Run a job for the period an instant lies in, unless that period's run exists.

    Args:
        application: What it works on.
        name: A name in JOBS.
        at: The instant whose period is meant; the present if left out.

    Returns:
        The period's run, whether made now or found.

    Raises:
        NotFoundError: No such job.
        KbError: The job failed; the row says so and the next call tries again.
    """
    if name not in JOBS:
        raise NotFoundError("job", name)
    job = JOBS[name]
    period = job.period_of(at or application.clock.now())
    with application.database.write() as connection:
        fence = jobs.claim_run(connection, name, period, now=application.clock.now())
    if fence is not None:
        _run_claimed(application, job, period, fence)
    with application.database.read() as connection:
        found = jobs.read_run(connection, name, period)
    assert found is not None
    return found


def _run_claimed(application: Application, job: Job, period: str, fence: int) -> None:
    report: dict[str, Any] | None = None
    error: str | None = None
    try:
        report = job.run(application, period)
    except KbError as failure:
        error = failure.message
        raise
    except BaseException as failure:  # An interrupted run is not a finished one.
        error = f"{type(failure).__name__}: {failure}"
        raise
    finally:
        with application.database.write() as connection:
            jobs.finish_run(
                connection,
                job.name,
                period,
                fence,
                now=application.clock.now(),
                report=report,
                error=error,
            )


def run_json(run: jobs.JobRun) -> dict[str, Any]:
    from kb.clock import format_instant

    return {
        "id": run.run_id,
        "job": run.job,
        "period": run.period,
        "status": run.status,
        "started_at": format_instant(run.started_at),
        "finished_at": format_instant(run.finished_at) if run.finished_at else None,
        "report": run.report,
        "error": run.error,
    }
