"""The inbox: drafts by impact or due date, and what is done with several of them at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from api.auth import Kb
from api.pages.bulk import MOST_CHOSEN, BulkForm, Outcome, do_all, find_fault
from api.pages.inbox import read_lines, read_open_gaps, read_owners, read_rows
from api.pages.inbox_query import (
    DECIDED,
    ROWS,
    VERDICTS,
    WAITING,
    InboxQuery,
    Sort,
    Tab,
    choose_lines,
    count_tabs,
    count_values,
)
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.pages.wording import REASONS, tell_due
from api.wiring import Application
from gaps.types import DraftState, GapKind
from kb.types import Role

GAPS_SHOWN = 10
MAX_REASON = 2_000
MAX_ADDRESS = 8_000

router = APIRouter(include_in_schema=False)


@router.get("/review")
def show_inbox(request: Request, kb: Kb, page: PageCaller) -> HTMLResponse:
    """Drafts as narrowed and sorted by the address; an owner's own, everyone's for editors."""
    return _show(kb, page, InboxQuery.parse(dict(request.query_params)))


@router.post("/review/bulk")
def decide_several(
    kb: Kb,
    page: FormCaller,
    do: Annotated[str, Form(max_length=20)] = "",
    asked: Annotated[str, Form(max_length=MAX_ADDRESS)] = "",
    draft: Annotated[list[str] | None, Form(max_length=MOST_CHOSEN)] = None,
    seen: Annotated[list[str] | None, Form(max_length=MOST_CHOSEN)] = None,
    reason: Annotated[str, Form(max_length=MAX_REASON)] = "",
    because: Annotated[str, Form(max_length=30)] = "",
    owner: Annotated[str, Form(max_length=80)] = "",
    until: Annotated[str, Form(max_length=20)] = "",
) -> HTMLResponse:
    """Take one action on every ticked draft and tell line by line what became of it.

    Args:
        kb: The knowledge base.
        page: Who decides.
        do: "approve", "snooze", "hand_over" or "reject".
        asked: The query of the list, to come back to.
        draft: Ids of the ticked drafts.
        seen: "id hash state" of every listed draft, as it was listed.
        reason: Needed to reject.
        because: What was wrong with them, as triage learns it.
        owner: Whom to hand them to.
        until: The day they come back.
    """
    query = InboxQuery.parse(dict(parse_qsl(asked)))
    form = BulkForm(do, reason.strip(), because, owner, until)
    chosen = list(dict.fromkeys(draft or ()))
    fault = find_fault(form, chosen, kb.clock.now())
    if fault:
        return _show(kb, page, query, status=400, fault=fault, ticked=chosen, form=form)
    known = {key: rest for key, _, rest in (said.partition(" ") for said in seen or ())}
    outcomes = list(do_all(kb, page.caller, form, chosen, known))
    failed = [outcome.draft_id for outcome in outcomes if not outcome.done]
    status = 409 if failed else 200
    return _show(kb, page, query, status=status, ticked=failed, outcomes=outcomes)


def _show(
    kb: Application,
    page: PageSession,
    query: InboxQuery,
    *,
    status: int = 200,
    fault: str = "",
    ticked: Collection[str] = (),
    form: BulkForm | None = None,
    outcomes: Sequence[Outcome] = (),
) -> HTMLResponse:
    now = kb.clock.now()
    sees_all = page.caller.role.includes(Role.EDITOR)
    owner = None if sees_all else (page.caller.owner or "")
    if not sees_all:
        query = replace(query, owner="")
    with kb.database.read() as connection:
        lines = read_lines(connection, owner=owner, now=now)
        found = choose_lines(lines, query)
        rows = read_rows(connection, [f.id for f in found[query.offset : query.offset + ROWS]])
        wanted = owner if owner is not None else (query.owner or None)
        gaps, gap_count = read_open_gaps(
            connection, owner=wanted, kind=query.kind, limit=GAPS_SHOWN
        )
        owners = read_owners(connection) if sees_all else []
    counts = count_values(lines, query)
    return render_page(
        "inbox.html",
        status=status,
        viewer=page,
        query=query,
        tabs=count_tabs(lines, query),
        rows=rows,
        total=len(found),
        overdue=sum(line.due_at < now for line in found),
        page_size=ROWS,
        due={row.id: tell_due(row.due_at, now) for row in rows if row.due_at is not None},
        filters=_choices(counts, query, owners),
        sorts=[sort.value for sort in Sort],
        gaps=gaps if query.tab is Tab.WAITING and not query.offset else [],
        gap_count=gap_count,
        sees_all=sees_all,
        hand_to=kb.reviewing.owners,
        reasons=[(because.value, REASONS[because]) for because in REASONS],
        tomorrow=(now + timedelta(days=1)).date().isoformat(),
        fault=fault,
        ticked=set(ticked),
        form=form or BulkForm("", until=(now + timedelta(days=7)).date().isoformat()),
        outcomes=outcomes,
    )


def _choices(
    counts: dict[str, Counter[str]], query: InboxQuery, owners: Sequence[str]
) -> dict[str, list[tuple[str, int]]]:
    """What each filter offers, with how many drafts it would show."""
    states: tuple[DraftState, ...] = DECIDED if query.tab is Tab.DECIDED else WAITING
    offered: dict[str, Sequence[str]] = {
        "state": [state.value for state in states],
        "kind": [kind.value for kind in GapKind],
        "checks": VERDICTS,
        "owner": owners,
    }
    return {name: [(v, counts[name][v]) for v in values] for name, values in offered.items()}
