"""Sources, jobs, drives and the audit log, for those who run the service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import AdminCaller, EditorCaller, Kb, OwnerCaller
from api.jobs import run_job, run_json
from api.paging import Page, page_json
from api.schemas import instant_json
from kb import articles, audit, jobs

router = APIRouter(prefix="/v1", tags=["operations"])


@router.get("/sources")
def list_sources(kb: Kb, caller: OwnerCaller, page: Page) -> dict[str, Any]:
    """Where documents come from, with when each was last synced."""
    with kb.database.read() as connection:
        found = articles.read_sources(connection)
    rows = [row | {"synced_at": instant_json(row["synced_at"])} for row in found]
    return page_json(rows[page.offset : page.offset + page.limit + 1], page)


@router.post("/sources/{name}/sync")
def sync_source(name: str, kb: Kb, caller: EditorCaller) -> dict[str, Any]:
    """Sync one source now."""
    reports = list(kb.sync_sources(name))
    kb.refresh_index(actor=caller.name)
    return {"sources": reports}


@router.get("/drives")
def list_drives(kb: Kb, caller: OwnerCaller, page: Page) -> dict[str, Any]:
    """The weekly cycles, newest first."""
    found = kb.weekly.list_drives()
    return page_json(found[page.offset : page.offset + page.limit + 1], page)


@router.post("/jobs/{name}/run")
def run_now(name: str, kb: Kb, caller: AdminCaller) -> dict[str, Any]:
    """Run a job for the present period; a period that was done is not done again."""
    return run_json(run_job(kb, name))


@router.get("/jobs")
def list_jobs(kb: Kb, caller: OwnerCaller, page: Page) -> dict[str, Any]:
    """Runs of jobs, newest first."""
    with kb.database.read() as connection:
        found = jobs.read_runs(connection, limit=page.limit + 1, offset=page.offset)
    return page_json([run_json(run) for run in found], page)


@router.get("/jobs/{run_id}")
def show_job(run_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """One run of a job."""
    with kb.database.read() as connection:
        return run_json(jobs.read_run_by_id(connection, run_id))


@router.get("/audit")
def list_audit(
    kb: Kb,
    caller: EditorCaller,
    page: Page,
    subject: Annotated[str | None, Query(max_length=260)] = None,
) -> dict[str, Any]:
    """The audit log, newest first."""
    with kb.database.read() as connection:
        found = audit.read_entries(
            connection, subject=subject, limit=page.limit + 1, offset=page.offset
        )
    rows = [
        {
            "seq": entry.seq,
            "at": instant_json(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "details": entry.details,
            "hash": entry.hash,
        }
        for entry in found
    ]
    return page_json(rows, page)
