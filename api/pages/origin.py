"""Where a form came from and where a person may be sent: only ever this site."""

from __future__ import annotations

import hmac
from urllib.parse import quote, urlsplit

from fastapi import Request

from kb.errors import ForbiddenError

START_PAGE = "/review"


def check_same_origin(request: Request) -> None:
    """Refuse a form that another site sent.

    Browsers state `Sec-Fetch-Site` and `Origin`; programs that state neither still need the
    form's token.

    Raises:
        ForbiddenError: Either header names another origin.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign_site = site is not None and site != "same-origin"
    foreign_origin = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    if foreign_site or foreign_origin:
        raise ForbiddenError("this form was sent from another site; open the page here and repeat")


def check_token(expected: str, given: str) -> None:
    """Compare a form's token in constant time.

    Raises:
        ForbiddenError: It is missing or not the one this session was given.
    """
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise ForbiddenError("this form is out of date; go back, reload the page and repeat")


def local_path(wanted: str | None) -> str:
    """A path of this site to go on to; the start page for anything that could lead elsewhere."""
    path = wanted or START_PAGE
    plain = path.isascii() and path.isprintable() and "\\" not in path and " " not in path
    if not plain or not path.startswith("/") or path.startswith("//"):
        return START_PAGE
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or parts.path.startswith(("//", "/sign-")):
        return START_PAGE
    return path


def sign_in_path(request: Request) -> str:
    """The sign-in page that leads back to what was asked for."""
    if request.method != "GET" or request.url.path == "/":
        return "/sign-in"
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(asked, safe='')}"
