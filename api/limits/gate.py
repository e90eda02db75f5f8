"""What stands before everything: counts a key's calls, keeps places, refuses early.

Pure ASGI and outermost, so that a refusal costs neither the body nor a thread. Who the caller is
and what they may do is not decided here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits.known_keys import KnownKeys
from api.limits.line import LineRules, Lines
from api.limits.rates import Allowance, KeyRates
from api.limits.work import Work, classify, find_counted

if TYPE_CHECKING:
    from api.meters import Meters
    from api.settings.edge import LimitSettings
    from api.wiring import Application

MAX_BODY_BYTES = 64 * 1024 * 1024
SEARCH_BODY_BYTES = 1024 * 1024
"""Of what is read before a place is taken; fifty times the longest query."""
BODY_SECONDS = 10.0
"""To send it in: a place is not kept for a slow sender."""
OVERLOADED = "more is asked than can be answered at once; try again after Retry-After seconds"
REFUSAL_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
AnswerRefusal = Callable[[Request, int, str, str], Response]


def make_line_rules(settings: LimitSettings) -> dict[Work, LineRules]:
    """Places by class; all together are fewer than the 40 threads they share, so none starves.

    What one call takes to begin with is a guess that the first measured ones replace.
    """
    return {
        Work.SEARCH: LineRules(
            settings.searches_at_once or count_processors(),
            settings.searches_waiting,
            settings.longest_wait_seconds,
            0.02,
        ),
        Work.INTERACTIVE: LineRules(12, 128, settings.longest_wait_seconds, 0.005),
        Work.BULK: LineRules(2, 16, 30.0, 1.0, sheds_excess=False),
    }


def count_processors() -> int:
    """This machine's; 2 to 16."""
    return min(16, max(2, os.cpu_count() or 2))


class Control:
    """The lines and counts of one served app."""

    def __init__(self, application: Application) -> None:
        """Take the installation whose settings and keys hold."""
        limits = application.settings.limits
        self.lines = Lines(make_line_rules(limits))
        self.rates = KeyRates(limits.per_minute)
        self.executor = ThreadPoolExecutor(2, thread_name_prefix="kb-probe")
        """Of probes and of what the gate itself reads: nothing else may keep these waiting."""
        self.keys = KnownKeys(application, self.executor)
        self.figures_read_at = float("-inf")
        self.meters: Meters = application.meters
        self.meters.watch(self.lines)


class Gate:
    """The middleware."""

    def __init__(self, app: ASGIApp, control: Control, answer_refusal: AnswerRefusal) -> None:
        self._app = app
        self._control = control
        self._answer_refusal = answer_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        work, started = classify(scope["method"], scope["path"]), time.perf_counter()
        answer = _Answer(scope, send)
        try:
            if work is Work.PROBE:
                await self._app(scope, receive, answer.send)
            else:
                await self._admit(_Body(receive, _most_bytes(work)), answer, work)
        finally:
            seconds = time.perf_counter() - started
            self._control.meters.note_request(scope, answer.status, work, seconds)

    async def _admit(self, body: _Body, answer: _Answer, work: Work) -> None:
        scope, control = answer.scope, self._control
        allowance = await self._count(scope)
        if allowance is not None:
            answer.headers = allowance.headers()
            if not allowance.allowed:
                control.meters.note_limited(work)
                message = f"this key may make {allowance.limit} such calls a minute"
                await self._refuse(answer, 429, "rate_limited", message, allowance.reset_seconds)
                return
        if not control.lines.may_enter(work):
            await self._shed(answer, work)
            return
        if work is Work.SEARCH and scope["method"] == "POST":
            try:
                await asyncio.wait_for(body.read(), BODY_SECONDS)
            except TimeoutError:
                await self._refuse(answer, 408, "too_slow", "the body did not come in time")
                return
        if body.is_too_large:
            await self._refuse_body(answer, body)
            return
        if not await control.lines.enter(work):
            await self._shed(answer, work)
            return
        started = time.perf_counter()
        try:
            await self._run(body, answer)
        finally:
            # Refusals of the route's own, as for a wrong key, say nothing of the next search.
            counts = answer.status < 400
            control.lines.leave(work, time.perf_counter() - started if counts else None)

    async def _run(self, body: _Body, answer: _Answer) -> None:
        """Let the app answer; a body that turned out too long is answered here instead."""

        async def send(message: Message) -> None:
            if not body.is_too_large or answer.status:
                await answer.send(message)

        try:
            await self._app(answer.scope, body.receive, send)
        except Exception:
            if not body.is_too_large:
                raise
        if body.is_too_large and not answer.status:
            await self._refuse_body(answer, body)

    async def _refuse_body(self, answer: _Answer, body: _Body) -> None:
        await self._refuse(answer, 413, "too_large", f"a body may have {body.most_bytes} bytes")

    async def _count(self, scope: Scope) -> Allowance | None:
        counted = find_counted(scope["method"], scope["path"])
        said = Headers(scope=scope).get("authorization") if counted is not None else None
        if counted is None or not said:
            return None
        key = await self._control.keys.find(said)
        if key is None:
            return None
        return self._control.rates.count(key.key_id, counted, key.per_minute)

    async def _shed(self, answer: _Answer, work: Work) -> None:
        self._control.meters.note_shed(work)
        retry = self._control.lines.lines[work].retry_seconds
        await self._refuse(answer, 503, "overloaded", OVERLOADED, retry)

    async def _refuse(
        self,
        answer: _Answer,
        status: int,
        code: str,
        message: str,
        retry_seconds: int | None = None,
    ) -> None:
        response = self._answer_refusal(Request(answer.scope), status, code, message)
        response.headers.update(REFUSAL_HEADERS)
        if retry_seconds is not None:
            response.headers["Retry-After"] = str(retry_seconds)
        await response(answer.scope, _nothing, answer.send)


class _Answer:
    """Passes an answer on and remembers how it began."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self.headers.items():
                headers[name] = value
        await self._send(message)


def _most_bytes(work: Work) -> int:
    return SEARCH_BODY_BYTES if work is Work.SEARCH else MAX_BODY_BYTES


class _Body:
    """What is sent, up to a limit that holds whatever the headers say; then the sender is gone."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.is_too_large = False
        self._receive = receive
        self._taken = 0
        self._read: deque[Message] = deque()

    async def receive(self) -> Message:
        return self._read.popleft() if self._read else await self._take()

    async def read(self) -> None:
        """Take all of it in; `receive` then gives it, and goes on listening."""
        more = True
        while more:
            message = await self._take()
            more = message.get("more_body", False)
            self._read.append(message)

    async def _take(self) -> Message:
        if self.is_too_large:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self.is_too_large = self._taken > self.most_bytes
        return {"type": "http.disconnect"} if self.is_too_large else message


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def install(app: FastAPI, application: Application, answer_refusal: AnswerRefusal) -> None:
    """Put the gate before the app; added last, it is the outermost middleware of ours.

    Args:
        app: The app.
        application: What it serves.
        answer_refusal: Makes the answer from a request, a status, a code and a message.
    """
    app.state.control = Control(application)
    app.add_middleware(Gate, control=app.state.control, answer_refusal=answer_refusal)
