"""The pages of the service put together, and the one that shows a draft."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages import (
    arrangements,
    article,
    article_list,
    autonomy,
    decisions,
    inbox_page,
    static_files,
)
from api.pages.draft_facts import read_draft_facts
from api.pages.draft_page import ensure_may_review
from api.pages.freshness import article_page as freshness_article
from api.pages.freshness import queue_page
from api.pages.gaps import corrections, gap_list, gap_page, map_page
from api.pages.layout import render_page
from api.pages.session import PageCaller

router = APIRouter(include_in_schema=False)


@router.get("/")
def start() -> Response:
    return RedirectResponse("/review", status_code=303)


router.include_router(inbox_page.router)
router.include_router(decisions.router)
router.include_router(arrangements.router)


@router.get("/review/{draft_id}")
def show_draft_page(
    draft_id: str,
    kb: Kb,
    page: PageCaller,
    tickets: Annotated[str, Query(max_length=10)] = "",
) -> HTMLResponse:
    with kb.database.read() as connection:
        facts = read_draft_facts(
            connection, draft_id, page.caller.audience, all_tickets=tickets == "all"
        )
    ensure_may_review(page.caller, facts.draft)
    return decisions.show(kb, page, facts)


router.include_router(article_list.router)
router.include_router(article.router)
router.include_router(autonomy.router)
router.include_router(gap_list.router)
router.include_router(map_page.router)
router.include_router(gap_page.router)
router.include_router(corrections.router)
router.include_router(queue_page.router)
router.include_router(freshness_article.router)
router.include_router(static_files.router)


def error_page(request: Request, status: int, message: str) -> HTMLResponse:
    """What went wrong, in words, for someone who looks at a page."""
    titles = {
        400: "That cannot be done as asked",
        403: "Not yours to do",
        404: "Not here",
        405: "Not here",
        409: "Not possible now",
        412: "It changed meanwhile",
        422: "That form is incomplete",
        429: "Too many attempts",
        503: "Not available right now",
    }
    return render_page(
        "error.html",
        status=status,
        viewer=None,
        code=status,
        title=titles.get(status, "Something went wrong"),
        message=f"{message[:1].upper()}{message[1:]}",
        may_retry=request.method == "GET" and status >= 500,
    )
