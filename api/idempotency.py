"""`Idempotency-Key`: a repeated mutating call gets the first answer, and does nothing twice.

Pure ASGI, so that the body can be read here and again by the route.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError as DuplicateRow
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.keys import read_caller
from api.wiring import Application
from kb.errors import UnauthenticatedError
from kb.tables import idempotency

MAX_KEY_CHARACTERS = 200
READS = ("/v1/search", "/v1/context")
"""POST only for their bodies: what they may show is decided anew each time."""


def is_read(path: str) -> bool:
    return path in READS or (path.startswith("/v1/vector_stores/") and path.endswith("/search"))


class IdempotencyMiddleware:
    """Keeps the JSON answer of every successful POST that names a key."""

    def __init__(self, app: ASGIApp, application: Application) -> None:
        self._app = app
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        key = request.headers.get("idempotency-key")
        if not key or not scope["path"].startswith("/v1/") or is_read(scope["path"]):
            return await self._app(scope, receive, send)
        if len(key) > MAX_KEY_CHARACTERS:
            return await _refuse(400, "invalid_input", "Idempotency-Key is too long")(
                scope, receive, send
            )
        body = await request.body()
        said = request.headers.get("authorization", "")
        caller = hashlib.sha256(said.encode()).hexdigest()[:40]
        asked = hashlib.sha256(f"{scope['path']}\n".encode() + body).hexdigest()
        stored = await run_in_threadpool(self._read, said, caller, key)
        if stored is not None:
            if stored["request_hash"] != asked:
                answer = _refuse(409, "conflict", "this Idempotency-Key was used for another call")
            else:
                answer = JSONResponse(stored["response"], status_code=stored["status"])
            return await answer(scope, receive, send)
        return await self._record(scope, send, body, caller, key, asked)

    async def _record(
        self, scope: Scope, send: Send, body: bytes, caller: str, key: str, asked: str
    ) -> None:
        status, parts, messages = 500, [], []

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
            messages.append(message)

        await self._app(scope, replay, keep)
        if 200 <= status < 300:
            await run_in_threadpool(
                self._write, caller, key, asked, status, json.loads(b"".join(parts) or b"null")
            )
        for message in messages:
            await send(message)

    def _read(self, said: str, caller: str, key: str) -> dict[str, Any] | None:
        """The stored answer; none to a key that is no longer valid, which the route refuses."""
        with self._application.database.read() as connection:
            try:
                read_caller(
                    connection, said.partition(" ")[2].strip(), self._application.clock.now()
                )
            except UnauthenticatedError:
                return None
            row = connection.execute(
                select(idempotency).where(
                    idempotency.c.key_id == caller, idempotency.c.idempotency_key == key
                )
            ).first()
        return dict(row._mapping) if row is not None else None

    def _write(self, caller: str, key: str, asked: str, status: int, response: object) -> None:
        try:
            with self._application.database.write() as connection:
                connection.execute(
                    insert(idempotency).values(
                        key_id=caller,
                        idempotency_key=key,
                        request_hash=asked,
                        status=status,
                        response=response,
                        at=self._application.clock.now(),
                    )
                )
        except DuplicateRow:
            return


def _refuse(status: int, code: str, message: str) -> JSONResponse:
    body = {"error": {"code": code, "message": message, "details": {}}}
    return JSONResponse(body, status_code=status)
