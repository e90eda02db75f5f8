"""Tickets in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.auth import EditorCaller, Kb

router = APIRouter(prefix="/v1/tickets", tags=["tickets"])


@router.post(
    "",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
async def import_tickets(request: Request, kb: Kb, caller: EditorCaller) -> dict[str, Any]:
    """Import JSON lines, one ticket a line; bad lines are refused by number, the rest is taken."""
    lines = (await request.body()).split(b"\n")
    return await run_in_threadpool(kb.desk.import_tickets, lines, caller.name)
