"""One's own account: where one is signed in, ending all of it, and another password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages.layout import render_page
from api.pages.session import (
    SESSION_COOKIE,
    FormCaller,
    PageCaller,
    PageSession,
    begin_session,
    drop_cookie,
    keep_session,
    session_limits,
)
from api.pages.session_store import delete_own_sessions, read_own_sessions
from api.pages.throttle import client_of, throttle_of
from api.passwords import find_fault, hash_password, verify_password
from api.people import read_person_by_id, set_password
from api.wiring import Application
from kb import audit
from kb.errors import ForbiddenError

router = APIRouter(prefix="/account", include_in_schema=False)


@router.get("")
def show_account(kb: Kb, page: PageCaller) -> HTMLResponse:
    return _account_page(kb, page)


@router.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request, kb: Kb, page: FormCaller) -> Response:
    """End every session of this person, this one too."""
    with kb.database.write() as connection:
        count = delete_own_sessions(connection, page.caller)
        audit.write_entry(
            connection, at=kb.clock.now(), actor=page.caller.name, action="session.end_all",
            subject=page.caller.key_id, details={"sessions": count},
        )  # fmt: skip
    response = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(request, response, SESSION_COOKIE)
    return response


@router.post("/password")
def change_password(
    request: Request,
    kb: Kb,
    page: FormCaller,
    present: Annotated[str, Form(max_length=5_000)] = "",
    password: Annotated[str, Form(max_length=5_000)] = "",
    again: Annotated[str, Form(max_length=5_000)] = "",
) -> Response:
    """Replace one's password; every other browser is signed out, this one gets a new session."""
    if page.caller.person is None:
        raise ForbiddenError("a key has no password")
    throttle, client = throttle_of(request), client_of(request)
    wait = throttle.begin(client, page.caller.person)
    if wait:
        return _account_page(kb, page, 429, f"Too many attempts. Try again in {wait} seconds.")
    with kb.database.read() as connection:
        person = read_person_by_id(connection, page.caller.key_id)
    if not verify_password(person.password_hash, present):
        return _account_page(kb, page, 400, "That is not your present password.")
    throttle.succeed(client, person.name)
    fault = find_fault(password, again, person.name)
    if fault:
        return _account_page(kb, page, 400, fault)
    kept = hash_password(password)
    with kb.database.write() as connection:
        set_password(connection, person.person_id, kept, now=kb.clock.now(), actor=page.caller.name)
        session_id = begin_session(kb, connection, request, page.caller, by="password")
    response = RedirectResponse("/account?changed=password", status_code=303)
    keep_session(request, kb, response, session_id)
    return response


def _account_page(
    kb: Application, page: PageSession, status: int = 200, fault: str = ""
) -> HTMLResponse:
    life, idle = session_limits(kb)
    with kb.database.read() as connection:
        held = [
            one
            for one in read_own_sessions(connection, page.caller)
            if one.expires_at > kb.clock.now() and one.seen_at > kb.clock.now() - idle
        ]
        has_password = (
            page.caller.person is not None
            and read_person_by_id(connection, page.caller.key_id).password_hash is not None
        )
    return render_page(
        "account.html",
        status=status,
        viewer=page,
        section="account",
        sessions=held,
        has_password=has_password,
        fault=fault,
        life_hours=int(life.total_seconds() // 3600),
        idle_minutes=int(idle.total_seconds() // 60),
    )
