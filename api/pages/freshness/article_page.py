"""One article's verdict: what speaks against it, what was judged before, and confirming it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection, select

from api.auth import Kb
from api.keys import Caller
from api.pages.freshness import wording
from api.pages.freshness.bulk import QueueForm, find_fault, read_days
from api.pages.freshness.chart import HistoryChart, draw_history
from api.pages.freshness.evidence import (
    ShownReason,
    is_web_address,
    read_known,
    show_reasons,
    ticket_anchor,
    ticket_ids,
)
from api.pages.freshness.timeline import Moment, read_timeline
from api.pages.layout import render_page
from api.pages.session import FormCaller, PageCaller, PageSession
from api.wiring import Application
from gaps import repository
from gaps.freshness import queue
from gaps.freshness.queue import QueueEntry, Repair
from gaps.types import Ticket
from kb.errors import ConflictError, ForbiddenError, StaleError
from kb.tables import links
from kb.types import Role

TICKETS_SHOWN = 20
LINKS_SHOWN = 100
EVIDENCE_SHOWN = 20
PUBLISHED_NOTICE = "Confirmed. The next check judges it anew."

router = APIRouter(prefix="/freshness", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class CheckedLink:
    """An address of the text as the link checker found it."""

    url: str
    href: str
    """Empty where it is no address of the web."""
    label: str
    tone: str
    target: str
    status_code: int | None
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What is shown of one article."""

    entry: QueueEntry
    since: datetime | None
    reasons: Sequence[ShownReason]
    base: float
    """Of the probability, what rests on no evidence."""
    tickets: Sequence[Ticket]
    links: Sequence[CheckedLink]
    moments: Sequence[Moment]
    chart: HistoryChart | None
    repair: Repair | None


@router.post("/{document_id:path}/verify")
def verify(
    document_id: str,
    kb: Kb,
    page: FormCaller,
    version: Annotated[int, Form(ge=1)] = 1,
    reason: Annotated[str, Form(max_length=5_000)] = "",
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Confirm the text that was shown, for an interval."""
    form = QueueForm("verify", reason.strip(), days.strip())
    facts = _read(kb, page.caller, document_id)
    fault, status = find_fault(form, [document_id]), 400
    if not fault:
        try:
            kb.freshness.verify(
                document_id, page.caller, reason=form.reason, interval_days=read_days(form.days),
                version=version,
            )  # fmt: skip
        except (StaleError, ConflictError, ForbiddenError) as error:
            fault = f"{error.message[:1].upper()}{error.message[1:]}."
            status = {StaleError: 412, ForbiddenError: 403}.get(type(error), 409)
    if fault:
        return _show(kb, page, facts, status=status, fault=fault, form=form)
    return RedirectResponse(f"/freshness/{quote(document_id)}?done=verified", status_code=303)


@router.get("/{document_id:path}")
def show_article(
    document_id: str, kb: Kb, page: PageCaller, done: Annotated[str, Query(max_length=20)] = ""
) -> HTMLResponse:
    facts = _read(kb, page.caller, document_id)
    notice = PUBLISHED_NOTICE if done == "verified" else ""
    return _show(kb, page, facts, notice=notice)


def _read(kb: Application, caller: Caller, document_id: str) -> ArticleFacts:
    with kb.database.read() as connection:
        entry = kb.freshness.read_entry(connection, document_id, caller)
        known = read_known(connection, [entry])
        shown = ticket_ids(entry, known)[:TICKETS_SHOWN]
        moments = read_timeline(connection, document_id)
        return ArticleFacts(
            entry=entry,
            since=queue.read_since(connection, [document_id]).get(document_id),
            reasons=show_reasons(entry, known, shown=EVIDENCE_SHOWN),
            base=base_of(entry),
            tickets=repository.read_tickets(connection, ids=shown),
            links=_read_links(connection, entry),
            moments=moments,
            chart=draw_history(moments, kb.clock.now()),
            repair=queue.read_repairs(connection, [document_id]).get(document_id),
        )


def base_of(entry: QueueEntry) -> float:
    """What is left of the probability without its reasons.

    The probability is one minus the product of the complements of the reasons' weights and of
    this.
    """
    doubt = math.prod(1.0 - float(reason["weight"]) for reason in entry.reasons)
    return min(1.0, max(0.0, 1.0 - (1.0 - entry.probability) / doubt)) if doubt > 0.0 else 0.0


def _read_links(connection: Connection, entry: QueueEntry) -> list[CheckedLink]:
    rows = connection.execute(
        select(links)
        .where(links.c.document_id == entry.document_id, links.c.version == entry.version)
        .order_by(links.c.url)
    )
    order = list(wording.LINKS)
    found = sorted(
        rows, key=lambda row: order.index(row.verdict) if row.verdict in order else len(order)
    )
    return [
        CheckedLink(
            row.url, row.url if is_web_address(row.url) else "",
            *wording.LINKS.get(row.verdict, (str(row.verdict), "quiet")),
            row.target or "", row.status_code, row.checked_at,
        )
        for row in found[:LINKS_SHOWN]
    ]  # fmt: skip


def _show(
    kb: Application,
    page: PageSession,
    facts: ArticleFacts,
    *,
    status: int = 200,
    notice: str = "",
    fault: str = "",
    form: QueueForm | None = None,
) -> HTMLResponse:
    repair, caller = facts.repair, page.caller
    may_repair = repair is not None and (
        caller.role.includes(Role.EDITOR) or caller.owner == repair.gap_owner
    )
    return render_page(
        "freshness_article.html",
        status=status,
        viewer=page,
        section="freshness",
        facts=facts,
        entry=facts.entry,
        repair=repair,
        may_repair=may_repair,
        may_verify=kb.settings.actions.reverify_article != "forbidden",
        next_at=kb.freshness.next_check(),
        anchor=ticket_anchor,
        wording=wording,
        notice=notice,
        fault=fault,
        form=form or QueueForm(),
    )
