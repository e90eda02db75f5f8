"""A knowledge base behind a real socket, and the official MCP client on both transports."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from api.app import create_app
from api.wiring import Application
from tests.api.factories import NOW, bearer

STARTED_SECONDS = 30


@dataclass(frozen=True)
class Served:
    """A knowledge base behind a real socket."""

    application: Application
    config: Path
    url: str

    def post(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {**(bearer(key) if key else {}), **more.pop("headers", {})}
        return httpx.post(self.url + path, headers=headers, **more)


@contextmanager
def serve(application: Application) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(application), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + STARTED_SECONDS
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(STARTED_SECONDS)


@asynccontextmanager
async def over_http(served: Served, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers=bearer(key)) as http:
        transport = streamable_http_client(f"{served.url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@asynccontextmanager
async def over_stdio(served: Served, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with Client(stdio_parameters(served, key), mode=mode) as client:
        yield client


def stdio_parameters(served: Served, key: str) -> StdioServerParameters:
    arguments = ["-m", "api.cli.main", "mcp", "--key-env", "AGENT_KEY"]
    place = ["--config", str(served.config), "--now", NOW.isoformat()]
    environment = {**os.environ, "AGENT_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)}
    return StdioServerParameters(command=sys.executable, args=[*arguments, *place], env=environment)


TRANSPORTS = {"http": over_http, "stdio": over_stdio}
Driven = Callable[[Client], Awaitable[None]]


def drive(
    served: Served, key: str, do: Driven, transport: str = "http", mode: str = "auto"
) -> None:
    async def run() -> None:
        async with TRANSPORTS[transport](served, key, mode) as client:
            await do(client)

    anyio.run(run)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool gave; its one text item says the same as its structured content."""
    result = await client.call_tool(tool, arguments)
    assert len(result.content) == 1 and result.content[0].type == "text"
    said = json.loads(result.content[0].text)
    assert not result.is_error, said
    assert said == result.structured_content
    return dict(said)


async def fail(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The error a tool answered with."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error and len(result.content) == 1 and result.content[0].type == "text"
    said = json.loads(result.content[0].text)
    assert set(said) == {"error"} and set(said["error"]) == {"code", "message", "details"}
    assert "Traceback" not in result.content[0].text
    return dict(said["error"])
