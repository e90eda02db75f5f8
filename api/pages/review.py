"""The review pages a person reads: the inbox and a draft; what they decide is in `decisions`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages import article, article_list, autonomy, decisions, static_files
from api.pages.draft_facts import read_draft_facts
from api.pages.draft_page import ensure_may_review, show_draft
from api.pages.gaps import corrections, gap_list, gap_page, map_page
from api.pages.inbox import (
    DECIDED,
    WAITING,
    InboxFilter,
    count_inbox,
    read_inbox,
    read_open_gaps,
    read_owners,
)
from api.pages.layout import render_page
from api.pages.session import PageCaller
from gaps.types import GapKind
from kb.types import Role

ROWS = 50
GAPS_SHOWN = 20

router = APIRouter(include_in_schema=False)


@router.get("/")
def start() -> Response:
    return RedirectResponse("/review", status_code=303)


@router.get("/review")
def show_inbox(
    kb: Kb,
    page: PageCaller,
    tab: Annotated[str, Query(max_length=20)] = "waiting",
    owner: Annotated[str, Query(max_length=80)] = "",
    state: Annotated[str, Query(max_length=30)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """Drafts by impact a week; an owner's own, everyone's for editors and admins."""
    decided = tab == "decided"
    states, other = (DECIDED, WAITING) if decided else (WAITING, DECIDED)
    sees_all = page.caller.role.includes(Role.EDITOR)
    chosen = (owner or None) if sees_all else (page.caller.owner or "")
    wanted = next((s for s in states if s.value == state), None)
    wanted_kind = kind if kind in set(GapKind) else None
    asked = InboxFilter(chosen, wanted, wanted_kind)
    unstated = InboxFilter(chosen, None, wanted_kind)
    with kb.database.read() as connection:
        rows = read_inbox(connection, states, asked, limit=ROWS + 1, offset=offset)
        here = count_inbox(connection, states, unstated)
        there = count_inbox(connection, other, unstated)
        gaps, gap_count = read_open_gaps(connection, unstated, limit=GAPS_SHOWN)
        owners = read_owners(connection) if sees_all else []
    return render_page(
        "inbox.html",
        viewer=page,
        tab="decided" if decided else "waiting",
        rows=rows[:ROWS],
        next_offset=offset + ROWS if len(rows) > ROWS else None,
        previous_offset=max(0, offset - ROWS) if offset else None,
        counts={s.value: here.get(s.value, 0) for s in states},
        waiting_count=sum((there if decided else here).values()),
        decided_count=sum((here if decided else there).values()),
        gaps=[] if decided else gaps,
        gap_count=gap_count,
        owners=owners,
        kinds=[k.value for k in GapKind],
        sees_all=sees_all,
        asked=asked,
    )


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
    return show_draft(page, facts)


router.include_router(decisions.router)
router.include_router(article_list.router)
router.include_router(article.router)
router.include_router(autonomy.router)
router.include_router(gap_list.router)
router.include_router(map_page.router)
router.include_router(gap_page.router)
router.include_router(corrections.router)
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
