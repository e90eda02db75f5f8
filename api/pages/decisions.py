"""What a person decides: forms in, one operation each, and back to the page that shows it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages.article_text import render_markdown
from api.pages.draft_facts import DraftFacts, read_draft_facts
from api.pages.draft_page import Sent, ensure_may_review, show_draft, show_overtaken
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.pages.word_diff import diff_texts
from api.review_desk import check_quickly, make_lesson
from api.wiring import Application
from gaps.drafting.lessons import Lesson
from gaps.drafting.workflow import REASONED, Decision
from gaps.repository import read_gap
from gaps.types import DraftState
from kb.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    KbError,
    NotFoundError,
    StaleError,
)
from kb.types import Role

MAX_MARKDOWN = 200_000
MAX_REASON = 2_000
MOST_TICKETS = 1_000
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
def preview(
    draft_id: str,
    kb: Kb,
    page: FormCaller,
    markdown: Text = "",
    live: Annotated[str, Form(max_length=5)] = "",
) -> HTMLResponse:
    """Show what an edited text will look like and what the checks say of it; nothing is saved.

    While it is being typed (`live`), only the part that changes, with the checks that take no
    search; asked for with the button, the whole page with every check.
    """
    facts = read_own(kb, page, draft_id)
    text = unix_lines(markdown)
    if live:
        return render_page(
            "preview.html",
            checks=check_quickly(facts.draft, text),
            diff=diff_texts(facts.draft.markdown, text.strip() + "\n"),
            body=render_markdown(text),
        )
    tried = kb.reviewing.check_edited(facts.draft, text) if text.strip() else ()
    return show(kb, page, facts, edited=text, tried=tried)


@router.post("/review/{draft_id}/decision")
def decide(
    draft_id: str,
    kb: Kb,
    page: FormCaller,
    decision: Annotated[str, Form(max_length=20)] = "",
    draft_hash: Annotated[str, Form(max_length=64)] = "",
    state: Annotated[str, Form(max_length=30)] = "",
    evidence_hash: Annotated[str, Form(max_length=64)] = "",
    seen: Text = "",
    markdown: Text = "",
    reason: Annotated[str, Form(max_length=MAX_REASON * 2)] = "",
    because: Annotated[str, Form(max_length=30)] = "",
    kind: Annotated[str, Form(max_length=20)] = "",
    document: Annotated[str, Form(max_length=200)] = "",
    ticket: Annotated[list[str] | None, Form(max_length=MOST_TICKETS)] = None,
) -> Response:
    """Take a decision on exactly the text, state and evidence the form was shown with."""
    facts = read_own(kb, page, draft_id)
    chosen = OFFERED.get(decision)
    if chosen is None:
        raise InvalidInputError(f"no decision {decision!r}")
    edited = unix_lines(markdown) if chosen is Decision.EDIT else None
    reason = unix_lines(reason).strip()
    sent = Sent(because, kind, document.strip(), frozenset(ticket or ()))
    fault = _find_fault(chosen, reason, edited, sent)
    if fault:
        return show(
            kb, page, facts, status=400, fault=fault, reason=reason, edited=edited, sent=sent
        )
    try:
        kb.publishing.review(
            draft_id,
            chosen.value,
            caller=page.caller,
            draft_hash=draft_hash,
            reason=reason or None,
            markdown=edited,
            state=state if state in set(DraftState) else None,
            evidence_hash=evidence_hash or None,
            lesson=_to_lesson(sent) if chosen is Decision.REJECT else None,
        )
    except StaleError as error:
        return show_overtaken(
            page,
            read_own(kb, page, draft_id),
            message=error.message,
            seen=unix_lines(seen),
            edited=edited,
            decision=chosen.value,
        )
    except (InvalidInputError, ConflictError, NotFoundError) as error:
        status = 409 if isinstance(error, ConflictError) else 400
        return show(
            kb, page, read_own(kb, page, draft_id), status=status, fault=sentence(error),
            reason=reason, edited=edited, sent=sent,
        )  # fmt: skip
    return RedirectResponse(f"/review/{draft_id}", status_code=303)


@router.get("/review/{draft_id}/rollback")
def confirm_rollback(draft_id: str, kb: Kb, page: PageCaller) -> HTMLResponse:
    facts = read_own(kb, page, draft_id)
    _ensure_published(facts)
    return render_page("rollback_draft.html", viewer=page, facts=facts, draft=facts.draft)


@router.post("/review/{draft_id}/rollback")
def roll_back(draft_id: str, kb: Kb, page: FormCaller) -> Response:
    facts = read_own(kb, page, draft_id)
    _ensure_published(facts)
    kb.publishing.rollback_draft(draft_id, page.caller)
    return RedirectResponse(f"/review/{draft_id}", status_code=303)


def read_own(kb: Application, page: PageSession, draft_id: str) -> DraftFacts:
    with kb.database.read() as connection:
        facts = read_draft_facts(connection, draft_id, page.caller.audience)
    ensure_may_review(page.caller, facts.draft)
    return facts


def _ensure_published(facts: DraftFacts) -> None:
    if facts.draft.state is not DraftState.PUBLISHED:
        raise ConflictError("only a published draft can be rolled back")


def show(kb: Application, page: PageSession, facts: DraftFacts, **said: Any) -> HTMLResponse:
    """The draft's page with the present and the owners there are."""
    return show_draft(page, facts, now=kb.clock.now(), owners=kb.reviewing.owners, **said)


def _to_lesson(sent: Sent) -> Lesson | None:
    value = {"wrong_kind": sent.kind, "already_answered": sent.document}.get(sent.because, "")
    tickets = tuple(sorted(sent.tickets)) if sent.because == "evidence_wrong" else ()
    return make_lesson(sent.because, value, tickets)


def _find_fault(decision: Decision, reason: str, edited: str | None, sent: Sent) -> str:
    if decision is Decision.REJECT and sent.because == "wrong_kind" and not sent.kind:
        return "Choose which kind of gap it is."
    if decision is Decision.REJECT and sent.because == "already_answered" and not sent.document:
        return "Name the article that answers it already."
    if decision in REASONED and not reason:
        return "Say why, so that the next draft can be better."
    if len(reason) > MAX_REASON:
        return f"The reason has {len(reason):,} characters; {MAX_REASON:,} fit."
    if edited is not None and not edited.strip():
        return "The edited text is empty."
    if edited is not None and len(edited) > MAX_MARKDOWN:
        return f"The text has {len(edited):,} characters; {MAX_MARKDOWN:,} fit."
    return ""


def sentence(error: KbError) -> str:
    said = error.reason if isinstance(error, InvalidInputError) else error.message
    return f"{said[:1].upper()}{said[1:]}."


def unix_lines(text: str) -> str:
    """Forms send CRLF, whatever the text had."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
