"""What the documentation says to paste, pasted: every block of docs/agents.md, on a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from api import demo
from api.mcp.configuration import http_configuration
from api.settings.reading import Settings
from api.wiring import Application
from kb.clock import FixedClock
from kb.types import Audience
from tests.api.factories import NOW, make_key, sync, write_installation
from tests.api.serving import Served, call, serve

DOCS = Path(__file__).parents[2] / "docs" / "agents.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
PLACEHOLDER = "PUT-THE-KEY-HERE"
COMMANDS_SHOWN = 1
"""Blocks without a language: commands of `kb`, which the tests of the command line run."""
Configuration = dict[str, Any]


def blocks_of(kind: str) -> list[str]:
    return [text for said, text in BLOCKS if said == kind]


def name_of(snippet: str) -> str:
    told = re.findall(
        r"(?:api\.compat\.\w+|\w+_url|mcp|openai|httpx|/\w+/\w+(?:/\w+)?|export)", snippet
    )
    return told[0] if told else "snippet"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = write_installation(tmp_path_factory.mktemp("kb"))
    application = Application.open(config, FixedClock(NOW))
    sync(application)
    with serve(application) as url:
        yield Served(application, config, url)
    application.close()


def run(served: Served, command: list[str]) -> str:
    """What a command printed, run as a user would who has set the three variables."""
    said = {
        "KB_KEY": make_key(served.application), "KB_URL": served.url,
        "KB_CONFIG": str(served.config), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=os.environ | said, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_block_of_the_documentation_is_run_by_some_test() -> None:
    kinds = {kind: len(blocks_of(kind)) for kind, _ in BLOCKS}
    assert kinds == {"": COMMANDS_SHOWN, "json": 2, "toml": 1, "bash": 4, "python": 6}
    (command,) = blocks_of("")
    assert command.startswith("kb keys create --role agent --audience public")


@pytest.mark.parametrize("snippet", blocks_of("python"), ids=name_of)
def test_python_snippets_run_and_find_something(served: Served, snippet: str) -> None:
    printed = run(served, [sys.executable, "-c", snippet])
    assert "help-" in printed or "Hold the button" in printed or "outcome_id" in printed, printed


@pytest.mark.parametrize("snippet", blocks_of("bash"), ids=name_of)
def test_shell_snippets_run_and_find_something(served: Served, snippet: str) -> None:
    if "export" in snippet:
        assert dict(re.findall(r"export (\w+)=(\S+)", snippet)).keys() == {"KB_URL", "KB_KEY"}
        return
    assert shutil.which("curl"), "the documentation's snippets need curl"
    answer = json.loads(run(served, ["bash", "-c", snippet]))
    found = answer.get("hits") or answer.get("passages") or answer.get("records")
    assert found and "error" not in answer


def test_mcp_configurations_connect_the_official_client(served: Served) -> None:
    key = make_key(served.application)
    http, stdio = (json.loads(text) for text in blocks_of("json"))
    assert http == http_configuration("http://127.0.0.1:8000", PLACEHOLDER)
    connect_http(http, key, served.url)
    said = stdio["mcpServers"]["kbops"]
    fill = {PLACEHOLDER: key, "/path/to/kb.toml": str(served.config)}
    assert said["command"] == "kb"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "api.cli.main", *(fill.get(text, text) for text in said["args"])],
        env=os.environ
        | {name: fill[text] for name, text in said["env"].items()}
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    async def ask() -> None:
        async with Client(parameters) as client:
            assert (await call(client, "search", query="reset the router"))["results"]

    anyio.run(ask)


def connect_http(configuration: Configuration, key: str, url: str) -> None:
    """Connect as a client does that reads an `mcpServers` file, and ask."""
    said = configuration["mcpServers"]["kbops"]
    assert said["type"] == "http"
    headers = {name: text.replace(PLACEHOLDER, key) for name, text in said["headers"].items()}
    address = said["url"].replace("http://127.0.0.1:8000", url)

    async def ask() -> None:
        async with (
            httpx2.AsyncClient(headers=headers) as plain,
            Client(streamable_http_client(address, http_client=plain)) as client,
        ):
            assert (await call(client, "search", query="reset the router"))["results"]

    anyio.run(ask)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_configuration_that_the_demo_prints_works(
    served: Served, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    key = make_key(served.application, audience=Audience.INTERNAL)
    demo.print_keys({"agent": key}, host, port)
    printed = capsys.readouterr().out
    configuration = json.loads(printed[printed.index("{\n") :])
    connect_http(configuration, key, served.url)
    assert configuration["mcpServers"]["kbops"]["url"] == f"http://127.0.0.1:{port}/mcp"


def test_the_settings_shown_are_settings() -> None:
    (toml,) = blocks_of("toml")
    assert Settings.model_validate(tomllib.loads(toml)).mcp.hosts == ("kb.example.org",)
