"""Gaps: what the knowledge base lacks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import CorrectionBody, DismissBody
from gaps.keeping.corrections import CorrectionKind

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
    """One gap with its tickets, documents and reasons."""
    return kb.desk.show_gap(gap_id)


@router.post("/{gap_id}/dismiss")
def dismiss_gap(gap_id: str, body: DismissBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Say that this is not worth an article; it stays dismissed until it grows."""
    return kb.topics.correct(
        gap_id, CorrectionKind.NOT_A_GAP, caller, reason=body.reason, growth=body.growth
    )


@router.post("/{gap_id}/correct")
def correct_gap(gap_id: str, body: CorrectionBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Say what a gap is: another kind, part of another gap, two, somebody else's.

    It binds every later run and is kept as training for triage. The answer is the gap that goes
    on: itself, the one it was merged into, or the one that was split off.
    """
    return kb.topics.correct(
        gap_id, CorrectionKind(body.kind), caller, value=body.value, tickets=tuple(body.tickets),
        reason=body.reason, growth=body.growth,
    )  # fmt: skip
