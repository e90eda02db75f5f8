"""What Dify calls a knowledge and OpenAI a vector store: `default` is all, else a source's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.keys import Caller
from api.routes.search import search_and_log
from api.schemas import search_json
from api.wiring import Application
from kb import articles
from kb.conditions import check_size
from kb.errors import InvalidInputError, NotFoundError
from kb.types import SearchRequest

EVERYTHING = "default"
NAME_CHARACTERS = 200


def find_sources(kb: Application, caller: Caller, name: str) -> tuple[str, ...]:
    """The sources to search; none for all.

    Raises:
        NotFoundError: No such source, or none that holds a document this caller may read.
    """
    if name == EVERYTHING:
        return ()
    with kb.database.read() as connection:
        found = articles.read_documents(connection, caller.audience, source=name, limit=1)
    if not found:
        raise NotFoundError("knowledge", name)
    return (name,)


def search_knowledge(
    kb: Application, caller: Caller, name: str, request: SearchRequest
) -> dict[str, Any]:
    """The answer of `POST /v1/search`, of one source where one is named.

    Raises:
        NotFoundError: The knowledge is not there for this caller.
        InvalidInputError: The conditions are too many or too deep.
    """
    if request.where is not None:
        fault = check_size(request.where)
        if fault is not None:
            raise InvalidInputError(fault)
    request = replace(request, sources=find_sources(kb, caller, name))
    return search_json(search_and_log(kb, caller, request, None))
