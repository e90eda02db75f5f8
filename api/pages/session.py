"""Signing in and out: an API key pasted once becomes a session that ends with the key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.keys import Caller, read_caller, read_caller_by_id
from api.pages.layout import render_page
from api.pages.origin import START_PAGE, check_same_origin, check_token, local_path
from api.pages.session_store import SESSION_LIFE, delete_session, read_session, write_session
from api.pages.throttle import SignInThrottle
from api.wiring import Application
from kb import audit
from kb.errors import UnauthenticatedError
from kb.types import Audience, Role

SESSION_COOKIE = "kb_session"
FORM_COOKIE = "kb_form"
"""Holds the sign-in form's token: there is no session yet to keep one."""
REFUSED = (
    "This key cannot sign in here. Check that it is complete and in use; "
    "it needs the role owner, editor or admin and the internal audience."
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PageSession:
    """The person a page is made for, and the token its forms carry."""

    caller: Caller
    csrf_token: str


def read_page_session(request: Request, kb: Kb) -> PageSession:
    """Who the session cookie proves; read at every request, so a revoked key ends it at once.

    Raises:
        UnauthenticatedError: No session, an ended one, or its key no longer lets in.
    """
    session_id = request.cookies.get(_cookie_name(request, SESSION_COOKIE), "")
    now = kb.clock.now()
    with kb.database.read() as connection:
        stored = read_session(connection, session_id, now) if session_id else None
        if stored is None:
            raise UnauthenticatedError("sign in to see this page")
        caller = read_caller_by_id(connection, stored.key_id, now)
    if not _may_sign_in(caller):
        raise UnauthenticatedError("sign in to see this page")
    return PageSession(caller, stored.csrf_token)


PageCaller = Annotated[PageSession, Depends(read_page_session)]


def read_form_session(
    request: Request, page: PageCaller, csrf_token: Annotated[str, Form()] = ""
) -> PageSession:
    """The person who sent a form of ours.

    Raises:
        ForbiddenError: Another site sent it, or its token is not this session's.
    """
    check_same_origin(request)
    check_token(page.csrf_token, csrf_token)
    return page


FormCaller = Annotated[PageSession, Depends(read_form_session)]


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = START_PAGE) -> HTMLResponse:
    return _sign_in_page(request, next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    kb: Kb,
    key: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = START_PAGE,
    csrf_token: Annotated[str, Form()] = "",
) -> Response:
    """Exchange a key for a session; ten failures in five minutes and the client has to wait."""
    check_same_origin(request)
    check_token(request.cookies.get(_cookie_name(request, FORM_COOKIE), ""), csrf_token)
    throttle, client = _throttle(request), request.client.host if request.client else ""
    wait = throttle.wait_seconds(client)
    if wait:
        return _sign_in_page(
            request, next, 429, f"Too many attempts. Try again in {wait} seconds.", wait
        )
    session_id = _begin_session(kb, key.strip(), request)
    if session_id is None:
        throttle.record_failure(client)
        return _sign_in_page(request, next, 401, REFUSED)
    throttle.forget(client)
    response = RedirectResponse(local_path(next), status_code=303)
    _set_cookie(request, response, SESSION_COOKIE, session_id, int(SESSION_LIFE.total_seconds()))
    _drop_cookie(request, response, FORM_COOKIE)
    return response


@router.post("/sign-out")
def sign_out(request: Request, kb: Kb, page: FormCaller) -> Response:
    session_id = request.cookies[_cookie_name(request, SESSION_COOKIE)]
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
    _drop_cookie(request, response, SESSION_COOKIE)
    return response


def _begin_session(kb: Application, key: str, request: Request) -> str | None:
    """The new session's id, or None where the key does not let in."""
    now = kb.clock.now()
    try:
        with kb.database.read() as connection:
            caller = read_caller(connection, key, now)
    except UnauthenticatedError:
        return None
    if not _may_sign_in(caller):
        return None
    earlier = request.cookies.get(_cookie_name(request, SESSION_COOKIE))
    with kb.database.write() as connection:
        if earlier:
            delete_session(connection, earlier)
        session_id = write_session(connection, caller.key_id, now)
        audit.write_entry(
            connection, at=now, actor=caller.name, action="session.begin", subject=caller.key_id
        )
    return session_id


def _may_sign_in(caller: Caller) -> bool:
    """The pages show tickets and internal texts, so they need what the review routes need."""
    return caller.role.includes(Role.OWNER) and caller.audience is Audience.INTERNAL


def _sign_in_page(
    request: Request, next: str, status: int = 200, fault: str = "", wait_seconds: int = 0
) -> HTMLResponse:
    token = secrets.token_urlsafe(32)
    response = render_page(
        "sign_in.html",
        status=status,
        headers={"Retry-After": str(wait_seconds)} if wait_seconds else None,
        next=local_path(next),
        fault=fault,
        csrf_token=token,
        viewer=None,
    )
    _set_cookie(request, response, FORM_COOKIE, token, 3600)
    return response


def _throttle(request: Request) -> SignInThrottle:
    state = request.app.state
    if not hasattr(state, "sign_in_throttle"):
        state.sign_in_throttle = SignInThrottle()
    throttle: SignInThrottle = state.sign_in_throttle
    return throttle


def _cookie_name(request: Request, name: str) -> str:
    """Over https the name itself makes browsers refuse one set by a sibling host."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def _set_cookie(
    request: Request, response: Response, name: str, value: str, max_age_seconds: int
) -> None:
    response.set_cookie(
        _cookie_name(request, name),
        value,
        max_age=max_age_seconds,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _drop_cookie(request: Request, response: Response, name: str) -> None:
    _set_cookie(request, response, name, "", 0)
