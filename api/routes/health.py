"""Probes: alive touches nothing, ready needs the database and something to search.

They run on the event loop and on threads of their own, so that they answer however busy the
service is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth import Kb
from api.limits.gate import Control
from api.meters import CONTENT_TYPE, StoredFigure
from api.stored_figures import read_stored_figures
from api.wiring import Application
from kb.errors import KbError, UnavailableError
from kb.retrieval.index import IndexState, read_state

log = logging.getLogger("kb.health")
PROBE_SECONDS = 2.0
"""What a probe waits for the database; orchestrators give up after one to ten seconds."""
SHOWN_SECONDS = 5.0
"""How long figures of what is stored are good for: scrapes come every 15 seconds or so."""
T = TypeVar("T")

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the process answers; touches nothing."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(request: Request, kb: Kb) -> dict[str, object]:
    """503 until the database answers and a sealed generation serves."""
    state = await _ask(request, lambda: _read_state(kb))
    if state.generation is None:
        raise UnavailableError("no generation of the index is active yet")
    return {"status": "ready", "generation": state.generation}


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def show_metrics(request: Request, kb: Kb) -> Response:
    """Figures in Prometheus's text format; for the operator's own network."""
    try:
        stored = await _ask(request, lambda: _read_figures(request, kb))
        up = 1.0
    except KbError as error:
        log.warning("metrics without what is stored: %s", error.message)
        stored, up = {}, 0.0
    answers = {"kb_database_up": StoredFigure("Whether it answered just now.", [((), up)])}
    kb.meters.show_stored(stored | answers)
    return Response(kb.meters.render(), media_type=CONTENT_TYPE)


async def _ask(request: Request, question: Callable[[], T]) -> T:
    """Ask something of the database on the probes' own threads.

    Raises:
        UnavailableError: It took too long, or the database is away.
    """
    control: Control = request.app.state.control
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(
            loop.run_in_executor(control.executor, question), PROBE_SECONDS
        )
    except TimeoutError:
        raise UnavailableError(f"database: no answer in {PROBE_SECONDS:.0f} s") from None


def _read_state(kb: Application) -> IndexState:
    with kb.database.read() as connection:
        return read_state(connection)


def _read_figures(request: Request, kb: Application) -> dict[str, StoredFigure]:
    """What is stored, at most a few seconds old; empty where what is shown still holds."""
    control: Control = request.app.state.control
    now = time.monotonic()
    if now - control.figures_read_at < SHOWN_SECONDS:
        _read_state(kb)
        return {}
    with kb.database.read() as connection:
        figures = read_stored_figures(connection, kb.clock.now())
    control.figures_read_at = now
    return figures
