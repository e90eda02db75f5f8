"""The action table as a page: each dial, what it does now, what the record is, what is missing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.autonomy import MAX_REASON
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.wiring import Application
from kb.errors import ConflictError, InvalidInputError, StaleError
from kb.types import Role

Short = Annotated[str, Form(max_length=100)]
Reason = Annotated[str, Form(max_length=MAX_REASON * 2)]

router = APIRouter(prefix="/autonomy", include_in_schema=False)


@router.get("")
def show_autonomy(kb: Kb, page: PageCaller) -> HTMLResponse:
    return _autonomy_page(kb, page)


@router.post("/raise")
def raise_dial(
    kb: Kb,
    page: FormCaller,
    owner: Short = "",
    kind: Short = "",
    record: Short = "",
    reason: Reason = "",
) -> Response:
    """Raise a dial on exactly the record that the form was shown with."""
    try:
        kb.autonomy.raise_dial(owner, kind, record=record, reason=reason, caller=page.caller)
    except (InvalidInputError, ConflictError) as error:
        return _refuse(kb, page, error)
    return RedirectResponse("/autonomy", status_code=303)


@router.post("/withdraw")
def withdraw_dial(
    kb: Kb, page: FormCaller, owner: Short = "", kind: Short = "", reason: Reason = ""
) -> Response:
    try:
        kb.autonomy.withdraw_dial(owner, kind, reason=reason, caller=page.caller)
    except (InvalidInputError, ConflictError) as error:
        return _refuse(kb, page, error)
    return RedirectResponse("/autonomy", status_code=303)


def _refuse(
    kb: Application, page: PageSession, error: InvalidInputError | ConflictError
) -> HTMLResponse:
    if isinstance(error, StaleError):
        status = 412
    else:
        status = 409 if isinstance(error, ConflictError) else 400
    said = error.reason if isinstance(error, InvalidInputError) else error.message
    return _autonomy_page(kb, page, status, f"{said[:1].upper()}{said[1:]}.")


def _autonomy_page(
    kb: Application, page: PageSession, status: int = 200, fault: str = ""
) -> HTMLResponse:
    caller, table = page.caller, kb.autonomy.table
    owner = None if caller.role.includes(Role.EDITOR) else (caller.owner or "")
    return render_page(
        "autonomy.html",
        status=status,
        viewer=page,
        section="account",
        fault=fault,
        dials=table.dials,
        needed=table.needed,
        fault_bound=1 - 0.05 ** (1 / table.needed),
        standings=kb.autonomy.read_standings(owner),
        may_decide=caller.role.includes(Role.ADMIN),
    )
