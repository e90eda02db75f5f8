"""Asking what an agent would ask, as whom one likes, and saying what is wrong with the answer.

A question that was asked has an address of its own without the question in it. The page there shows
today's answer and what is not as it was then, so it also serves to look at an agent's search.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.keys import Caller
from api.pages.layout import render_page
from api.pages.search_facts import BAR_WIDTH, MODES, describe_change, describe_hits
from api.pages.session import FormCaller, PageCaller, PageSession
from api.routes.search import search_and_log
from api.schemas import QUERY_CHARACTERS
from api.searches import ask_again, find_search
from api.wiring import Application
from gaps.signals import Signal
from gaps.types import GapKind
from kb import searchlog
from kb.comparing import Change, compare_hits
from kb.errors import InvalidInputError, NotFoundError
from kb.types import Audience, SearchRequest, SearchResponse

RECENT = 6
OPEN_HITS = 5
LATELY = timedelta(days=14)
AUDIENCES = {
    Audience.PUBLIC: "Anyone",
    Audience.CUSTOMER: "A customer",
    Audience.PARTNER: "A partner",
    Audience.INTERNAL: "Staff",
}
NOTICES = {
    "wrong": "Noted as wrong. The next run reads it as evidence of a gap.",
    "missing": "Reported. The next run reads it as evidence of a gap.",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the form."""

    query: str = ""
    audience: Audience = Audience.PUBLIC


@router.get("/search")
def show_form(kb: Kb, page: PageCaller) -> HTMLResponse:
    return _show(kb, page, Asked())


@router.post("/search")
def ask(
    kb: Kb,
    page: FormCaller,
    q: Annotated[str, Form()] = "",
    audience: Annotated[str, Form()] = Audience.PUBLIC.value,
) -> Response:
    """Ask and go to the answer's own address; without one, show it here."""
    asker = _asker(page, audience)
    asked = Asked(q.strip(), asker.audience)
    if not asked.query or len(asked.query) > QUERY_CHARACTERS:
        long = f"Make it shorter: at most {QUERY_CHARACTERS:,} characters."
        fault = long if asked.query else "Type a question first."
        return _show(kb, page, asked, status=422, fault=fault)
    response = search_and_log(kb, asker, SearchRequest(asked.query), None)
    if response.search_id is None:
        return _show(kb, page, asked, response)
    return RedirectResponse(f"/search/{response.search_id}", status_code=303)


