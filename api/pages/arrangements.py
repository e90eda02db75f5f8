"""Forms that arrange a draft without deciding it: a comment, a later date, another owner."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from api.auth import Kb
from api.pages.bulk import read_day
from api.pages.decisions import read_own, sentence, show, unix_lines
from api.pages.draft_page import Sent, show_overtaken
from api.pages.session import FormCaller
from gaps.drafting.handling import MAX_TEXT
from kb.errors import ConflictError, InvalidInputError, StaleError

router = APIRouter(include_in_schema=False)


@router.post("/review/{draft_id}/comment")
def comment(
    draft_id: str,
    kb: Kb,
    page: FormCaller,
    text: Annotated[str, Form(max_length=MAX_TEXT * 2)] = "",
) -> Response:
    """Say something about the draft to whoever reviews it."""
    facts = read_own(kb, page, draft_id)
    said = unix_lines(text)
    try:
        kb.reviewing.comment(draft_id, said, page.caller)
    except InvalidInputError as error:
        sent = Sent(comment=said, place="comment")
        return show(kb, page, facts, status=400, fault=sentence(error), sent=sent)
    return RedirectResponse(f"/review/{draft_id}#discussion", status_code=303)


@router.post("/review/{draft_id}/later")
def arrange(
    draft_id: str,
    kb: Kb,
    page: FormCaller,
    do: Annotated[str, Form(max_length=20)] = "",
    draft_hash: Annotated[str, Form(max_length=64)] = "",
    until: Annotated[str, Form(max_length=20)] = "",
    owner: Annotated[str, Form(max_length=80)] = "",
    why: Annotated[str, Form(max_length=MAX_TEXT)] = "",
) -> Response:
    """Snooze the draft, take it back, or hand it to another owner."""
    facts = read_own(kb, page, draft_id)
    sent = Sent(until=until, owner=owner, place="later")
    why = unix_lines(why)
    day = read_day(until, kb.clock.now())
    fault = ""
    if do == "snooze" and day is None:
        fault = "Choose a day after today."
    elif do == "hand_over" and not owner:
        fault = "Choose whom to hand it to."
    elif do not in ("snooze", "wake", "hand_over"):
        fault = "Choose what to do with it."
    if fault:
        return show(kb, page, facts, status=400, fault=fault, sent=sent)
    try:
        if do == "hand_over":
            kb.reviewing.hand_over(draft_id, owner, page.caller, draft_hash=draft_hash, reason=why)
        else:
            kb.reviewing.snooze(
                draft_id, day if do == "snooze" else None, page.caller,
                draft_hash=draft_hash, reason=why,
            )  # fmt: skip
    except StaleError as error:
        return show_overtaken(page, facts, message=error.message, seen="", edited=None, decision=do)
    except (InvalidInputError, ConflictError) as error:
        status = 409 if isinstance(error, ConflictError) else 400
        return show(kb, page, facts, status=status, fault=sentence(error), sent=sent)
    return RedirectResponse("/review" if do != "wake" else f"/review/{draft_id}", status_code=303)
