"""Signing in at an OpenID provider: there with a state, back once, then a session of ours."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection, delete, insert, select

from api.auth import Kb
from api.openid import OpenIdProvider, require_whole, vouch
from api.pages.layout import render_page
from api.pages.origin import START_PAGE, local_path
from api.pages.session import begin_session, cookie_name, drop_cookie, keep_session, set_cookie
from api.pages.throttle import SignInThrottle, client_of
from api.people import caller_of, sign_in_federated, write_signed_in
from api.settings.edge import CLIENT_SECRET_VARIABLE
from api.settings.environment import read_secret
from api.wiring import Application
from kb.errors import KbError, UnauthenticatedError, UnavailableError
from kb.tables import openid_flows

FLOW_COOKIE = "kb_openid"
"""Binds the way there to the way back in one browser; Lax, as the provider's page leads back."""
FLOW_LIFE = timedelta(minutes=10)
STARTS = 60
"""Starts that an address has in five minutes: a whole office may stand behind one."""
CALLBACK = "/sign-in/openid/callback"
Said = Annotated[str, Query(max_length=4_000)]

log = logging.getLogger("kb.sign_in")
router = APIRouter(prefix="/sign-in/openid", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Flow:
    nonce: str
    code_verifier: str
    next: str


@router.get("")
def start(request: Request, kb: Kb, next: Said = START_PAGE) -> Response:
    """Send the browser to the provider.

    A GET, because a form that ends at another site is against the pages' own policy; whoever is
    made to follow it ends signed in as themselves.
    """
    require_whole(kb.settings.sign_in)
    if _starts_of(request).begin(client_of(request)):
        return _refuse(429, "Too many attempts. Wait a few minutes.")
    browser = request.cookies.get(cookie_name(request, FLOW_COOKIE), "")
    if len(browser) != 43:
        browser = secrets.token_urlsafe(32)
    state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
    try:
        address = _provider_of(request, kb).authorization_address(
            redirect_uri=_redirect_uri(request, kb),
            state=state,
            nonce=nonce,
            code_verifier=verifier,
        )
    except KbError as error:
        log.warning("sign-in by OpenID: %s", error)
        return _refuse(503, "The sign-in of your organisation cannot be reached right now.")
    with kb.database.write() as connection:
        _write_flow(
            connection, state, browser, Flow(nonce, verifier, local_path(next)), kb.clock.now()
        )
    response = RedirectResponse(address, status_code=303)
    set_cookie(request, response, FLOW_COOKIE, browser, 600, cross_site=True)
    return response


@router.get("/callback")
def come_back(
    request: Request, kb: Kb, code: Said = "", state: Said = "", error: Said = "", iss: Said = ""
) -> Response:
    """Redeem what the provider sent along; the state counts once, whatever comes of it."""
    issuer, _ = require_whole(kb.settings.sign_in)
    browser = request.cookies.get(cookie_name(request, FLOW_COOKIE), "")
    with kb.database.write() as connection:
        flow = _take_flow(connection, state, browser, kb.clock.now())
    try:
        if flow is None:
            raise UnauthenticatedError("no such sign-in was begun in this browser")
        if error or not code:
            raise UnauthenticatedError(f"the provider said {error!r:.80}")
        # Of another provider than the one that was asked (RFC 9207).
        if iss and not hmac.compare_digest(iss.encode(), issuer.encode()):
            raise UnauthenticatedError("the answer is another provider's")
        session_id = _redeem(request, kb, code, flow)
    except UnavailableError as failure:
        log.warning("sign-in by OpenID: %s", failure)
        return _refuse(503, "The sign-in of your organisation cannot be reached right now.")
    except KbError as failure:
        log.warning("sign-in by OpenID refused: %s", failure)
        return _refuse(401, "Your organisation's sign-in did not let you in here. Try once more.")
    # A page of ours leads on: the cookie is not sent along while the provider's page leads.
    response = render_page("signed_in.html", viewer=None, next=flow.next)
    keep_session(request, kb, response, session_id)
    drop_cookie(request, response, FLOW_COOKIE)
    return response


def _redeem(request: Request, kb: Application, code: str, flow: Flow) -> str:
    claims = _provider_of(request, kb).redeem(
        code,
        redirect_uri=_redirect_uri(request, kb),
        nonce=flow.nonce,
        code_verifier=flow.code_verifier,
    )
    known = vouch(claims, kb.settings.sign_in)
    now = kb.clock.now()
    with kb.database.write() as connection:
        person = sign_in_federated(
            connection,
            issuer=kb.settings.sign_in.openid_issuer or "",
            subject=known.subject,
            name=known.name,
            role=known.role,
            owner=known.owner,
            now=now,
        )
        write_signed_in(connection, person.person_id, now)
        return begin_session(kb, connection, request, caller_of(person), by="openid")


def _redirect_uri(request: Request, kb: Application) -> str:
    base = kb.settings.sign_in.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return base + CALLBACK


def _provider_of(request: Request, kb: Application) -> OpenIdProvider:
    state = request.app.state
    if not hasattr(state, "openid_provider"):
        issuer, client_id = require_whole(kb.settings.sign_in)
        state.openid_provider = OpenIdProvider(
            issuer, client_id, read_secret(CLIENT_SECRET_VARIABLE)
        )
    provider: OpenIdProvider = state.openid_provider
    return provider


def _starts_of(request: Request) -> SignInThrottle:
    state = request.app.state
    if not hasattr(state, "openid_starts"):
        state.openid_starts = SignInThrottle(failures=STARTS)
    throttle: SignInThrottle = state.openid_starts
    return throttle


def _write_flow(
    connection: Connection, state: str, browser: str, flow: Flow, now: datetime
) -> None:
    connection.execute(delete(openid_flows).where(openid_flows.c.expires_at <= now))
    connection.execute(
        insert(openid_flows).values(
            state_hash=_digest(state),
            browser_hash=_digest(browser),
            nonce=flow.nonce,
            code_verifier=flow.code_verifier,
            next=flow.next,
            expires_at=now + FLOW_LIFE,
        )
    )


def _take_flow(connection: Connection, state: str, browser: str, now: datetime) -> Flow | None:
    """What a state was begun with, in this browser; taken away so that it counts once."""
    row = connection.execute(
        select(openid_flows).where(
            openid_flows.c.state_hash == _digest(state),
            openid_flows.c.browser_hash == _digest(browser),
            openid_flows.c.expires_at > now,
        )
    ).first()
    if row is None or not browser:
        return None
    connection.execute(delete(openid_flows).where(openid_flows.c.state_hash == row.state_hash))
    return Flow(row.nonce, row.code_verifier, row.next)


def _refuse(status: int, fault: str) -> HTMLResponse:
    return render_page("openid_refused.html", status=status, viewer=None, fault=fault)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
