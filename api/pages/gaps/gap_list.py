"""The ranked list of gaps, and what is decided about several of them at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages.bar_chart import draw_spark
from api.pages.gaps import wording
from api.pages.gaps.listing import (
    ANY,
    ROWS,
    GapQuery,
    Sort,
    choose_gaps,
    count_values,
    rule_place,
    weekly_rise,
)
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.pages.wording import plural
from api.wiring import Application
from gaps.keeping.corrections import CorrectionKind
from gaps.ranking.impact import pareto_count
from gaps.repository import read_gaps
from gaps.types import Gap, GapKind, GapStatus
from kb.errors import KbError
from kb.types import Audience

MOST_CHOSEN = 200
MAX_REASON = 2_000
MAX_ADDRESS = 8_000
"""A text and an owner in another script take twelve characters a letter."""
RANKED = (Sort.PRIORITY, Sort.IMPACT)
DONE = {"dismiss": "dismissed", "assign": "assigned"}

router = APIRouter(include_in_schema=False)


@router.get("/gaps")
def show_gaps(
    request: Request,
    kb: Kb,
    page: PageCaller,
    done: Annotated[str, Query(max_length=20)] = "",
    n: Annotated[int, Query(ge=0, le=MOST_CHOSEN)] = 0,
) -> HTMLResponse:
    """Gaps of every owner, strongest first, as narrowed and sorted by the address."""
    query = GapQuery.parse(dict(request.query_params))
    notice = f"{plural(n, 'gap')} {done}." if done in DONE.values() and n else ""
    return _show(kb, page, query, notice=notice)


@router.post("/gaps/bulk")
def decide_several(
    kb: Kb,
    page: FormCaller,
    do: Annotated[str, Form(max_length=20)] = "",
    asked: Annotated[str, Form(max_length=MAX_ADDRESS)] = "",
    gap: Annotated[list[str] | None, Form(max_length=MOST_CHOSEN)] = None,
    reason: Annotated[str, Form(max_length=MAX_REASON * 2)] = "",
    owner: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Dismiss or assign the ticked gaps, each by itself; what cannot be is told and stays ticked.

    Args:
        kb: The knowledge base.
        page: Who decides.
        do: "dismiss" or "assign".
        asked: The query of the list, to come back to.
        gap: Ids of the ticked gaps.
        reason: Needed to dismiss.
        owner: To assign to.
    """
    query = GapQuery.parse(dict(parse_qsl(asked)))
    chosen, reason = list(dict.fromkeys(gap or ())), reason.strip()
    fault = _find_fault(do, chosen, reason, owner)
    if fault:
        return _show(kb, page, query, status=400, fault=fault, ticked=chosen, reason=reason)
    failed: dict[str, str] = {}
    for gap_id in chosen:
        try:
            if do == "dismiss":
                kb.topics.correct(gap_id, CorrectionKind.NOT_A_GAP, page.caller, reason=reason)
            else:
                kb.topics.correct(
                    gap_id, CorrectionKind.ASSIGN, page.caller, value=owner, reason=reason or None
                )
        except KbError as error:
            failed[gap_id] = error.message
    if failed:
        told = "; ".join(dict.fromkeys(failed.values()))
        fault = f"{len(chosen) - len(failed)} of {len(chosen)} {DONE[do]}. Not the others: {told}."
        return _show(kb, page, query, status=409, fault=fault, ticked=failed, reason=reason)
    back = query.link(offset=query.offset)
    said = urlencode({"done": DONE[do], "n": len(chosen)})
    return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{said}", status_code=303)


def _find_fault(do: str, chosen: Sequence[str], reason: str, owner: str) -> str:
    if do not in DONE:
        return "Choose what to do with the ticked gaps."
    if not chosen:
        return "Tick the gaps it is about first."
    if do == "dismiss" and not reason:
        return "Say why they are not worth an article; it teaches the next run."
    if len(reason) > MAX_REASON:
        return f"The reason has {len(reason):,} characters; {MAX_REASON:,} fit."
    if do == "assign" and not owner:
        return "Choose whom to assign them to."
    return ""


def _show(
    kb: Application,
    page: PageSession,
    query: GapQuery,
    *,
    status: int = 200,
    notice: str = "",
    fault: str = "",
    ticked: Collection[str] = (),
    reason: str = "",
) -> HTMLResponse:
    with kb.database.read() as connection:
        known = read_gaps(connection)
    found = choose_gaps(known, query)
    shown = found[query.offset : query.offset + ROWS]
    impacts = [gap.impact_per_week for gap in found]
    is_ranked = query.sort in RANKED and query.status == GapStatus.OPEN.value
    rule = rule_place(impacts) if is_ranked else 0
    return render_page(
        "gaps.html",
        status=status,
        viewer=page,
        query=query,
        gaps=shown,
        total=len(found),
        saved=sum(impacts),
        strongest=pareto_count(impacts),
        rule=rule if rule < len(found) else 0,
        sparks={gap.gap_id: draw_spark(gap.weekly_counts) for gap in shown},
        rises={gap.gap_id: weekly_rise(gap.weekly_counts) for gap in shown},
        certainty=wording.certainty,
        interval=wording.interval,
        saved_by=wording.saved,
        count_tickets=wording.count_tickets,
        meanings={kind.value: text.meaning for kind, text in wording.KINDS.items()},
        audiences={audience.value: text for audience, text in wording.AUDIENCES.items()},
        filters=_choices(known, query),
        any_status=ANY,
        sorts=[sort.value for sort in Sort],
        owners=[owner.name for owner in kb.settings.owners],
        rows=ROWS,
        notice=notice,
        fault=fault,
        ticked=set(ticked),
        reason=reason,
    )


def _choices(known: Sequence[Gap], query: GapQuery) -> dict[str, list[tuple[str, int]]]:
    """What each filter offers, with how many gaps it would show."""
    counts = count_values(known, query)
    owners = sorted({gap.owner for gap in known} | ({query.owner} - {""}))
    values: dict[str, list[str]] = {
        "status": [status.value for status in GapStatus],
        "kind": [kind.value for kind in GapKind],
        "owner": owners,
        "audience": [audience.value for audience in Audience],
    }
    return {
        name: [(value, counts[name].get(value, 0)) for value in offered]
        for name, offered in values.items()
    }
