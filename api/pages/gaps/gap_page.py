"""The page of one gap: what it is, what it rests on, what became of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.auth import Kb
from api.keys import Caller
from api.pages.gaps import wording
from api.pages.gaps.facts import TICKETS_SHOWN, GapFacts, read_gap_facts
from api.pages.gaps.week_chart import draw_series
from api.pages.layout import render_page
from api.pages.session import PageCaller, PageSession
from api.wiring import Application
from gaps.types import Draft, DraftState, Gap, GapKind, GapStatus
from kb.types import Role

DESK, PHONE = 720, 312
"""Widths that charts are drawn for."""
UNDECIDED = (DraftState.IN_REVIEW, DraftState.CHANGES_ASKED, DraftState.APPROVED)
WRITABLE = (GapStatus.OPEN, GapStatus.DRAFTING)
DEFAULT_GROWTH = "2"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that could not be taken, to be shown again with what was wrong."""

    form: str = ""
    fault: str = ""
    value: str = ""
    reason: str = ""
    growth: str = DEFAULT_GROWTH
    tickets: Collection[str] = field(default_factory=frozenset)


@router.get("/gaps/{gap_id}")
def show_gap_page(
    gap_id: str,
    kb: Kb,
    page: PageCaller,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    done: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    with kb.database.read() as connection:
        facts = read_gap_facts(connection, gap_id, offset=offset)
    return show_gap(kb, page, facts, notice=wording.NOTICES.get(done, ""))


def show_gap(
    kb: Application,
    page: PageSession,
    facts: GapFacts,
    *,
    status: int = 200,
    notice: str = "",
    sent: Sent | None = None,
) -> HTMLResponse:
    """Render a gap.

    Args:
        kb: The knowledge base.
        page: Who looks.
        facts: What is stored.
        status: Of the answer.
        notice: What was just done.
        sent: The form that was wrong.
    """
    gap = facts.gap
    draft = next((d for d in facts.drafts if d.state in UNDECIDED), None)
    return render_page(
        "gap.html",
        status=status,
        viewer=page,
        facts=facts,
        gap=gap,
        draft=draft,
        may_open_draft=draft is not None and _may_work(page.caller, draft),
        may_write=draft is None and gap.status in WRITABLE and _may_work(page.caller, gap),
        may_dismiss=gap.status is GapStatus.OPEN,
        text=wording.KINDS[gap.kind],
        certainty=wording.certainty(gap),
        interval=wording.interval(gap),
        saved=wording.saved(gap),
        audience=wording.AUDIENCES[gap.audience],
        kinds=[kind.value for kind in GapKind if kind is not gap.kind],
        meanings={kind.value: text.meaning for kind, text in wording.KINDS.items()},
        owners=[owner.name for owner in kb.settings.owners if owner.name != gap.owner],
        charts=[
            (name, chart)
            for name, width in (("wide", DESK), ("narrow", PHONE))
            if (chart := draw_series(facts.weeks, facts.marks, width=width)) is not None
        ],
        anchors=_anchors(facts),
        ticket_count=wording.count_tickets(gap),
        told_ids=frozenset(ticket.ticket_id for ticket in facts.told),
        rows=TICKETS_SHOWN,
        notice=notice,
        sent=sent or Sent(),
    )


def _may_work(caller: Caller, thing: Gap | Draft) -> bool:
    return caller.role.includes(Role.EDITOR) or caller.owner == thing.owner


def _anchors(facts: GapFacts) -> dict[str, str]:
    """Where each ticket can be read in full, on this page of them or another."""
    here = [ticket.ticket_id for ticket in facts.tickets]
    anchors = {}
    for place, ticket_id in enumerate(facts.ticket_ids):
        page, line = divmod(place, TICKETS_SHOWN)
        anchors[ticket_id] = f"?offset={page * TICKETS_SHOWN}#ticket-{line + 1}"
    return anchors | {key: f"#ticket-{line}" for line, key in enumerate(here, start=1)}