@router.get("/search/{search_id}")
def show_answer(
    search_id: str,
    kb: Kb,
    page: PageCaller,
    done: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    return _show_kept(kb, page, search_id, notice=NOTICES.get(done, ""))


@router.post("/search/{search_id}/wrong")
def mark_wrong(
    search_id: str,
    kb: Kb,
    page: FormCaller,
    document_id: Annotated[str, Form()] = "",
    note: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Say that a document of one's own answer is wrong: the outcome that agents report too."""
    with kb.database.write() as connection:
        row = _find_own(searchlog.read_search(connection, search_id), page.caller)
        if document_id not in {hit["document_id"] for hit in row["hits"]}:
            raise InvalidInputError("that document was not in this answer", where="document_id")
        said = searchlog.read_outcome(connection, search_id, page.caller.key_id)
        before = said if said is not None and said["outcome"] == "wrong" else None
        wrong = [*before["document_ids"], document_id] if before is not None else [document_id]
        notes = [before["note"] or "" if before is not None else "", note.strip()]
        searchlog.write_outcome(
            connection,
            search_id=search_id,
            key_id=page.caller.key_id,
            outcome="wrong",
            document_ids=list(dict.fromkeys(wrong)),
            note="\n".join(part for part in notes if part)[:5_000] or None,
            ticket_id=None,
            at=kb.clock.now(),
        )
    return RedirectResponse(f"/search/{search_id}?done=wrong", status_code=303)


@router.post("/search/{search_id}/missing")
def report_missing(
    search_id: str,
    kb: Kb,
    page: FormCaller,
    reason: Annotated[str, Form()] = GapKind.MISSING.value,
) -> Response:
    """Say that the answer is not there or not found: the signal that agents send too."""
    if reason not in (GapKind.MISSING, GapKind.UNFINDABLE):
        raise InvalidInputError("expected missing or unfindable", where="reason")
    with kb.database.read() as connection:
        row = _find_own(searchlog.read_search(connection, search_id), page.caller)
    found = tuple(dict.fromkeys(hit["document_id"] for hit in row["hits"]))
    signal = Signal(row["query"], GapKind(reason), (row["query"][:2_000],), found)
    asker = replace(page.caller, audience=Audience(row["audience"]))
    kb.topics.tell(signal, asker)
    return RedirectResponse(f"/search/{search_id}?done=missing", status_code=303)


def _asker(page: PageSession, audience: str) -> Caller:
    """The person, as the audience they want to ask for; never more than their own."""
    wanted = next((a for a in page.caller.audience.readable() if a.value == audience), None)
    if wanted is None:
        raise InvalidInputError("no such audience", where="audience")
    return replace(page.caller, audience=wanted)


def _find_own(row: dict[str, Any], caller: Caller) -> dict[str, Any]:
    if row["key_id"] != caller.key_id:
        raise NotFoundError("search", row["id"])
    return row


def _show_kept(
    kb: Application, page: PageSession, search_id: str, *, notice: str = ""
) -> HTMLResponse:
    with kb.database.read() as connection:
        row = find_search(connection, search_id, page.caller)
        said = searchlog.read_outcome(connection, search_id, row["key_id"])
    response = ask_again(kb, row)
    by_chunk = dict(row["request"]).get("group_by") == "chunk"
    after = [searchlog.describe_hit(hit) for hit in response.hits]
    changes = (
        [] if by_chunk else compare_hits(row["hits"], after, by="document_id")
    )  # Passages of one document have no name of their own on the page.
    asked = Asked(row["query"], Audience(row["audience"]))
    return _show(kb, page, asked, response, row=row, changes=changes, said=said, notice=notice)


def _show(
    kb: Application,
    page: PageSession,
    asked: Asked,
    response: SearchResponse | None = None,
    *,
    row: dict[str, Any] | None = None,
    changes: list[Change] | None = None,
    said: dict[str, Any] | None = None,
    status: int = 200,
    notice: str = "",
    fault: str = "",
) -> HTMLResponse:
    changes = changes or []
    is_own = row is not None and row["key_id"] == page.caller.key_id
    wrong = set(said["document_ids"]) if said is not None and said["outcome"] == "wrong" else set()
    titles = {hit["document_id"]: hit.get("title") for hit in row["hits"]} if row else {}
    with kb.database.read() as connection:
        recent = searchlog.read_recent(connection, page.caller.key_id, limit=RECENT)
        unanswered = searchlog.read_unanswered(
            connection, since=kb.clock.now() - LATELY, but=page.caller.key_id, limit=RECENT
        )
    return render_page(
        "search.html",
        status=status,
        viewer=page,
        asked=asked,
        audiences=[(a.value, AUDIENCES[a]) for a in page.caller.audience.readable()],
        audience_name=AUDIENCES[asked.audience],
        response=response,
        hits=describe_hits(response, changes, wrong) if response is not None else [],
        row=row,
        is_own=is_own,
        gone=[
            (change.hit, titles.get(change.hit), describe_change(change))
            for change in changes
            if change.kind == "gone"
        ],
        modes=[MODES.get(mode, mode) for mode in (response.degraded if response else ())],
        said=said,
        recent=recent,
        unanswered=unanswered,
        open_hits=OPEN_HITS,
        bar_width=BAR_WIDTH,
        notice=notice,
        fault=fault,
    )
