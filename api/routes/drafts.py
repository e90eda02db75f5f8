"""Drafts and their review."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.auth import Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import CreateDraftBody, ReviewBody
from kb.errors import KbError

router = APIRouter(prefix="/v1/drafts", tags=["drafts"])


class PreconditionRequiredError(KbError):
    """A review must say which draft it read."""

    code = "precondition_required"


@router.get("")
def list_drafts(
    kb: Kb,
    caller: OwnerCaller,
    page: Page,
    state: Annotated[str | None, Query(max_length=30)] = None,
) -> dict[str, Any]:
    """Drafts the caller may review, newest first."""
    found = kb.desk.list_drafts(caller, state=state)
    return page_json(found[page.offset : page.offset + page.limit + 1], page)


@router.post("")
def create_draft(body: CreateDraftBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Write a draft for a gap, or say what is missing for one."""
    return kb.desk.create_draft(body.gap_id, caller)


@router.get("/{draft_id}")
def show_draft(draft_id: str, kb: Kb, caller: OwnerCaller, response: Response) -> dict[str, Any]:
    """One draft; its ETag is what a review must name."""
    shown = kb.desk.show_draft(draft_id, caller)
    response.headers["ETag"] = f'"{shown["draft_hash"]}"'
    return shown


@router.post("/{draft_id}/review")
def review_draft(
    draft_id: str,
    body: ReviewBody,
    kb: Kb,
    caller: OwnerCaller,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Approve, edit, ask for changes or reject; 428 without `If-Match`, 412 when stale."""
    if if_match is None:
        raise PreconditionRequiredError("send If-Match with the draft's ETag")
    kb.desk.read_draft(draft_id, caller)
    return kb.publishing.review(
        draft_id,
        body.decision,
        caller=caller,
        draft_hash=if_match.strip().removeprefix("W/").strip('"'),
        reason=body.reason,
        markdown=body.markdown,
    )


@router.post("/{draft_id}/rollback")
def rollback_draft(draft_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Take a published draft back; the state before it is served again."""
    kb.desk.read_draft(draft_id, caller)
    return kb.publishing.rollback_draft(draft_id, caller)
