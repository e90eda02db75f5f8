"""What a person says about a gap: forms in, one correction each, and back to the gap."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from api.auth import Kb
from api.pages.gaps.facts import read_gap_facts
from api.pages.gaps.gap_page import Sent, show_gap
from api.pages.session import FormCaller
from api.topic_desk import LEAST_GROWTH, MOST_GROWTH
from gaps.keeping.corrections import CorrectionKind
from gaps.repository import read_gap
from kb.errors import ConflictError, InvalidInputError, KbError, NotFoundError

MAX_REASON = 2_000
MOST_TICKETS = 1_000
DONE = {
    CorrectionKind.NOT_A_GAP: "dismissed",
    CorrectionKind.KIND_IS: "kind",
    CorrectionKind.ASSIGN: "assigned",
    CorrectionKind.TITLE_IS: "renamed",
    CorrectionKind.MERGE: "merged",
    CorrectionKind.SPLIT: "split",
}
KNOWN = {kind.value: kind for kind in CorrectionKind}
CHOICES = {
    CorrectionKind.KIND_IS: "Choose what it is.",
    CorrectionKind.ASSIGN: "Choose whom to assign it to.",
    CorrectionKind.TITLE_IS: "Give it a title.",
    CorrectionKind.MERGE: "Choose the gap it belongs to.",
}

router = APIRouter(include_in_schema=False)


@router.post("/gaps/{gap_id}/correct")
def correct(
    gap_id: str,
    kb: Kb,
    page: FormCaller,
    kind: Annotated[str, Form(max_length=20)] = "",
    value: Annotated[str, Form(max_length=400)] = "",
    reason: Annotated[str, Form(max_length=MAX_REASON * 2)] = "",
    growth: Annotated[str, Form(max_length=20)] = "",
    ticket: Annotated[list[str] | None, Form(max_length=MOST_TICKETS)] = None,
    offset: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Take one correction, or show the gap again with what was wrong beside the field.

    Every owner may say it of every gap, as over the API.
    """
    with kb.database.read() as connection:
        read_gap(connection, gap_id)
    chosen = KNOWN.get(kind)
    if chosen is None:
        raise InvalidInputError(f"no correction {kind!r}")
    sent = Sent(kind, "", value, reason.strip(), growth.strip(), frozenset(ticket or ()))
    status, fault = 400, _find_fault(chosen, sent)
    if not fault:
        try:
            shown = kb.topics.correct(
                gap_id, chosen, page.caller, value=value.strip() or None,
                tickets=tuple(ticket or ()), reason=sent.reason or None,
                growth=_to_number(sent.growth) if sent.growth else None,
            )  # fmt: skip
        except (InvalidInputError, ConflictError, NotFoundError) as error:
            status = 409 if isinstance(error, ConflictError) else 400
            fault = _sentence(error)
        else:
            address = f"/gaps/{quote(shown['gap_id'], safe='')}?done={DONE[chosen]}"
            return RedirectResponse(address, status_code=303)
    with kb.database.read() as connection:
        facts = read_gap_facts(connection, gap_id, offset=offset)
    told = Sent(kind, fault, value, sent.reason, sent.growth, sent.tickets)
    return show_gap(kb, page, facts, status=status, sent=told)


def _find_fault(kind: CorrectionKind, sent: Sent) -> str:
    if kind in CHOICES and not sent.value.strip():
        return CHOICES[kind]
    if kind is CorrectionKind.SPLIT and not sent.tickets:
        return "Tick the tickets that are about something else."
    if kind is CorrectionKind.NOT_A_GAP and not sent.reason:
        return "Say why; it teaches the next run."
    if len(sent.reason) > MAX_REASON:
        return f"The reason has {len(sent.reason):,} characters; {MAX_REASON:,} fit."
    if sent.growth and not LEAST_GROWTH < _to_number(sent.growth) <= MOST_GROWTH:
        return f"The factor must be more than {LEAST_GROWTH:.0f}, at most {MOST_GROWTH:.0f}."
    return ""


def _to_number(text: str) -> float:
    """0 for what is no number, which no factor may be."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return 0.0


def _sentence(error: KbError) -> str:
    said = error.reason if isinstance(error, InvalidInputError) else error.message
    return f"{said[:1].upper()}{said[1:]}."
