"""Gaps: what the knowledge base lacks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import ReasonBody

router = APIRouter(prefix="/v1/gaps", tags=["gaps"])


@router.get("")
def list_gaps(
    kb: Kb,
    caller: OwnerCaller,
    page: Page,
    status: Annotated[str | None, Query(max_length=20)] = None,
    kind: Annotated[str | None, Query(max_length=20)] = None,
) -> dict[str, Any]:
    """Gaps, strongest first."""
    found = kb.desk.list_gaps(status=status, kind=kind)
    return page_json(found[page.offset : page.offset + page.limit + 1], page)


@router.get("/{gap_id}")
def show_gap(gap_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    return kb.desk.show_gap(gap_id)


@router.post("/{gap_id}/dismiss")
def dismiss_gap(gap_id: str, body: ReasonBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Say that this is not worth an article; it stays dismissed until it grows."""
    return kb.desk.dismiss_gap(gap_id, reason=body.reason, caller=caller)
