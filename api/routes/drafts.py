"""Drafts and their review."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.auth import Kb, OwnerCaller
from api.pages.article_text import render_markdown
from api.paging import Page, page_json
from api.review_desk import check_quickly
from api.schemas import (
    CommentBody,
    CreateDraftBody,
    OwnerBody,
    PreviewBody,
    ReviewBody,
    SnoozeBody,
)
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
    draft_hash = _read_match(if_match)
    kb.desk.read_draft(draft_id, caller)
    return kb.publishing.review(
        draft_id,
        body.decision,
        caller=caller,
        draft_hash=draft_hash,
        reason=body.reason,
        markdown=body.markdown,
        state=body.state.value if body.state else None,
        evidence_hash=body.evidence_hash,
        lesson=body.to_lesson(),
    )


@router.post("/{draft_id}/comments")
def comment_draft(draft_id: str, body: CommentBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Say something about a draft to whoever reviews it."""
    kb.desk.read_draft(draft_id, caller)
    return kb.reviewing.comment(draft_id, body.text, caller)


@router.post("/{draft_id}/snooze")
def snooze_draft(
    draft_id: str,
    body: SnoozeBody,
    kb: Kb,
    caller: OwnerCaller,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Put a draft off until an instant, when it comes back to the inbox by itself."""
    draft_hash = _read_match(if_match)
    kb.desk.read_draft(draft_id, caller)
    return kb.reviewing.snooze(
        draft_id, body.until, caller, draft_hash=draft_hash, reason=body.reason
    )


@router.post("/{draft_id}/owner")
def hand_over_draft(
    draft_id: str,
    body: OwnerBody,
    kb: Kb,
    caller: OwnerCaller,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Give a draft and its gap to another owner."""
    draft_hash = _read_match(if_match)
    kb.desk.read_draft(draft_id, caller)
    return kb.reviewing.hand_over(
        draft_id, body.owner, caller, draft_hash=draft_hash, reason=body.reason
    )


@router.post("/{draft_id}/preview")
def preview_draft(draft_id: str, body: PreviewBody, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """An edited text as readers would see it, with the checks that take no search; kept nowhere."""
    draft = kb.desk.read_draft(draft_id, caller)
    checks = check_quickly(draft, body.markdown)
    return {
        "html": str(render_markdown(body.markdown)),
        "checks": [{"name": c.name, "verdict": c.verdict, "detail": c.detail} for c in checks],
    }


def _read_match(if_match: str | None) -> str:
    if if_match is None:
        raise PreconditionRequiredError("send If-Match with the draft's ETag")
    return if_match.strip().removeprefix("W/").strip('"')


@router.post("/{draft_id}/rollback")
def rollback_draft(draft_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Take a published draft back; the state before it is served again."""
    kb.desk.read_draft(draft_id, caller)
    return kb.publishing.rollback_draft(draft_id, caller)
