"""Dify's external knowledge API (docs.dify.ai, "External Knowledge API").

Dify tells a refused key from a wrong address by the status 403, and shows `error_msg` to its user.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from starlette.responses import Response

from api.auth import Kb, get_caller
from api.compat.answers import hit_metadata, score_hits
from api.compat.knowledge import NAME_CHARACTERS, search_knowledge
from api.compat.refusals import Refusable, first_fault, make_route_class, status_of
from api.keys import Caller
from api.schemas import QUERY_CHARACTERS
from kb.errors import KbError, NotFoundError, UnauthenticatedError
from kb.types import Condition, Conditions, SearchRequest

HEADER_FORMAT = 1001
AUTHORIZATION = 1002
NO_KNOWLEDGE = 2001
Operator = Literal[
    "contains", "not contains", "start with", "end with", "is", "is not", "in", "not in",
    "empty", "not empty", "=", "≠", ">", "<", "≥", "≤", "before", "after",
]  # fmt: skip
OPERATORS: dict[Operator, str] = {
    "contains": "contains",
    "not contains": "not_contains",
    "start with": "starts_with",
    "end with": "ends_with",
    "is": "eq",
    "is not": "ne",
    "in": "in",
    "not in": "not_in",
    "empty": "empty",
    "not empty": "not_empty",
    "=": "eq",
    "≠": "ne",
    ">": "gt",
    "<": "lt",
    "≥": "gte",
    "≤": "lte",
    "before": "before",
    "after": "after",
}
"""Dify's comparison operators, and ours."""
VALUELESS = {"empty", "not empty"}


class _Asked(BaseModel):
    """Dify adds fields from version to version: unknown ones are let be."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)


class RetrievalSetting(_Asked):
    top_k: int = Field(default=10, ge=1, le=50)
    score_threshold: float | None = Field(default=None, ge=0.0, le=1.0)


Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
Text = Annotated[str, Field(max_length=1_000)]
Single = Text | bool | int | FiniteFloat


class MetadataComparison(_Asked):
    name: Name | Annotated[list[Name], Field(min_length=1, max_length=20)]
    """A metadata field; of several, any of them."""
    comparison_operator: Operator
    value: Single | Annotated[list[Single], Field(max_length=100)] | None = None


class MetadataCondition(_Asked):
    logical_operator: Literal["and", "or"] | None = "and"
    conditions: list[MetadataComparison] | None = Field(default=None, max_length=100)


class RetrievalBody(_Asked):
    knowledge_id: Name
    """`default` for all that the key may read, or the name of a source."""
    query: str = Field(min_length=1, max_length=QUERY_CHARACTERS)
    retrieval_setting: RetrievalSetting | None = None
    metadata_condition: MetadataCondition | None = None


class HeaderFormatError(UnauthenticatedError):
    """There is no `Authorization: Bearer …` to look up."""


def refuse(error: Refusable) -> Response:
    """Dify's error shape; codes of ours are the HTTP status."""
    if isinstance(error, RequestValidationError):
        status, code, message = 422, 422, first_fault(error)
    elif not isinstance(error, KbError):
        status, code, message = error.status_code, error.status_code, str(error.detail)
    elif isinstance(error, HeaderFormatError):
        status, code, message = 401, HEADER_FORMAT, error.message
    elif isinstance(error, UnauthenticatedError):
        status, code, message = 403, AUTHORIZATION, "Authorization failed"
    elif isinstance(error, NotFoundError):
        status, code, message = 404, NO_KNOWLEDGE, "The knowledge does not exist"
    else:
        status, code, message = status_of(error), status_of(error), error.message
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error_code": code, "error_msg": message}, status, headers=headers)


def get_dify_caller(
    kb: Kb, authorization: Annotated[str | None, Header(include_in_schema=False)] = None
) -> Caller:
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise HeaderFormatError(
            "Invalid Authorization header format. Expected 'Bearer <api-key>' format."
        )
    return get_caller(kb, authorization)


DifyCaller = Annotated[Caller, Depends(get_dify_caller)]
router = APIRouter(prefix="/compat/dify", tags=["compat"], route_class=make_route_class(refuse))


@router.post("/retrieval")
def retrieve(body: RetrievalBody, kb: Kb, caller: DifyCaller) -> dict[str, Any]:
    """Records for Dify, in the order of `/v1/search`, with its verdicts as metadata."""
    setting = body.retrieval_setting or RetrievalSetting()
    request = SearchRequest(body.query, setting.top_k, where=_to_where(body.metadata_condition))
    answer = search_knowledge(kb, caller, body.knowledge_id, request)
    least = setting.score_threshold or 0.0
    return {
        "records": [
            {
                "content": hit["text"],
                "score": score,
                "title": hit["title"],
                "metadata": hit_metadata(answer, hit),
            }
            for hit, score in zip(answer["hits"], score_hits(answer), strict=True)
            if score >= least
        ]
    }


def _to_where(condition: MetadataCondition | None) -> Conditions | None:
    if condition is None or not condition.conditions:
        return None
    parts = tuple(_to_condition(comparison) for comparison in condition.conditions)
    return Conditions(condition.logical_operator or "and", parts)


def _to_condition(said: MetadataComparison) -> Condition | Conditions:
    names = said.name if isinstance(said.name, list) else [said.name]
    operator = OPERATORS[said.comparison_operator]
    value = tuple(said.value) if isinstance(said.value, list) else said.value
    if said.comparison_operator in VALUELESS:
        value = None
    if operator in ("eq", "ne") and isinstance(value, tuple):
        operator = {"eq": "in", "ne": "not_in"}[operator]
    found = tuple(Condition(name, operator, value) for name in names)
    if len(found) == 1:
        return found[0]
    denied = operator in ("ne", "not_in", "not_contains", "empty")
    return Conditions("and" if denied else "or", found)
