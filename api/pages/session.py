"""Sessions of people on the pages: who the cookie proves, and the forms that only they can send."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.auth import Kb
from api.keys import Caller
from api.pages.origin import check_same_origin, check_token
from api.pages.session_store import (
    SEEN_RESOLUTION,
    delete_session,
    read_session,
    read_session_caller,
    write_seen,
    write_session,
)
from api.wiring import Application
from kb import audit
from kb.errors import UnauthenticatedError, UnavailableError
from kb.types import Audience, Role

SESSION_COOKIE = "kb_session"


@dataclass(frozen=True, slots=True)
class PageSession:
    """The person a page is made for, and the token its forms carry."""

    caller: Caller
    csrf_token: str
    id_hash: str = ""


def read_page_session(request: Request, kb: Kb) -> PageSession:
    """Who the session cookie proves; read at every request, so a lost right ends it at once.

    Raises:
        UnauthenticatedError: No session, an ended one, or its person no longer may come in.
    """
    session_id = request.cookies.get(cookie_name(request, SESSION_COOKIE), "")
    now, (_, idle) = kb.clock.now(), session_limits(kb)
    with kb.database.read() as connection:
        stored = read_session(connection, session_id, now, idle=idle) if session_id else None
        if stored is None:
            raise UnauthenticatedError("sign in to see this page")
        caller = read_session_caller(connection, stored, now)
    if not may_sign_in(kb, caller):
        raise UnauthenticatedError("sign in to see this page")
    if now - stored.seen_at >= SEEN_RESOLUTION:
        # When a page was last looked at is worth no waiting for another writer.
        with suppress(UnavailableError), kb.database.write(patience_ms=0) as connection:
            write_seen(connection, stored.id_hash, now)
    return PageSession(caller, stored.csrf_token, stored.id_hash)


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


def begin_session(
    kb: Application, connection: Connection, request: Request, caller: Caller, *, by: str
) -> str:
    """A new session id; the one this browser had before is over.

    Args:
        kb: For the limits and the present.
        connection: A write.
        request: Where an earlier session's cookie may be.
        caller: Who was proved.
        by: "password", "key", "openid" or "setup": what proved them.
    """
    life, idle = session_limits(kb)
    earlier = request.cookies.get(cookie_name(request, SESSION_COOKIE))
    if earlier:
        delete_session(connection, earlier)
    session_id = write_session(connection, caller, kb.clock.now(), life=life, idle=idle)
    audit.write_entry(
        connection, at=kb.clock.now(), actor=caller.name, action="session.begin",
        subject=caller.key_id, details={"by": by},
    )  # fmt: skip
    return session_id


def may_sign_in(kb: Application, caller: Caller) -> bool:
    """The pages show tickets and internal texts, so they need what the review routes need."""
    by_key = caller.person is None
    return (
        caller.role.includes(Role.OWNER)
        and caller.audience is Audience.INTERNAL
        and (kb.settings.sign_in.keys or not by_key)
    )


def session_limits(kb: Application) -> tuple[timedelta, timedelta]:
    """How long a session lasts at most, and how long it may be left alone."""
    said = kb.settings.sign_in
    return timedelta(hours=said.absolute_hours), timedelta(minutes=said.idle_minutes)


def keep_session(request: Request, kb: Application, response: Response, session_id: str) -> None:
    life, _ = session_limits(kb)
    set_cookie(request, response, SESSION_COOKIE, session_id, int(life.total_seconds()))


def cookie_name(request: Request, name: str) -> str:
    """Over https the name itself makes browsers refuse one set by a sibling host."""
    return f"__Host-{name}" if _is_https(request) else name


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    max_age_seconds: int,
    *,
    cross_site: bool = False,
) -> None:
    """Set a cookie for this host only.

    Args:
        request: Tells whether this is https.
        response: Carries it.
        name: Without prefix.
        value: Plain characters.
        max_age_seconds: 0 drops it.
        cross_site: Whether it must come along when another site leads here.
    """
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=max_age_seconds,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="lax" if cross_site else "strict",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    set_cookie(request, response, name, "", 0)


def _is_https(request: Request) -> bool:
    kb: Application = request.app.state.application
    public = kb.settings.sign_in.public_url or ""
    return request.url.scheme == "https" or public.startswith("https://")
