"""Signing in by name and password or by key, setting a first password, and signing out."""

from __future__ import annotations

import logging
import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select

from api.auth import Kb
from api.keys import Caller, read_caller
from api.pages import account, sign_in_openid
from api.pages.layout import render_page
from api.pages.origin import START_PAGE, check_same_origin, check_token, local_path
from api.pages.session import (
    SESSION_COOKIE,
    FormCaller,
    begin_session,
    cookie_name,
    drop_cookie,
    keep_session,
    may_sign_in,
    set_cookie,
)
from api.pages.session_store import delete_session
from api.pages.throttle import client_of, throttle_of
from api.passwords import find_fault, hash_password, needs_rehash, verify_password
from api.people import (
    Person,
    caller_of,
    find_person,
    normalise_name,
    read_by_setup,
    set_password,
    write_rehash,
    write_signed_in,
)
from api.wiring import Application
from kb import audit
from kb.errors import UnauthenticatedError
from kb.tables import people

FORM_COOKIE = "kb_form"
"""Holds the sign-in form's token: there is no session yet to keep one."""
KEY_REFUSED = (
    "This key cannot sign in here. Check that it is complete and in use; "
    "it needs the role owner, editor or admin and the internal audience."
)
NOT_TOGETHER = "Name and password do not go together here. Check both and try again."
Name = Annotated[str, Form(max_length=200)]
Secret = Annotated[str, Form(max_length=5_000)]

log = logging.getLogger("kb.sign_in")
router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def show_sign_in(request: Request, kb: Kb, next: str = START_PAGE) -> HTMLResponse:
    return _sign_in_page(request, kb, next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    kb: Kb,
    name: Name = "",
    password: Secret = "",
    key: Secret = "",
    next: Annotated[str, Form()] = START_PAGE,
    csrf_token: Annotated[str, Form()] = "",
) -> Response:
    """Exchange a password or a key for a session; failures make the next try wait."""
    _check_form(request, csrf_token)
    throttle, client, handle = throttle_of(request), client_of(request), normalise_name(name)[:80]
    by_key = bool(key) or not (name or password)
    wait = throttle.begin(client, "" if by_key else handle)
    if wait:
        fault = f"Too many attempts. Try again in {wait} seconds."
        return _sign_in_page(request, kb, next, 429, fault, wait, name=name)
    session_id = (
        _begin_by_key(request, kb, key.strip())
        if by_key
        else _begin_by_password(request, kb, handle, password)
    )
    if session_id is None:
        _note_failure(request, kb, client, "" if by_key else handle)
        fault = KEY_REFUSED if by_key else NOT_TOGETHER
        return _sign_in_page(request, kb, next, 401, fault, name=name)
    throttle.succeed(client, "" if by_key else handle)
    return _enter(request, kb, session_id, next)


