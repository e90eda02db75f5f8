"""SQL for job runs: a unique (job, period) row decides whether a run happens.

A run holds a lease and a fencing token. Whoever finishes must still hold the token, so a process
that slept past its lease cannot overwrite the one that took over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kb.errors import ConflictError, NotFoundError
from kb.tables import job_runs

LEASE = timedelta(hours=2)
DONE = "done"
FAILED = "failed"
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class JobRun:
    job: str
    period: str
    status: str
    fence: int
    lease_until: datetime | None
    started_at: datetime
    finished_at: datetime | None
    report: dict[str, Any] | None
    error: str | None

    @property
    def run_id(self) -> str:
        return f"{self.job}:{self.period}"


def claim_run(connection: Connection, job: str, period: str, *, now: datetime) -> int | None:
    """Take the run of a period, if nobody has done it or is doing it.

    A failed run, or one whose lease ran out, may be taken again.

    Returns:
        The fencing token to finish with, or None when there is nothing to do.
    """
    row = read_run(connection, job, period)
    if row is None:
        connection.execute(
            insert(job_runs).values(
                job=job,
                period=period,
                status=RUNNING,
                fence=1,
                lease_until=now + LEASE,
                started_at=now,
            )
        )
        return 1
    held = row.status == RUNNING and row.lease_until is not None and row.lease_until > now
    if row.status == DONE or held:
        return None
    connection.execute(
        update(job_runs)
        .where(job_runs.c.job == job, job_runs.c.period == period)
        .values(
            status=RUNNING,
            fence=row.fence + 1,
            lease_until=now + LEASE,
            started_at=now,
            finished_at=None,
            error=None,
        )
    )
    return row.fence + 1


def renew_lease(connection: Connection, job: str, period: str, *, now: datetime) -> None:
    """Keep a run that is still at work from being taken over."""
    connection.execute(
        update(job_runs)
        .where(job_runs.c.job == job, job_runs.c.period == period, job_runs.c.status == RUNNING)
        .values(lease_until=now + LEASE)
    )


def finish_run(
    connection: Connection,
    job: str,
    period: str,
    fence: int,
    *,
    now: datetime,
    report: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record how a run ended.

    Raises:
        ConflictError: Another process took the run over meanwhile.
    """
    changed = connection.execute(
        update(job_runs)
        .where(
            job_runs.c.job == job,
            job_runs.c.period == period,
            job_runs.c.fence == fence,
            job_runs.c.status == RUNNING,
        )
        .values(
            status=FAILED if error else DONE,
            finished_at=now,
            lease_until=None,
            report=report,
            error=error,
        )
    )
    if changed.rowcount == 0:
        raise ConflictError(f"{job} of {period} was taken over by another process")


def read_run(connection: Connection, job: str, period: str) -> JobRun | None:
    row = connection.execute(
        select(job_runs).where(job_runs.c.job == job, job_runs.c.period == period)
    ).first()
    return None if row is None else _to_run(row)


def read_run_by_id(connection: Connection, run_id: str) -> JobRun:
    job, _, period = run_id.partition(":")
    run = read_run(connection, job, period)
    if run is None:
        raise NotFoundError("job run", run_id)
    return run


def read_runs(
    connection: Connection, job: str | None = None, *, limit: int = 50, offset: int = 0
) -> list[JobRun]:
    """Runs, latest start first."""
    query = select(job_runs).order_by(job_runs.c.started_at.desc(), job_runs.c.job)
    if job is not None:
        query = query.where(job_runs.c.job == job)
    return [_to_run(row) for row in connection.execute(query.limit(limit).offset(offset))]


def _to_run(row: Any) -> JobRun:
    return JobRun(
        row.job,
        row.period,
        row.status,
        row.fence,
        row.lease_until,
        row.started_at,
        row.finished_at,
        row.report,
        row.error,
    )
