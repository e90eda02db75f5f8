"""The OpenAPI document: the routes', with what FastAPI cannot know added.

Keys, examples, the errors' one shape (Dify's and OpenAI's on their own routes), and the shapes of
what agents get. Examples stand in openapi_examples.json by method and path; the tests send the
requests and compare the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.mcp.shapes import (
    ContextAnswer,
    HandoffAnswer,
    KnowledgeAnswer,
    OutcomeAnswer,
    SignalAnswer,
)

EXAMPLES = Path(__file__).parent / "openapi_examples.json"
DESCRIPTION = """\
Operates a support knowledge base: retrieval with verdicts, gaps from tickets, cited drafts, owners'
review, measured effect.

Every route but the probes needs a key, `Authorization: Bearer kb_…`; what it may read and do is
the key's. Lists are paged by `limit` and `offset`. A POST under `/v1/` with an `Idempotency-Key` is
done once. Errors are `{"error": {"code", "message", "details"}}`. The Model Context Protocol is
served at `/mcp` and describes itself."""
OPEN = ("/healthz", "/readyz", "/metrics")
"""What needs no key."""
SHAPES: dict[str, type[BaseModel]] = {
    "POST /v1/search": KnowledgeAnswer,
    "POST /v1/context": ContextAnswer,
    "POST /v1/outcomes": OutcomeAnswer,
    "POST /v1/gap-signals": SignalAnswer,
    "POST /v1/escalations": HandoffAnswer,
}
"""What agents build on; other answers are described by their example."""
PAGE = {
    "type": "object",
    "required": ["items", "next_offset"],
    "properties": {
        "items": {"type": "array", "items": {"type": "object"}},
        "next_offset": {"type": ["integer", "null"]},
    },
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}
OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
DIFY_ERROR = {
    "type": "object",
    "required": ["error_code", "error_msg"],
    "properties": {"error_code": {"type": "integer"}, "error_msg": {"type": "string"}},
}
REFUSALS = {
    400: ("invalid_input", "What was said cannot be taken."),
    401: ("unauthenticated", "No key, or not a valid one."),
    403: ("forbidden", "The key's role or audience does not allow it."),
    404: ("not_found", "Not there, or not for this key."),
    409: ("conflict", "The stored state does not allow it."),
    412: ("stale", "What was decided on has changed since it was read."),
    413: ("too_large", "The body is too large."),
    422: ("malformed", "The body or a parameter is malformed."),
    428: ("precondition_required", "If-Match is missing."),
    429: ("too_many_requests", "This key asks too often; see Retry-After."),
    500: ("internal", "A fault of the service."),
    503: ("unavailable", "A part that is needed to answer is away, or the service is full."),
}
EVERYWHERE = (400, 413, 422, 429, 500, 503)
WITH_KEY = (401, 403)
OPENAI_PATHS = "/v1/vector_stores"
DIFY_PATHS = "/compat/dify"
DIFY_CODES = {401: 1001, 403: 1002, 404: 2001}
OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once for an app."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        _complete(document)
        app.openapi_schema = document
    return app.openapi_schema


@lru_cache(maxsize=1)
def read_examples() -> dict[str, dict[str, Any]]:
    """`request` and `response` by method and path."""
    said: dict[str, dict[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return said


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and what is said of it."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            yield method.upper(), path, said


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key, as `kb_…`."}
    }
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _, answers = models_json_schema(
        [(model, "serialization") for model in SHAPES.values()],
        ref_template="#/components/schemas/{model}",
    )
    schemas |= answers["$defs"]
    schemas |= {"Error": ERROR, "OpenAiError": OPENAI_ERROR, "DifyError": DIFY_ERROR, "Page": PAGE}
    for method, path, said in operations(document):
        _complete_operation(method, path, said)


def _complete_operation(method: str, path: str, said: dict[str, Any]) -> None:
    example = read_examples().get(f"{method} {path}", {})
    if said.get("description"):
        said["summary"] = _first_sentence(said["description"])
    for media in said.get("requestBody", {}).get("content", {}).values():
        if "request" in example and "example" not in media:
            media["example"] = example["request"]
    given = said["responses"].get("200", {}) | {"description": "As described."}
    said["responses"] = {"200": given}
    media = given.setdefault("content", {}).setdefault("application/json", {})
    if "response" in example and "example" not in media:
        media["example"] = example["response"]
    media["schema"] = _answer_schema(f"{method} {path}", media)
    needs_key = not path.startswith(OPEN)
    if needs_key:
        said["security"] = [{"key": []}]
    for status in _refusals(method, path, needs_key):
        said["responses"][str(status)] = _refusal(path, status)


def _answer_schema(operation: str, media: dict[str, Any]) -> dict[str, Any]:
    shape = SHAPES.get(operation)
    if shape is not None:
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    if "next_offset" in media.get("example", {}):
        return {"$ref": "#/components/schemas/Page"}
    return {"type": "object"}


def _refusals(method: str, path: str, needs_key: bool) -> list[int]:
    """What may be answered instead; 404 and 409 wherever something is named or changed."""
    found = {*EVERYWHERE, *(WITH_KEY if needs_key else ())}
    if "{" in path or method != "GET":
        found |= {404, 409}
    if path.endswith("/review"):
        found |= {412, 428}
    if path.startswith(OPENAI_PATHS):
        found -= {409, 422}
    return sorted(found)


def _refusal(path: str, status: int) -> dict[str, Any]:
    code, why = REFUSALS[status]
    example: dict[str, Any]
    if path.startswith(OPENAI_PATHS):
        kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        said = {"message": why, "type": kind, "param": None, "code": code}
        name, example = "OpenAiError", {"error": said}
    elif path.startswith(DIFY_PATHS):
        name = "DifyError"
        example = {"error_code": DIFY_CODES.get(status, status), "error_msg": why}
    else:
        name, example = "Error", {"error": {"code": code, "message": why, "details": {}}}
    media = {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}
    return {"description": why, "content": {"application/json": media}}


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    end = min((at for at in (paragraph.find("; "), paragraph.find(". ")) if at > 0), default=-1)
    return (paragraph if end < 0 else paragraph[:end]).rstrip(".")
