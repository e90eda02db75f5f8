"""What a person decides: forms in, one operation each, and back to the page that shows it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages.draft_facts import DraftFacts, read_draft_facts
from api.pages.draft_page import ensure_may_review, show_draft, show_overtaken
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.wiring import Application
from gaps.drafting.workflow import REASONED, Decision
from gaps.repository import read_gap
from gaps.types import DraftState
from kb.errors import ConflictError, ForbiddenError, InvalidInputError, KbError, StaleError
from kb.types import Role

MAX_MARKDOWN = 200_000
MAX_REASON = 2_000
OFFERED = {d.value: d for d in Decision if d not in (Decision.PUBLISH, Decision.ROLLBACK)}

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=MAX_MARKDOWN * 2)]


@router.post("/review/gaps/{gap_id}/draft")
def write_draft(gap_id: str, kb: Kb, page: FormCaller) -> Response:
    """Have a draft written for a gap, or questions where the evidence is thin."""
    with kb.database.read() as connection:
        gap = read_gap(connection, gap_id)
    if not page.caller.role.includes(Role.EDITOR) and page.caller.owner != gap.owner:
        raise ForbiddenError(f"this gap is for {gap.owner} to work on")
    draft = kb.desk.create_draft(gap_id, page.caller)
    return RedirectResponse(f"/review/{draft['draft_id']}", status_code=303)


@router.post("/review/{draft_id}/preview")
def preview(draft_id: str, kb: Kb, page: FormCaller, markdown: Text = "") -> HTMLResponse:
    """Show what an edited text will look like and do to real questions; nothing is saved."""
    facts = _read_own(kb, page, draft_id)
    text = _unix_lines(markdown)
    tried = kb.desk.try_text(facts.draft, text) if text.strip() else None
    return show_draft(page, facts, edited=text, tried=tried)


@router.post("/review/{draft_id}/decision")
def decide(
    draft_id: str,
    kb: Kb,
    page: FormCaller,
    decision: Annotated[str, Form(max_length=20)] = "",
    draft_hash: Annotated[str, Form(max_length=64)] = "",
    seen: Text = "",
    markdown: Text = "",
    reason: Annotated[str, Form(max_length=MAX_REASON * 2)] = "",
) -> Response:
    """Take a decision on exactly the text the form was shown with."""
    facts = _read_own(kb, page, draft_id)
    chosen = OFFERED.get(decision)
    if chosen is None:
        raise InvalidInputError(f"no decision {decision!r}")
    edited = _unix_lines(markdown) if chosen is Decision.EDIT else None
    reason = _unix_lines(reason).strip()
    fault = _find_fault(chosen, reason, edited)
    if fault:
        return show_draft(page, facts, status=400, fault=fault, reason=reason, edited=edited)
    try:
        kb.publishing.review(
            draft_id,
            chosen.value,
            caller=page.caller,
            draft_hash=draft_hash,
            reason=reason or None,
            markdown=edited,
        )
    except StaleError as error:
        return show_overtaken(
            page,
            _read_own(kb, page, draft_id),
            message=error.message,
            seen=_unix_lines(seen),
            edited=edited,
            decision=chosen.value,
        )
    except (InvalidInputError, ConflictError) as error:
        status = 409 if isinstance(error, ConflictError) else 400
        facts = _read_own(kb, page, draft_id)
        return show_draft(
            page, facts, status=status, fault=_sentence(error), reason=reason, edited=edited
        )
    return RedirectResponse(f"/review/{draft_id}", status_code=303)


@router.get("/review/{draft_id}/rollback")
def confirm_rollback(draft_id: str, kb: Kb, page: PageCaller) -> HTMLResponse:
    facts = _read_own(kb, page, draft_id)
    _ensure_published(facts)
    return render_page("rollback_draft.html", viewer=page, facts=facts, draft=facts.draft)


@router.post("/review/{draft_id}/rollback")
def roll_back(draft_id: str, kb: Kb, page: FormCaller) -> Response:
    facts = _read_own(kb, page, draft_id)
    _ensure_published(facts)
    kb.publishing.rollback_draft(draft_id, page.caller)
    return RedirectResponse(f"/review/{draft_id}", status_code=303)


def _read_own(kb: Application, page: PageSession, draft_id: str) -> DraftFacts:
    with kb.database.read() as connection:
        facts = read_draft_facts(connection, draft_id, page.caller.audience)
    ensure_may_review(page.caller, facts.draft)
    return facts


def _ensure_published(facts: DraftFacts) -> None:
    if facts.draft.state is not DraftState.PUBLISHED:
        raise ConflictError("only a published draft can be rolled back")


def _find_fault(decision: Decision, reason: str, edited: str | None) -> str:
    if decision in REASONED and not reason:
        return "Say why, so that the next draft can be better."
    if len(reason) > MAX_REASON:
        return f"The reason has {len(reason):,} characters; {MAX_REASON:,} fit."
    if edited is not None and not edited.strip():
        return "The edited text is empty."
    if edited is not None and len(edited) > MAX_MARKDOWN:
        return f"The text has {len(edited):,} characters; {MAX_MARKDOWN:,} fit."
    return ""


def _sentence(error: KbError) -> str:
    said = error.reason if isinstance(error, InvalidInputError) else error.message
    return f"{said[:1].upper()}{said[1:]}."


def _unix_lines(text: str) -> str:
    """Forms send CRLF, whatever the text had."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
