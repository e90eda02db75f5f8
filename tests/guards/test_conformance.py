"""Every way to ask finds the same documents in the same order as `POST /v1/search`.

Fifty frozen questions, each with a key of its own audience, through one real server on the real
encoder, and through what opens the same data folder beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest
from mcp import Client

from api.compat import dify, vector_stores
from api.compat.connections import Connection, HttpConnection, LocalConnection
from api.compat.langchain import KbopsRetriever as LangChainRetriever
from api.compat.llama_index import KbopsRetriever as LlamaIndexRetriever
from api.wiring import Application
from kb.clock import FixedClock
from kb.evaluation import read_questions
from kb.types import Audience
from tests.api.factories import NOW, make_key, sync
from tests.api.serving import TRANSPORTS, Served, call, serve

CONTENT = Path(__file__).parents[2] / "content"
ASKED = {
    Audience.PUBLIC: 14, Audience.CUSTOMER: 12, Audience.PARTNER: 10, Audience.INTERNAL: 14,
}  # fmt: skip
"""Questions of each audience: as many as there are of the two that have few."""
TOP_K = 10
Rankings = list[list[str]]


@dataclass(frozen=True)
class Asking:
    """The server, what opens its data folder beside it, and whom to ask as."""

    served: Served
    beside: Application
    keys: dict[Audience, str]
    questions: dict[Audience, list[str]]
    wanted: dict[Audience, Rankings]
    """What `POST /v1/search` finds."""


Way = Callable[[Asking, str, Sequence[str]], Rankings]


def read_asked() -> dict[Audience, list[str]]:
    found: dict[Audience, list[str]] = {}
    for question in read_questions(CONTENT / "evaluation" / "questions.jsonl"):
        found.setdefault(question.audience, []).append(question.text)
    return {audience: found[audience][:count] for audience, count in ASKED.items()}


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("conformance") / "kb"
    shutil.copytree(CONTENT, folder, ignore=shutil.ignore_patterns(".kb"))
    application = Application.open(folder / "kb.toml", FixedClock(NOW))
    sync(application)
    application.rebuild_index(actor="t")
    beside = Application.open(folder / "kb.toml", FixedClock(NOW))
    keys = {audience: make_key(application, audience=audience) for audience in Audience}
    with serve(application) as url:
        served = Served(application, folder / "kb.toml", url)
        questions = read_asked()
        wanted = {
            audience: [ask_rest(served, keys[audience], text) for text in texts]
            for audience, texts in questions.items()
        }
        yield Asking(served, beside, keys, questions, wanted)
    beside.close()
    application.close()


def ask_rest(served: Served, key: str, question: str) -> list[str]:
    answer = served.post("/v1/search", key, json={"query": question, "top_k": TOP_K})
    assert answer.status_code == 200, answer.text
    return [hit["document_id"] for hit in answer.json()["hits"]]


def ask_dify(asking: Asking, key: str, questions: Sequence[str]) -> Rankings:
    found = []
    for question in questions:
        setting = {"top_k": TOP_K, "score_threshold": 0.0}
        body = {"knowledge_id": "default", "query": question, "retrieval_setting": setting}
        answer = asking.served.post("/compat/dify/retrieval", key, json=body)
        assert answer.status_code == 200, answer.text
        records = answer.json()["records"]
        found.append([record["metadata"]["document_id"] for record in records])
    return found


def ask_openai(asking: Asking, key: str, questions: Sequence[str]) -> Rankings:
    with openai.OpenAI(base_url=f"{asking.served.url}/v1", api_key=key, max_retries=0) as client:
        return [
            [found.file_id for found in client.vector_stores.search("default", query=question)]
            for question in questions
        ]


def over_mcp(transport: str, read: Callable[..., Any]) -> Way:
    def ask(asking: Asking, key: str, questions: Sequence[str]) -> Rankings:
        async def run() -> Rankings:
            async with TRANSPORTS[transport](asking.served, key, "auto") as client:
                return [await read(client, question) for question in questions]

        return anyio.run(run)

    return ask


async def read_search(client: Client, question: str) -> list[str]:
    return [result["id"] for result in (await call(client, "search", query=question))["results"]]


async def read_search_knowledge(client: Client, question: str) -> list[str]:
    said = await call(client, "search_knowledge", query=question)
    return [hit["document_id"] for hit in said["hits"]]


def over_http(asking: Asking, key: str) -> Connection:
    return HttpConnection(asking.served.url, key)


def in_process(asking: Asking, key: str) -> Connection:
    return LocalConnection(asking.beside, key)


def with_llama_index(connect: Callable[[Asking, str], Connection]) -> Way:
    def ask(asking: Asking, key: str, questions: Sequence[str]) -> Rankings:
        retriever = LlamaIndexRetriever(connection=connect(asking, key), top_k=TOP_K)
        return [
            [str(found.node.ref_doc_id) for found in retriever.retrieve(question)]
            for question in questions
        ]

    return ask


def with_langchain(connect: Callable[[Asking, str], Connection]) -> Way:
    def ask(asking: Asking, key: str, questions: Sequence[str]) -> Rankings:
        retriever = LangChainRetriever(connection=connect(asking, key), top_k=TOP_K)
        return [
            [found.metadata["document_id"] for found in retriever.invoke(question)]
            for question in questions
        ]

    return ask


WAYS: dict[str, Way] = {
    "dify": ask_dify,
    "openai": ask_openai,
    "mcp-http-search": over_mcp("http", read_search),
    "mcp-http-search_knowledge": over_mcp("http", read_search_knowledge),
    "mcp-stdio-search": over_mcp("stdio", read_search),
    "llama-index-http": with_llama_index(over_http),
    "llama-index-in-process": with_llama_index(in_process),
    "langchain-http": with_langchain(over_http),
    "langchain-in-process": with_langchain(in_process),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_the_same_documents_in_the_same_order(asking: Asking, way: str) -> None:
    def ask(audience: Audience) -> Rankings:
        return WAYS[way](asking, asking.keys[audience], asking.questions[audience])

    with ThreadPoolExecutor(len(ASKED)) as callers:
        answers = dict(zip(ASKED, callers.map(ask, ASKED), strict=True))
    for audience, found in answers.items():
        expected = zip(asking.questions[audience], found, asking.wanted[audience], strict=True)
        for question, ids, wanted in expected:
            assert ids == wanted, f"{way} as {audience.value}: {question}"


def test_the_questions_can_tell_rankings_and_audiences_apart(asking: Asking) -> None:
    rankings = [tuple(ids) for found in asking.wanted.values() for ids in found]
    assert len(rankings) == 50 and len(set(rankings)) >= 45
    assert all(len(ids) == TOP_K for ids in rankings)
    inside = asking.questions[Audience.INTERNAL]
    as_public = [ask_rest(asking.served, asking.keys[Audience.PUBLIC], text) for text in inside]
    assert sum(a != b for a, b in zip(as_public, asking.wanted[Audience.INTERNAL], strict=True)) > 7


@pytest.mark.parametrize(("way", "adapter"), [("dify", dify), ("openai", vector_stores)])
def test_the_guard_sees_an_adapter_that_reorders(
    asking: Asking, way: str, adapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = adapter.search_knowledge

    def swapped(*said: Any) -> dict[str, Any]:
        answer = real(*said)
        first, second, *others = answer["hits"]
        return {**answer, "hits": [second, first, *others]}

    monkeypatch.setattr(adapter, "search_knowledge", swapped)
    with pytest.raises(AssertionError, match=way):
        test_every_way_finds_the_same_documents_in_the_same_order(asking, way)
