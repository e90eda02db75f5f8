"""Topics, and what agents tell about gaps."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.auth import AgentCaller, Kb, OwnerCaller
from api.paging import Page, page_json
from api.schemas import GapSignalBody
from gaps.signals import Signal
from gaps.types import GapKind

router = APIRouter(prefix="/v1", tags=["gaps"])


@router.post("/gap-signals")
def tell_gap(body: GapSignalBody, kb: Kb, caller: AgentCaller) -> dict[str, str]:
    """Tell that an answer is missing, wrong or cannot be found; said twice it counts once."""
    signal = Signal(
        body.question, GapKind(body.reason), tuple(body.searched), tuple(body.found),
        body.ticket_id,
    )  # fmt: skip
    return {"signal_id": kb.topics.tell(signal, caller)}


@router.get("/topics")
def list_topics(kb: Kb, caller: OwnerCaller, page: Page) -> dict[str, Any]:
    """Topics and the areas they lie in."""
    found = kb.topics.list_topics()
    return page_json(found[page.offset : page.offset + page.limit + 1], page)


@router.get("/topics/{topic_id}")
def show_topic(topic_id: str, kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """A topic over all its weeks: tickets, splits and merges, corrections, publications."""
    return kb.topics.show_topic(topic_id)
