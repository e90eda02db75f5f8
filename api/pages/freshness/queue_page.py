"""The freshness queue: what to look at first, why, and confirming several at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import Kb
from api.pages.freshness import wording
from api.pages.freshness.bulk import (
    MOST_CHOSEN,
    VERIFY,
    Outcome,
    QueueForm,
    do_all,
    find_fault,
)
from api.pages.freshness.evidence import ShownReason, read_known, show_reasons
from api.pages.freshness.listing import ROWS, QueueQuery
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.pages.wording import plural
from api.wiring import Application
from gaps.freshness import queue
from gaps.freshness.queue import QueueEntry, Repair
from gaps.freshness.verdicts import CheckVerdict
from gaps.ranking.impact import pareto_count
from kb.types import Role

MAX_ADDRESS = 8_000
REASONS_SHOWN = 3
FRESH = CheckVerdict.FRESH.value

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Row:
    """An article as a line of the queue."""

    entry: QueueEntry
    since: datetime | None
    reasons: Sequence[ShownReason]
    more_reasons: int
    repair: Repair | None
    tick: str
    """What its box sends: the version that was listed, and the id."""


@router.get("/freshness")
def show_queue(
    request: Request,
    kb: Kb,
    page: PageCaller,
    n: Annotated[int, Query(ge=0, le=MOST_CHOSEN)] = 0,
) -> HTMLResponse:
    """What the last check doubts, most damaging first, as narrowed by the address."""
    query = QueueQuery.parse(dict(request.query_params))
    notice = f"{plural(n, 'article')} confirmed." if n else ""
    return _show(kb, page, query, notice=notice)


@router.post("/freshness/bulk")
def decide_several(
    kb: Kb,
    page: FormCaller,
    do: Annotated[str, Form(max_length=20)] = "",
    asked: Annotated[str, Form(max_length=MAX_ADDRESS)] = "",
    article: Annotated[list[str] | None, Form(max_length=MOST_CHOSEN)] = None,
    reason: Annotated[str, Form(max_length=5_000)] = "",
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Confirm the ticked articles, or have drafts written for them, each by itself.

    Args:
        kb: The knowledge base.
        page: Who decides.
        do: "verify" or "draft".
        asked: The query of the list, to come back to.
        article: "version id" of each ticked article.
        reason: How they know; needed to confirm.
        days: For how long each holds; as before where empty.
    """
    query = QueueQuery.parse(dict(parse_qsl(asked)))
    chosen = list(dict.fromkeys(article or ()))
    form = QueueForm(do, reason.strip(), days.strip())
    fault = find_fault(form, chosen)
    if fault:
        return _show(kb, page, query, status=400, fault=fault, ticked=chosen, form=form)
    outcomes = list(do_all(kb, page.caller, form, chosen))
    failed = {outcome.document_id for outcome in outcomes if not outcome.done}
    if form.do == VERIFY and not failed:
        back = query.link(offset=query.offset)
        said = urlencode({"n": len(chosen)})
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{said}", status_code=303)
    # What changed since stays unticked: it is to be read anew.
    return _show(
        kb, page, query, status=409 if failed else 200, outcomes=outcomes,
        form=form if failed else QueueForm(),
    )  # fmt: skip


def _show(
    kb: Application,
    page: PageSession,
    query: QueueQuery,
    *,
    status: int = 200,
    notice: str = "",
    fault: str = "",
    ticked: Collection[str] = (),
    form: QueueForm | None = None,
    outcomes: Sequence[Outcome] = (),
) -> HTMLResponse:
    with kb.database.read() as connection:
        known = kb.freshness.read_queue(connection, page.caller, query.filter)
        published = kb.freshness.count_judged(connection, page.caller)
        judged_at = queue.read_judged_at(connection)
        found = queue.choose_entries(known, query.filter)
        shown = found[query.offset : query.offset + ROWS]
        ids = [entry.document_id for entry in shown]
        since = queue.read_since(connection, ids)
        repairs = queue.read_repairs(connection, ids)
        named = read_known(connection, shown)
    rows = [
        Row(
            entry, since.get(entry.document_id),
            show_reasons(entry, named, most=REASONS_SHOWN),
            max(0, len(entry.reasons) - REASONS_SHOWN), repairs.get(entry.document_id),
            f"{entry.version} {entry.document_id}",
        )
        for entry in shown
    ]  # fmt: skip
    counts = queue.count_choices(known, query.filter)
    damages = [entry.damage for entry in found]
    strongest = pareto_count(damages)
    return render_page(
        "freshness.html",
        status=status,
        viewer=page,
        section="freshness",
        query=query,
        rows=rows,
        total=len(found),
        published=published,
        damage=sum(damages),
        strongest=strongest,
        rule=strongest if strongest < len(found) else 0,
        tabs={name: counts["show"].get(name, 0) for name in wording.SHOWS},
        filters=_choices(known, query, counts),
        sees_all=page.caller.role.includes(Role.EDITOR),
        judged_at=judged_at,
        next_at=kb.freshness.next_check(),
        page_size=ROWS,
        wording=wording,
        notice=notice,
        fault=fault,
        ticked=set(ticked),
        form=form or QueueForm(),
        outcomes=outcomes,
    )


def _choices(
    known: Sequence[QueueEntry], query: QueueQuery, counts: dict[str, dict[str, int]]
) -> dict[str, list[tuple[str, str, int | None]]]:
    """What each filter offers: value, name, and how many articles it would show.

    What is fresh is only counted where it was read.
    """
    owners = sorted({entry.owner for entry in known} | ({query.owner} - {""}))
    signals = [*wording.SIGNALS]
    signals += sorted({one for entry in known for one in entry.signals} - set(signals))
    offered = {
        "owner": [(name, name) for name in owners],
        "verdict": [(name, wording.verdict_label(name)) for name in wording.VERDICTS],
        "signal": [
            (name, wording.signal_label(name))
            for name in signals
            if counts["signal"].get(name) or name == query.signal
        ],
    }
    return {
        name: [
            (
                value,
                text,
                None
                if value == FRESH and not query.filter.wants_fresh
                else counts[name].get(value, 0),
            )
            for value, text in choices
        ]
        for name, choices in offered.items()
    }
