"""What is no longer true: the queue that the weekly check leaves, and one article's history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from api.auth import Kb, OwnerCaller
from api.paging import Page, page_json
from gaps.freshness.queue import QueueFilter

router = APIRouter(prefix="/v1/freshness", tags=["freshness"])
Word = Annotated[str, Query(max_length=80)]


@router.get("")
def list_freshness(
    kb: Kb,
    caller: OwnerCaller,
    page: Page,
    owner: Word = "",
    verdict: Word = "any",
    signal: Word = "",
    show: Literal["waiting", "ready", "confirmed", "any"] = "any",
) -> dict[str, Any]:
    """Published articles by what their doubt costs, most damaging first.

    `verdict` empty leaves out what is fresh. `show`: waiting for somebody, ready to be confirmed
    without a look (due only by age and used well), or confirmed since the check. Owners get what
    they own.
    """
    asked = QueueFilter(owner=owner, verdict=verdict, signal=signal, show=show)
    rows = kb.freshness.list_entries(caller, asked, limit=page.limit, offset=page.offset)
    return page_json(rows, page)


@router.get("/{document_id:path}")
def show_freshness(document_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """An article's verdict with its reasons, and what was judged of it before."""
    return kb.freshness.show_entry(document_id, caller)
