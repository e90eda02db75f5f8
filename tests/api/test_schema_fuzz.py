"""Calls made up from the OpenAPI document, right and wrong ones: nothing answers 5xx.

A few of each here, always the same; bench/fuzz.py makes twenty thousand against a real server.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi.testclient import TestClient
from schemathesis import GenerationMode

from api.app import create_app
from api.wiring import Application
from kb.clock import FixedClock
from kb.types import Audience, Role
from tests.api.factories import NOW, bearer, make_draft, make_key, sync, write_installation

EACH = 3
LEAST_CASES = 150
LINES = "application/x-ndjson"


@schemathesis.serializer(LINES)
def serialize_lines(_context: Any, value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    application = Application.open(write_installation(folder / "kb"), FixedClock(NOW))
    sync(application)
    make_draft(application)
    application.rebuild_index(actor="t")
    yield application
    application.close()


@pytest.fixture(scope="module")
def client(application: Application) -> Iterator[TestClient]:
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


class Faults(list[str]):
    asked = 0


def ask(client: TestClient, headers: dict[str, str], said: dict[str, Any], faults: Faults) -> None:
    body = {"content": said["data"]} if "data" in said else {}
    sent = dict(said.get("headers") or {}) | headers
    if "json" in said:
        body = {"content": json.dumps(said["json"]).encode("utf-8", "surrogatepass")}
        sent["Content-Type"] = "application/json"
    encoded = {name: str(value).encode("latin-1", "replace") for name, value in sent.items()}
    path = said["url"].removeprefix("http://x")
    answer = client.request(
        said["method"], path, params=said.get("params"), headers=encoded, **body
    )
    faults.asked += 1
    if answer.status_code >= 500:
        faults.append(f"{said['method']} {path} {said.get('params')} {body}: {answer.text[:200]}")


def fuzz(operation: Any, mode: GenerationMode, once: Any) -> None:
    @hypothesis.settings(
        max_examples=EACH, database=None, deadline=None, derandomize=True,
        phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        once(case.as_transport_kwargs(base_url="http://x"))

    try:
        run()
    except hypothesis.errors.Unsatisfiable:
        # A call without parameters, or with one that may be any text, cannot be wrong.
        assert mode is GenerationMode.NEGATIVE or operation.method.upper() == "GET"


def test_no_made_up_call_is_a_fault_of_ours(client: TestClient, application: Application) -> None:
    callers = itertools.cycle(
        [
            bearer(make_key(application, Role.ADMIN, Audience.INTERNAL)),
            bearer(make_key(application, Role.AGENT, Audience.PUBLIC)),
            bearer(make_key(application, Role.OWNER, Audience.INTERNAL)),
        ]
    )
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    faults = Faults()
    for found in schema.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            fuzz(found.ok(), mode, lambda said: ask(client, next(callers), said, faults))
    assert faults == []
    assert faults.asked >= LEAST_CASES


def test_the_net_catches_a_fault(
    client: TestClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(type(application.retriever), "search", fail)
    headers = bearer(make_key(application))
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operation = schema["/v1/search"]["POST"]
    faults = Faults()
    fuzz(operation, GenerationMode.POSITIVE, lambda said: ask(client, headers, said, faults))
    assert len(faults) == faults.asked > 0
