"""Searches looked at again: any action can be reconstructed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api import searches
from api.auth import AnyCaller, Kb

router = APIRouter(prefix="/v1/searches", tags=["retrieval"])
SearchId = Annotated[str, Path(max_length=40, examples=["se_0123456789abcdef0123"])]


@router.get("/{search_id}")
def show_search(search_id: SearchId, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """What was served then: question, caller, generation, weights, versions, scores, verdicts.

    For the key that asked, and for owners of the internal audience.
    """
    return searches.show_search(kb, search_id, caller)


@router.post("/{search_id}/replay")
def replay_search(search_id: SearchId, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """Today's answer to the same question, and what is different: new, gone, moved, versions and
    verdicts that changed. Nothing is kept of it."""
    return searches.replay_search(kb, search_id, caller)