@router.get("/sign-in/setup")
def show_setup(
    request: Request, kb: Kb, token: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """Looking at the page does not use the link up: mail programs look at links, too."""
    with kb.database.read() as connection:
        person = read_by_setup(connection, token, kb.clock.now())
    return _setup_page(request, person, token)


@router.post("/sign-in/setup")
def set_up(
    request: Request,
    kb: Kb,
    token: Secret = "",
    password: Secret = "",
    again: Secret = "",
    csrf_token: Annotated[str, Form()] = "",
) -> Response:
    """Set the password that a setup link asks for, and sign in with it."""
    _check_form(request, csrf_token)
    now = kb.clock.now()
    with kb.database.read() as connection:
        person = read_by_setup(connection, token, now)
    fault = find_fault(password, again, person.name)
    if fault:
        return _setup_page(request, person, token, 400, fault)
    kept = hash_password(password)
    with kb.database.write() as connection:
        person = read_by_setup(connection, token, now)
        set_password(connection, person.person_id, kept, now=now, actor=person.name)
        write_signed_in(connection, person.person_id, now)
        session_id = begin_session(kb, connection, request, caller_of(person), by="setup")
    return _enter(request, kb, session_id, START_PAGE)


@router.post("/sign-out")
def sign_out(request: Request, kb: Kb, page: FormCaller) -> Response:
    session_id = request.cookies[cookie_name(request, SESSION_COOKIE)]
    with kb.database.write() as connection:
        delete_session(connection, session_id)
        audit.write_entry(
            connection,
            at=kb.clock.now(),
            actor=page.caller.name,
            action="session.end",
            subject=page.caller.key_id,
        )
    response = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(request, response, SESSION_COOKIE)
    return response


def _begin_by_key(request: Request, kb: Application, key: str) -> str | None:
    """The new session's id, or None where the key does not let in."""
    try:
        with kb.database.read() as connection:
            caller = read_caller(connection, key, kb.clock.now())
    except UnauthenticatedError:
        return None
    return _begin(request, kb, caller, None)


def _begin_by_password(request: Request, kb: Application, name: str, password: str) -> str | None:
    """The new session's id, or None; the same work is done whoever is named."""
    with kb.database.read() as connection:
        person = find_person(connection, name)
    stored = person.password_hash if person is not None and not person.disabled else None
    if not verify_password(stored, password) or person is None or stored is None:
        return None
    if not kb.settings.sign_in.passwords:
        return None
    fresh = hash_password(password) if needs_rehash(stored) else None
    return _begin(request, kb, caller_of(person), (stored, fresh))


def _begin(
    request: Request, kb: Application, caller: Caller, verified: tuple[str, str | None] | None
) -> str | None:
    if not may_sign_in(kb, caller):
        return None
    by = "key" if verified is None else "password"
    with kb.database.write() as connection:
        if verified is not None:
            person = find_person(connection, caller.person or "")
            # Between the check and now somebody may have been locked out.
            if person is None or person.disabled or person.password_hash != verified[0]:
                return None
            if verified[1] is not None:
                write_rehash(connection, person.person_id, verified[0], verified[1])
            write_signed_in(connection, person.person_id, kb.clock.now())
            caller = caller_of(person)
        return begin_session(kb, connection, request, caller, by=by)


def _note_failure(request: Request, kb: Application, client: str, name: str) -> None:
    """Enter into the audit log that somebody has to wait now; never what they typed."""
    wait = throttle_of(request).wait_seconds(client, name)
    log.info("sign-in failed from %s", client)
    if wait == 0:
        return
    with kb.database.write() as connection:
        person = find_person(connection, name) if name else None
        audit.write_entry(
            connection, at=kb.clock.now(), actor="kbops", action="sign_in.held",
            subject=person.person_id if person else "unknown",
            details={"from": client, "wait_seconds": wait},
        )  # fmt: skip


def _enter(request: Request, kb: Application, session_id: str, next: str) -> Response:
    response = RedirectResponse(local_path(next), status_code=303)
    keep_session(request, kb, response, session_id)
    drop_cookie(request, response, FORM_COOKIE)
    return response


def _check_form(request: Request, csrf_token: str) -> None:
    check_same_origin(request)
    check_token(request.cookies.get(cookie_name(request, FORM_COOKIE), ""), csrf_token)


def _sign_in_page(
    request: Request,
    kb: Application,
    next: str,
    status: int = 200,
    fault: str = "",
    wait_seconds: int = 0,
    name: str = "",
) -> HTMLResponse:
    said = kb.settings.sign_in
    with kb.database.read() as connection:
        some = connection.execute(select(people.c.id).limit(1)).first() is not None
    token = secrets.token_urlsafe(32)
    response = render_page(
        "sign_in.html",
        status=status,
        headers={"Retry-After": str(wait_seconds)} if wait_seconds else None,
        next=local_path(next),
        fault=fault,
        name=name,
        csrf_token=token,
        by_password=said.passwords and some,
        by_key=said.keys,
        provider=said.openid_name if said.openid_issuer else None,
        viewer=None,
    )
    set_cookie(request, response, FORM_COOKIE, token, 3600)
    return response


def _setup_page(
    request: Request, person: Person, setup_token: str, status: int = 200, fault: str = ""
) -> HTMLResponse:
    token = secrets.token_urlsafe(32)
    response = render_page(
        "set_password.html",
        status=status,
        person=person,
        setup_token=setup_token,
        fault=fault,
        csrf_token=token,
        viewer=None,
    )
    set_cookie(request, response, FORM_COOKIE, token, 3600)
    return response


router.include_router(sign_in_openid.router)
router.include_router(account.router)
