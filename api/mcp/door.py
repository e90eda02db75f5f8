"""Who gets in at `/mcp`: the right `Host`, no foreign `Origin`, a valid key; in this order.

The library checks neither here: on other than loopback addresses it lets every `Host` and `Origin`
through, and it never asks whom a token was made for. Our keys are opaque and only ours: what this
installation did not make is refused, so no token meant for another service gets in, and none is
passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import get_caller
from api.keys import Caller
from api.settings.edge import McpSettings
from api.wiring import Application
from kb.errors import ForbiddenError

SESSION = "kbops.session"
"""Where in the request's scope the tools find who is asking."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks, and of which knowledge base; for one call."""

    application: Application
    caller: Caller


class Door:
    """Lets through to the protocol what may come in, with its caller."""

    def __init__(self, inside: ASGIApp) -> None:
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application: Application = scope["app"].state.application
        headers = Headers(scope=scope)
        check_host_and_origin(headers, scope.get("server"), application.settings.mcp)
        if scope["method"] != "POST":
            # No session to end and no stream to open: each call stands for itself.
            raise HTTPException(405, "POST only", headers={"Allow": "POST"})
        said = _one(headers, "authorization")
        caller = await run_in_threadpool(get_caller, application, said)
        scope[SESSION] = Session(application, caller)
        await self._inside(scope, receive, send)


def check_host_and_origin(
    headers: Headers, server: tuple[str, int | None] | None, allowed: McpSettings
) -> None:
    """Refuse what a web page could send by a name that it let point here, or from elsewhere.

    A `Host` may be of this machine (loopback), the address the call came in on (an address cannot
    be made to point elsewhere, a name can), or one of the configured names. An `Origin`, which
    programs do not send, may be that same host, or one of the configured ones.

    Raises:
        ForbiddenError: Either header is another one, or is there twice.
    """
    host = (_one(headers, "host") or "").lower()
    found = _HOST.fullmatch(host)
    own = server[0].lower() if server is not None else ""
    addresses = {own, f"[{own}]"} if _ADDRESS.fullmatch(own) else set()
    if found is None or found.group(1) not in LOOPBACK | addresses | set(allowed.hosts):
        raise ForbiddenError(
            "this Host is not served; the operator names hosts in [mcp] of kb.toml"
        )
    origin = _one(headers, "origin")
    if origin is None or origin in allowed.origins:
        return
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or parts.netloc.lower() != host:
        raise ForbiddenError("this Origin may not call; kb.toml names others in [mcp] origins")


def _one(headers: Headers, name: str) -> str | None:
    found = headers.getlist(name)
    if len(found) > 1:
        raise ForbiddenError(f"the header {name} is there more than once")
    return found[0] if found else None
