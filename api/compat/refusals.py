"""Errors in another product's shape, for the routes that speak its words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kb.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    KbError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)

STATUS: dict[type[KbError], int] = {
    InvalidInputError: 400,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    UnavailableError: 503,
}
Refusable = KbError | RequestValidationError | HTTPException


def make_route_class(refuse: Callable[[Refusable], Response]) -> type[APIRoute]:
    """A route whose refusals, those of its dependencies too, are what `refuse` makes of them."""

    class RefusingRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def answer_or_refuse(request: Request) -> Response:
                try:
                    return await answer(request)
                except (KbError, RequestValidationError, HTTPException) as error:
                    return refuse(error)

            return answer_or_refuse

    return RefusingRoute


def first_fault(error: RequestValidationError) -> str:
    """Where the body is wrong and why, in one line."""
    faults = error.errors()
    if not faults:
        return "malformed"
    place = ".".join(str(part) for part in faults[0]["loc"] if part != "body")
    return f"{place}: {faults[0]['msg']}" if place else str(faults[0]["msg"])


def status_of(error: KbError) -> int:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
