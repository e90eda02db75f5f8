"""The HTTP application: routes, error mapping, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api.compat import dify, vector_stores
from api.idempotency import IdempotencyMiddleware
from api.limits import gate
from api.mcp.server import McpEndpoint
from api.openapi import describe
from api.pages import review as review_pages
from api.pages import search_page
from api.pages import sign_in as session_pages
from api.pages.origin import sign_in_path
from api.pages.review import error_page
from api.routes import actions, articles, drafts, gaps, health, operations, search, tickets, topics
from api.routes import freshness as freshness_routes
from api.routes import searches as kept_searches
from api.routes.drafts import PreconditionRequiredError
from api.wiring import Application
from kb.errors import (
    ConflictError,
    ForbiddenError,
    IntegrityError,
    InvalidInputError,
    KbError,
    NotFoundError,
    StaleError,
    UnauthenticatedError,
    UnavailableError,
)

STATUS: dict[type[KbError], int] = {
    NotFoundError: 404,
    StaleError: 412,
    PreconditionRequiredError: 428,
    ConflictError: 409,
    InvalidInputError: 400,
    ForbiddenError: 403,
    UnauthenticatedError: 401,
    UnavailableError: 503,
    IntegrityError: 500,
}
MAX_BODY_BYTES = 64 * 1024 * 1024
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}


def create_app(application: Application, *, on_start: Callable[[], None] | None = None) -> FastAPI:
    """The app on one knowledge base.

    Args:
        application: What it serves.
        on_start: Called once serving begins: the schedule, unfinished publications.
    """

    mcp = McpEndpoint()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if on_start is not None:
            on_start()
        async with mcp.run():
            yield

    app = FastAPI(
        title="kbops",
        version="1",
        description="Operates a support knowledge base.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.application = application
    app.add_middleware(IdempotencyMiddleware, application=application)
    for module in (health, search, tickets, gaps, drafts, articles, operations, topics, actions):
        app.include_router(module.router)
    app.include_router(kept_searches.router)
    app.include_router(freshness_routes.router)
    for adapter in (dify, vector_stores):
        app.include_router(adapter.router)
    for page in (session_pages, review_pages, search_page):
        app.include_router(page.router)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.router.routes.append(Route("/mcp", endpoint=mcp, name="mcp"))
    app.add_exception_handler(KbError, _answer_kb_error)
    app.add_exception_handler(RequestValidationError, _answer_malformed)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_fault)
    app.middleware("http")(_guard)
    gate.install(app, application, _answer_refusal)
    return app


async def _guard(request: Request, call_next: Callable[[Request], object]) -> Response:
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return error_response(413, "too_large", f"a body may have {MAX_BODY_BYTES} bytes")
    response: Response = await call_next(request)  # type: ignore[misc]
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def error_response(
    status: int, code: str, message: str, details: dict[str, object] | None = None
) -> JSONResponse:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status)
    body = {"error": {"code": code, "message": message, "details": details or {}}}
    return JSONResponse(body, status_code=status, headers=headers)


def status_of(error: KbError) -> int:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


async def _answer_kb_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KbError)
    if isinstance(error, UnauthenticatedError) and _wants_page(request):
        return RedirectResponse(sign_in_path(request), status_code=303)
    if _wants_page(request):
        return error_page(request, status_of(error), error.message)
    return error_response(status_of(error), error.code, error.message, error.details)


async def _answer_malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]), "reason": fault["msg"]}
        for fault in error.errors()
    ]
    first = faults[0] if faults else {"field": "", "reason": "malformed"}
    message = f"{first['field']}: {first['reason']}"
    if _wants_page(request):
        return error_page(request, 422, message)
    return error_response(422, "malformed", message, {"faults": faults})


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _wants_page(request):
        return error_page(request, error.status_code, str(error.detail))
    answer = error_response(error.status_code, "http", str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _answer_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has it, the caller learns nothing of our insides."""
    if _wants_page(request):
        return error_page(request, 500, "internal error")
    return error_response(500, "internal", "internal error")


def _answer_refusal(request: Request, status: int, code: str, message: str) -> Response:
    if _wants_page(request):
        return error_page(request, status, message)
    return error_response(status, code, message)


def _wants_page(request: Request) -> bool:
    path = request.url.path
    api = path.startswith(("/v1", "/mcp", "/compat", "/healthz", "/readyz", "/metrics", "/openapi"))
    return not api and "text/html" in request.headers.get("accept", "")
