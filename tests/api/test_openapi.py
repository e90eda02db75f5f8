"""The OpenAPI document says of every route what it takes, gives and refuses, with true examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api.app import create_app
from api.openapi import OPEN, operations, read_examples
from api.wiring import Application
from kb.clock import FixedClock
from tests.api.factories import NOW, write_installation
from tests.api.openapi_calls import Calls, call_every_route, read_fields

DOCUMENT = "urn:openapi"
VOLATILE = (".response.report", ".why_not", ".details")
"""What differs from one answer to the next, or from one kind of entry to another."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    config = write_installation(tmp_path_factory.mktemp("kb"))
    application = Application.open(config, FixedClock(NOW))
    with TestClient(create_app(application)) as client:
        answer = client.get("/openapi.json")
        assert answer.status_code == 200
        yield answer.json()
    application.close()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    return call_every_route(tmp_path_factory.mktemp("calls"))


def check(document: dict[str, Any], schema: dict[str, Any], said: Any) -> None:
    """That what is said has the shape, references within the document resolved."""
    resource = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
    absolute = _absolute(schema)
    faults = [
        error.message
        for error in Draft202012Validator(absolute, registry=registry).iter_errors(said)
    ]
    assert not faults, faults


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"{DOCUMENT}{part}" if key == "$ref" else _absolute(part)
            for key, part in schema.items()
        }
    return [_absolute(part) for part in schema] if isinstance(schema, list) else schema


def test_every_route_has_a_summary_an_example_and_the_errors(document: dict[str, Any]) -> None:
    seen = 0
    for method, path, said in operations(document):
        name = f"{method} {path}"
        assert said.get("description"), f"{name} has no docstring"
        assert 8 < len(said["summary"]) < 120, name
        media = said["responses"]["200"]["content"]["application/json"]
        assert media.get("example"), f"{name} has no example; see tests/api/openapi_calls.py"
        check(document, media["schema"], media["example"])
        for body in said.get("requestBody", {}).get("content", {}).values():
            assert body.get("example"), f"{name} has no example of a request"
            check(document, body["schema"], body["example"])
        refusals = {
            status: answer for status, answer in said["responses"].items() if status != "200"
        }
        assert {"500", "503"} <= refusals.keys(), name
        for status, answer in refusals.items():
            shown = answer["content"]["application/json"]
            assert answer["description"] and "HTTPValidationError" not in str(shown), (name, status)
            check(document, shown["schema"], shown["example"])
        seen += 1
    assert seen >= 35


def test_every_route_but_the_probes_needs_a_key(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for _, path, said in operations(document):
        if path.startswith(OPEN):
            assert "security" not in said and "401" not in said["responses"]
        else:
            assert said["security"] == [{"key": []}]
            assert {"401", "403"} <= said["responses"].keys()


def test_each_product_gets_errors_of_its_own_shape(document: dict[str, Any]) -> None:
    for _, path, said in operations(document):
        shape = "Error"
        if path.startswith("/compat/dify"):
            shape = "DifyError"
        elif path.startswith("/v1/vector_stores"):
            shape = "OpenAiError"
        schema = said["responses"]["503"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{shape}"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    found = set(_references(document))
    assert found and found <= {f"#/components/schemas/{name}" for name in known}


def _references(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        if isinstance(said.get("$ref"), str):
            yield said["$ref"]
        for part in said.values():
            yield from _references(part)
    elif isinstance(said, list):
        for part in said:
            yield from _references(part)


def test_examples_are_what_the_routes_answer(calls: Calls) -> None:
    """Field by field; `python -m tests.api.openapi_calls` writes them anew."""
    examples = read_examples()
    assert examples.keys() == calls.made.keys()
    for route, made in calls.made.items():
        shown = {f for f in read_fields(examples[route]) if not _is_volatile(f)}
        found = {f for f in read_fields(made) if not _is_volatile(f)}
        assert shown == found, route


def _is_volatile(place: str) -> bool:
    return any(part in place for part in VOLATILE)


def test_answers_to_agents_have_the_shape_that_is_said(
    document: dict[str, Any], calls: Calls
) -> None:
    """Whole answers, not the examples cut to a first row."""
    for method, path, said in operations(document):
        schema = said["responses"]["200"]["content"]["application/json"]["schema"]
        check(document, schema, calls.made[f"{method} {path}"]["response"])
