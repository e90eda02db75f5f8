"""OpenAI's vector store search, so that the official client can be pointed here.

A vector store is `default`, all that the key may read, or a source by its name; a file is a
document. Nothing can be uploaded or changed through these routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field, FiniteFloat
from starlette.responses import Response

from api.auth import AnyCaller, Kb
from api.compat.answers import Answer, hit_attributes, score_hits
from api.compat.knowledge import EVERYTHING, NAME_CHARACTERS, find_sources, search_knowledge
from api.compat.refusals import Refusable, first_fault, make_route_class, status_of
from api.schemas import QUERY_CHARACTERS, Body
from kb import articles
from kb.errors import KbError
from kb.types import Condition, Conditions, SearchRequest

MOST_QUERIES = 10
OPERATORS = {"nin": "not_in"}
"""Where OpenAI's name is not ours."""
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
Value = Annotated[str, Field(max_length=1_000)] | bool | int | FiniteFloat


class ComparisonFilter(Body):
    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str = Field(min_length=1, max_length=64)
    value: Value | Annotated[list[Value], Field(max_length=100)]


class CompoundFilter(Body):
    type: Literal["and", "or"]
    filters: list[Filter] = Field(min_length=1, max_length=100)


Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]
CompoundFilter.model_rebuild()


class RankingOptions(Body):
    ranker: str | None = Field(default=None, max_length=80)
    """Taken and not used: there is one ranking."""
    score_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    """Against `score`: the confidence that the question is answered, shared out by rank."""


Query = Annotated[str, Field(min_length=1, max_length=QUERY_CHARACTERS)]


class VectorStoreSearchBody(Body):
    query: Query | Annotated[list[Query], Field(min_length=1, max_length=MOST_QUERIES)]
    """Of several, each is searched; a document counts with the one it fits best."""
    max_num_results: int = Field(default=10, ge=1, le=50)
    filters: Filter | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool = False
    """Taken; queries are searched as they are."""


def refuse(error: Refusable) -> Response:
    """OpenAI's error shape; what is malformed is 400 there, which its client tells apart."""
    param = None
    if isinstance(error, RequestValidationError):
        status, code, message = 400, "malformed", first_fault(error)
        param = message.partition(":")[0]
    elif isinstance(error, KbError):
        status, code, message = status_of(error), error.code, error.message
    else:
        status, code, message = error.status_code, "http", str(error.detail)
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    said = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": said}, status, headers=headers)


router = APIRouter(
    prefix="/v1/vector_stores", tags=["compat"], route_class=make_route_class(refuse)
)
StoreId = Annotated[str, Path(min_length=1, max_length=NAME_CHARACTERS)]


@router.post("/{vector_store_id}/search")
def search(
    vector_store_id: StoreId, body: VectorStoreSearchBody, kb: Kb, caller: AnyCaller
) -> dict[str, Any]:
    """A page of results for OpenAI's client, in the order of `/v1/search`."""
    queries = body.query if isinstance(body.query, list) else [body.query]
    where = _to_where(body.filters) if body.filters is not None else None
    answers = [
        search_knowledge(
            kb, caller, vector_store_id, SearchRequest(query, body.max_num_results, where=where)
        )
        for query in dict.fromkeys(queries)
    ]
    options = body.ranking_options or RankingOptions()
    least = options.score_threshold or 0.0
    found = [result for result in _merge(answers) if result["score"] >= least]
    return {
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": found[: body.max_num_results],
        "has_more": False,
        "next_page": None,
    }


@router.get("")
def list_stores(kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """`default` and every source that holds a document the key may read."""
    with kb.database.read() as connection:
        held = articles.count_documents(connection, caller.audience)
    names = [EVERYTHING, *sorted(held.keys() - {EVERYTHING})]
    stores = [_store_json(name, held) for name in names]
    return {
        "object": "list",
        "data": stores,
        "first_id": names[0],
        "last_id": names[-1],
        "has_more": False,
    }


@router.get("/{vector_store_id}")
def show_store(vector_store_id: StoreId, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """One vector store, with how many documents of it the key may read."""
    find_sources(kb, caller, vector_store_id)
    with kb.database.read() as connection:
        held = articles.count_documents(connection, caller.audience)
    return _store_json(vector_store_id, held)


def _merge(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results of one query as they stand; of several, each document once, best score first."""
    found: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for hit, score in zip(answer["hits"], score_hits(answer), strict=True):
            known = found.get(hit["document_id"])
            if known is None or known["score"] < score:
                found[hit["document_id"]] = _result_json(answer, hit, score)
    if len(answers) == 1:
        return list(found.values())
    return sorted(found.values(), key=lambda result: (-result["score"], result["file_id"]))


def _result_json(answer: Answer, hit: dict[str, Any], score: float) -> dict[str, Any]:
    return {
        "file_id": hit["document_id"],
        "filename": hit["title"],
        "score": score,
        "attributes": hit_attributes(answer, hit),
        "content": [{"type": "text", "text": hit["text"]}],
    }


def _to_where(said: ComparisonFilter | CompoundFilter) -> Condition | Conditions:
    if isinstance(said, CompoundFilter):
        return Conditions(said.type, tuple(_to_where(part) for part in said.filters))
    value = tuple(said.value) if isinstance(said.value, list) else said.value
    return Condition(said.key, OPERATORS.get(said.type, said.type), value)


def _store_json(name: str, held: Mapping[str, int]) -> dict[str, Any]:
    count = sum(held.values()) if name == EVERYTHING else held.get(name, 0)
    return {
        "id": name,
        "object": "vector_store",
        "created_at": 0,
        "name": name,
        "usage_bytes": 0,
        "file_counts": {
            "in_progress": 0, "completed": count, "failed": 0, "cancelled": 0, "total": count,
        },
        "status": "completed",
        "last_active_at": None,
        "metadata": {},
    }  # fmt: skip
