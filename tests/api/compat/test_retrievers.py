"""LlamaIndex and LangChain, over HTTP and in this process, inside what people build of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from pydantic import Field

from api.compat.connections import Connection, HttpConnection, LocalConnection
from api.compat.langchain import KbopsRetriever as LangChainRetriever
from api.compat.llama_index import KbopsRetriever as LlamaIndexRetriever
from api.keys import revoke_key
from kb.errors import ForbiddenError, InvalidInputError, UnauthenticatedError, UnavailableError
from kb.types import Audience
from tests.api.compat.factories import NONSENSE, QUESTION, agent_key, rest_answer
from tests.api.factories import NOW, make_key
from tests.api.serving import Served

Connect = Callable[[Served, str], Connection]
CONNECTIONS: dict[str, Connect] = {
    "http": lambda served, key: HttpConnection(served.url, key),
    "in-process": lambda served, key: LocalConnection(served.application, key),
}
ways = pytest.mark.parametrize("way", CONNECTIONS)


class ScriptedModel(CustomLLM):
    """Answers the same to everything and keeps what it was asked."""

    prompts: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=8_000, num_output=100, model_name="scripted")

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text="Hold the button.")

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        yield self.complete(prompt)


@ways
@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.INTERNAL])
def test_llama_index_gets_the_hits_in_order_with_verdicts(
    served: Served, way: str, audience: Audience
) -> None:
    key = agent_key(served, audience)
    hits = rest_answer(served, key)["hits"]
    retriever = LlamaIndexRetriever(connection=CONNECTIONS[way](served, key))
    nodes = retriever.retrieve(QUESTION)
    assert [node.node.ref_doc_id for node in nodes] == [hit["document_id"] for hit in hits]
    assert [node.text for node in nodes] == [hit["text"] for hit in hits] and len(hits) >= 4
    for node, hit in zip(nodes, hits, strict=True):
        _check_verdicts(node.metadata, hit)
    scores = [node.score or 0.0 for node in nodes]
    assert scores == sorted(scores, reverse=True) and 0.0 <= scores[-1] < scores[0] <= 1.0
    later = asyncio.run(retriever.aretrieve(QUESTION))
    assert [(n.node_id, n.score) for n in later] == [(n.node_id, n.score) for n in nodes]


@ways
@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.INTERNAL])
def test_langchain_gets_the_hits_in_order_with_verdicts(
    served: Served, way: str, audience: Audience
) -> None:
    key = agent_key(served, audience)
    hits = rest_answer(served, key)["hits"]
    retriever = LangChainRetriever(connection=CONNECTIONS[way](served, key))
    found = retriever.invoke(QUESTION)
    assert [doc.page_content for doc in found] == [hit["text"] for hit in hits]
    for doc, hit in zip(found, hits, strict=True):
        _check_verdicts(doc.metadata, hit)
        assert doc.id == hit["chunk_id"]
    scores = [doc.metadata["score"] for doc in found]
    assert scores == sorted(scores, reverse=True)
    later = asyncio.run(retriever.ainvoke(QUESTION))
    assert [doc.id for doc in later] == [doc.id for doc in found]


def _check_verdicts(said: dict[str, Any], hit: dict[str, Any]) -> None:
    assert None not in said.values()
    for key in ("document_id", "version", "audience", "authority", "owner", "overrules", "source"):
        assert said[key] == hit[key]
    assert said["freshness"] == hit["freshness"]["verdict"]
    assert said["answerable"] is True and said["search_id"].startswith("se_")


@ways
def test_a_llama_index_query_engine_answers_from_them(served: Served, way: str) -> None:
    key = agent_key(served)
    model = ScriptedModel()
    retriever = LlamaIndexRetriever(connection=CONNECTIONS[way](served, key), top_k=3)
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=model, node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=0.01)]
    )
    answer = engine.query(QUESTION)
    assert str(answer) == "Hold the button."
    assert len(answer.source_nodes) == 3
    (prompt,) = model.prompts
    for node in answer.source_nodes:
        assert node.text in prompt and f"document_id: {node.node.ref_doc_id}" in prompt
    assert "freshness: " in prompt
    assert "search_id" not in prompt and "chunk_id" not in prompt
    assert str(asyncio.run(engine.aquery(QUESTION))) == "Hold the button."


@ways
def test_a_langchain_chain_answers_from_them(served: Served, way: str) -> None:
    retriever = LangChainRetriever(
        connection=CONNECTIONS[way](served, agent_key(served)), top_k=2
    )  # fmt: skip
    seen: list[str] = []

    def join(found: list[Any]) -> str:
        seen.extend(doc.metadata["document_id"] for doc in found)
        return "\n".join(doc.page_content for doc in found)

    prompt = ChatPromptTemplate.from_template("Answer {question} from:\n{passages}")
    model = GenericFakeChatModel(messages=iter([AIMessage("Hold it."), AIMessage("Hold it.")]))
    chain = (
        {"passages": retriever | join, "question": RunnablePassthrough()}
        | prompt
        | model
        | StrOutputParser()
    )
    assert chain.invoke(QUESTION) == "Hold it."
    assert asyncio.run(chain.ainvoke(QUESTION)) == "Hold it."
    assert len(seen) == 4


@ways
def test_nothing_is_given_to_answer_from_where_the_knowledge_base_does_not_answer(
    served: Served, way: str
) -> None:
    connection = CONNECTIONS[way](served, agent_key(served))
    for ask in (
        lambda only: LlamaIndexRetriever(connection=connection, only_answerable=only).retrieve,
        lambda only: LangChainRetriever(connection=connection, only_answerable=only).invoke,
    ):
        assert ask(False)(NONSENSE) and not ask(True)(NONSENSE)
        assert ask(True)(QUESTION)
    engine = RetrieverQueryEngine.from_args(
        LlamaIndexRetriever(connection=connection, only_answerable=True), llm=ScriptedModel()
    )
    assert str(engine.query(NONSENSE)) == "Empty Response"


@ways
def test_limits_are_passed_on(served: Served, way: str) -> None:
    connection = CONNECTIONS[way](served, agent_key(served))
    nodes = LlamaIndexRetriever(connection=connection, labels=["vpn"]).retrieve(QUESTION)
    assert [node.node.ref_doc_id for node in nodes] == ["vpn"]
    found = LangChainRetriever(connection=connection, labels=["network"], top_k=1).invoke(QUESTION)
    assert [doc.metadata["document_id"] for doc in found] in (["vpn"], ["old"])


@ways
def test_a_key_that_ended_is_refused_at_the_next_question(served: Served, way: str) -> None:
    key = make_key(served.application, expires_at=NOW + timedelta(days=1))
    retriever = LangChainRetriever(connection=CONNECTIONS[way](served, key))
    assert retriever.invoke(QUESTION)
    with served.application.database.write() as connection:
        revoke_key(connection, f"key_{key.split('_')[1]}", now=NOW, actor="t")
    with pytest.raises(UnauthenticatedError, match="not a valid key"):
        retriever.invoke(QUESTION)
    with pytest.raises(UnauthenticatedError):
        asyncio.run(retriever.ainvoke(QUESTION))


@ways
def test_a_malformed_question_is_told(served: Served, way: str) -> None:
    connection = CONNECTIONS[way](served, agent_key(served))
    with pytest.raises(InvalidInputError, match="top_k"):
        LlamaIndexRetriever(connection=connection, top_k=1_000).retrieve(QUESTION)
    with pytest.raises(InvalidInputError, match="query"):
        LangChainRetriever(connection=connection).invoke("")


def test_a_service_that_is_away_is_told(served: Served) -> None:
    connection = HttpConnection("http://127.0.0.1:1", agent_key(served))
    with pytest.raises(UnavailableError, match="cannot be reached"):
        LlamaIndexRetriever(connection=connection).retrieve(QUESTION)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        asyncio.run(connection.asearch({"query": "x"}))
    lost = HttpConnection(served.url + "/elsewhere", agent_key(served))
    with pytest.raises(UnavailableError, match="answered 404") as raised:
        lost.search({"query": "x"})
    assert raised.value.details["retryable"] is False


def test_the_key_is_opened_with_kb_toml_or_an_address(served: Served) -> None:
    key = agent_key(served)
    for retriever in (LlamaIndexRetriever, LangChainRetriever):
        for wrong in ({}, {"url": served.url, "config": served.config}):
            with pytest.raises(InvalidInputError, match="either"):
                retriever(key=key, **wrong)
        with pytest.raises(UnauthenticatedError):
            retriever(key="kb_a_b_c", config=served.config)
        with pytest.raises(InvalidInputError, match="not found"):
            retriever(key=key, config=served.config.parent / "absent.toml")
    nodes = LlamaIndexRetriever(key=key, config=served.config).retrieve(QUESTION)
    found = LangChainRetriever(key=key, config=served.config).invoke(QUESTION)
    ids = [node.node.ref_doc_id for node in nodes]
    assert ids == [doc.metadata["document_id"] for doc in found]
    assert set(ids) == {"help-0", "help-1", "help-2", "old", "vpn"}


def test_the_key_is_not_shown(served: Served) -> None:
    key = agent_key(served)
    retriever = LangChainRetriever(key=key, url=served.url)
    assert key not in repr(retriever) and key not in str(retriever.model_dump())
    assert key not in repr(LlamaIndexRetriever(key=key, url=served.url))


def test_forbidden_is_told_apart(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ForbiddenError("not this one")

    key = agent_key(served)
    monkeypatch.setattr(served.application.retriever, "search", refuse)
    for way in CONNECTIONS:
        with pytest.raises(ForbiddenError, match="not this one"):
            CONNECTIONS[way](served, key).search({"query": "x"})


@pytest.mark.parametrize(
    ("package", "module", "told"),
    [
        ("langchain_core", "api.compat.langchain", "pip install 'kbops[langchain]'"),
        ("llama_index.core", "api.compat.llama_index", "pip install llama-index-core"),
    ],
)
def test_a_missing_package_is_told_in_one_line(package: str, module: str, told: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None\nimport {module}"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    last = ran.stderr.strip().splitlines()[-1]
    assert ran.returncode == 1 and last.startswith("ImportError: ") and told in last
