"""The action table: what kbops does by itself, what a person approves, what nobody may."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.auth import Kb, OwnerCaller

router = APIRouter(prefix="/v1/actions", tags=["operations"])


@router.get("")
def list_actions(kb: Kb, caller: OwnerCaller) -> dict[str, Any]:
    """Every action's dial, and for each owner and kind of change what happens now and why."""
    return kb.autonomy.show(caller)
