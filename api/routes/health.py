"""Probes: alive touches nothing, ready needs the database and something to search."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Kb
from kb.errors import UnavailableError
from kb.retrieval.index import read_state

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the process answers; touches nothing."""
    return {"status": "alive"}


@router.get("/readyz")
def ready(kb: Kb) -> dict[str, object]:
    """503 until the database answers and a sealed generation serves."""
    with kb.database.read() as connection:
        state = read_state(connection)
    if state.generation is None:
        raise UnavailableError("no generation of the index is active yet")
    return {"status": "ready", "generation": state.generation}
