"""The protocol, the only owner of the `mcp` library: tools announced, called, and answered.

An answer is one text item holding JSON and, equal to it, `structuredContent`. What goes wrong is a
tool error with our error as its JSON, so that the model can read it, and never a trace.
"""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as AnnouncedTool
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api.auth import get_caller
from api.mcp.door import SESSION, Door, Session
from api.mcp.tools import INSTRUCTIONS, TOOLS, Tool
from api.warming import warm_up
from api.wiring import Application
from kb.errors import ForbiddenError, KbError, UnavailableError

log = logging.getLogger("kb.mcp")
NAME = "kbops"
MAX_BODY_BYTES = 1024 * 1024
"""Fifty times the longest query."""
FindSession = Callable[[Any], Session]
"""Who asks, from the HTTP request; on stdio there is none."""
_BY_NAME = {tool.name: tool for tool in TOOLS}


class McpEndpoint:
    """`/mcp` as an ASGI app; each call stands for itself, so no session outlives its key."""

    def __init__(self) -> None:
        self._server = make_server(lambda request: request.scope[SESSION])
        self._manager: StreamableHTTPSessionManager | None = None
        self._door = Door(self._call)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve for as long as the app does."""
        self._manager = StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True, max_request_body_size=MAX_BODY_BYTES
        )
        try:
            async with self._manager.run():
                yield
        finally:
            self._manager = None

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._manager is None:
            raise UnavailableError("the service is starting or stopping")
        await self._manager.handle_request(scope, receive, send)


def run_stdio(application: Application, key: str) -> None:
    """Serve one client on standard input and output until it hangs up.

    The key is looked up at every call, as over HTTP.

    Raises:
        UnauthenticatedError: The key is not valid to begin with.
    """
    said = f"Bearer {key}"
    get_caller(application, said)
    server = make_server(lambda _: Session(application, get_caller(application, said)))

    warming = warm_up(application)

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    # Waiting for input cannot be interrupted: without this, Ctrl-C would wait for the client.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(serve)
    warming.join()


def make_server(find_session: FindSession) -> Server[Any]:
    """The tools, for whoever `find_session` says is asking."""

    async def list_tools(
        context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        try:
            session = await anyio.to_thread.run_sync(find_session, context.request)
        except KbError as error:
            raise MCPError(INVALID_REQUEST, error.message) from error
        allowed = [tool for tool in TOOLS if session.caller.role.includes(tool.least_role)]
        return ListToolsResult(tools=[_announce(tool) for tool in allowed])

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"no tool {params.name!r:.80}")

        def answer() -> CallToolResult:
            return _answer(tool, lambda: find_session(context.request), params)

        return await anyio.to_thread.run_sync(answer)

    return Server(
        NAME,
        title="kbops knowledge base",
        version="1",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _announce(tool: Tool) -> AnnouncedTool:
    return AnnouncedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.takes.model_json_schema(),
        output_schema=tool.gives.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.is_read_only,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )


def _answer(
    tool: Tool, find_session: Callable[[], Session], params: CallToolRequestParams
) -> CallToolResult:
    try:
        session = find_session()
        role = session.caller.role
        if not role.includes(tool.least_role):
            needed = tool.least_role.value
            raise ForbiddenError(f"{tool.name} needs role {needed}, this key has {role.value}")
        said = tool.takes.model_validate(params.arguments or {})
        given = tool.answer(session.application, session.caller, said)
    except ValidationError as error:
        return _refuse("malformed", _first_fault(error), {})
    except KbError as error:
        return _refuse(error.code, error.message, error.details)
    except Exception:
        log.exception("tool %s failed", tool.name)
        return _refuse("internal", "internal error", {})
    text = json.dumps(given, ensure_ascii=False)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def _refuse(code: str, message: str, details: dict[str, Any]) -> CallToolResult:
    said = {"error": {"code": code, "message": message, "details": details}}
    text = json.dumps(said, ensure_ascii=False, default=str)
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
