"""The official `openai` client, pointed here."""

from __future__ import annotations

import math
from typing import Any

import anyio
import openai
import pytest

from kb.types import Audience
from tests.api.compat.factories import NONSENSE, QUESTION, agent_key, rest_answer, rest_ids
from tests.api.factories import bearer
from tests.api.serving import Served


def client_for(served: Served, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)


def find(served: Served, key: str, query: Any = QUESTION, **said: Any) -> list[str]:
    with client_for(served, key) as client:
        page = client.vector_stores.search(said.pop("store", "default"), query=query, **said)
        return [result.file_id for result in page.data]


@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.INTERNAL])
def test_the_client_finds_what_the_http_api_finds_in_its_order(
    served: Served, audience: Audience
) -> None:
    key = agent_key(served, audience)
    hits = rest_answer(served, key)["hits"]
    with client_for(served, key) as client:
        page = client.vector_stores.search("default", query=QUESTION)
        listed = list(page)
    assert page.object == "vector_store.search_results.page"  # type: ignore[attr-defined]
    assert [r.file_id for r in listed] == [h["document_id"] for h in hits] and len(hits) >= 4
    for result, hit in zip(listed, hits, strict=True):
        assert [(c.type, c.text) for c in result.content] == [("text", hit["text"])]
        assert result.filename == hit["title"] and result.attributes is not None
        assert result.attributes["freshness"] == hit["freshness"]["verdict"]
        assert result.attributes["audience"] == hit["audience"]
        assert str(result.attributes["search_id"]).startswith("se_")
        assert len(result.attributes) <= 16
        assert all(isinstance(v, str | float | int | bool) for v in result.attributes.values())
    scores = [result.score for result in listed]
    assert scores == sorted(scores, reverse=True) and 0.0 <= scores[-1] <= scores[0] <= 1.0


def test_the_asynchronous_client_finds_the_same(served: Served) -> None:
    key = agent_key(served)

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key) as client:
            return [r.file_id async for r in client.vector_stores.search("default", query=QUESTION)]

    assert anyio.run(ask) == rest_ids(served, key)


def test_the_page_is_openais(served: Served) -> None:
    body = {"query": QUESTION, "rewrite_query": True, "ranking_options": {"ranker": "auto"}}
    said = served.post("/v1/vector_stores/default/search", agent_key(served), json=body).json()
    assert list(said) == ["object", "search_query", "data", "has_more", "next_page"]
    assert (said["search_query"], said["has_more"], said["next_page"]) == ([QUESTION], False, None)
    assert set(said["data"][0]) == {"file_id", "filename", "score", "attributes", "content"}


def test_several_queries_give_each_document_once_best_first(served: Served) -> None:
    key = agent_key(served)
    queries = ["Which way to reset the router number 2?", "VPN client", NONSENSE, "VPN client"]
    with client_for(served, key) as client:
        page = client.vector_stores.search("default", query=queries)
        found = page.data
        best: dict[str, float] = {}
        for query in queries:
            for result in client.vector_stores.search("default", query=query).data:
                best[result.file_id] = max(best.get(result.file_id, 0.0), result.score)
    assert page.search_query == queries  # type: ignore[attr-defined]
    assert {result.file_id: result.score for result in found} == best
    assert [r.file_id for r in found] == sorted(best, key=lambda key: (-best[key], key))
    assert find(served, key, queries, max_num_results=2) == [r.file_id for r in found][:2]


@pytest.mark.parametrize(
    ("filters", "met"),
    [
        ({"type": "eq", "key": "document_id", "value": "vpn"}, {"vpn"}),
        ({"type": "eq", "key": "labels", "value": "network"}, {"vpn", "old"}),
        ({"type": "ne", "key": "labels", "value": "network"}, {"help-0", "help-1", "help-2"}),
        ({"type": "gt", "key": "age_days", "value": 300}, {"old"}),
        ({"type": "gte", "key": "age_days", "value": 20}, {"vpn", "old"}),
        ({"type": "lt", "key": "age_days", "value": 20}, {"help-0", "help-1", "help-2"}),
        ({"type": "lte", "key": "age_days", "value": 20}, {"vpn", "help-0", "help-1", "help-2"}),
        ({"type": "in", "key": "document_id", "value": ["vpn", "x"]}, {"vpn"}),
        ({"type": "nin", "key": "labels", "value": ["network"]}, {"help-0", "help-1", "help-2"}),
        ({"type": "gt", "key": "last_verified_at", "value": "2026-01-01"}, {"vpn"}),
        ({"type": "lt", "key": "last_verified_at", "value": 1_767_225_600}, {"old"}),
        ({"type": "eq", "key": "freshness", "value": "stale"}, {"old"}),
        ({"type": "eq", "key": "unheard", "value": "x"}, set()),
        ({"type": "eq", "key": "age_days", "value": True}, set()),
        ({"type": "and", "filters": [
            {"type": "eq", "key": "labels", "value": "network"},
            {"type": "or", "filters": [
                {"type": "eq", "key": "document_id", "value": "old"},
                {"type": "eq", "key": "source", "value": "rules"}]}]}, {"old"}),
        ({"type": "or", "filters": [
            {"type": "eq", "key": "document_id", "value": "old"},
            {"type": "eq", "key": "document_id", "value": "vpn"}]}, {"old", "vpn"}),
    ],
)  # fmt: skip
def test_every_filter(served: Served, filters: Any, met: set[str]) -> None:
    assert set(find(served, agent_key(served), filters=filters)) == met


def test_the_threshold_and_the_number_cut_the_end_off(served: Served) -> None:
    key = agent_key(served)
    with client_for(served, key) as client:
        every = client.vector_stores.search("default", query=QUESTION).data
        kept = client.vector_stores.search(
            "default", query=QUESTION, ranking_options={"score_threshold": every[1].score}
        ).data
    wanted = [r.file_id for r in every if r.score >= every[1].score]
    assert [r.file_id for r in kept] == wanted and len(wanted) < len(every)
    assert find(served, key, max_num_results=3) == [r.file_id for r in every[:3]]


def test_a_store_is_everything_or_a_source(served: Served) -> None:
    key = agent_key(served, Audience.INTERNAL)
    with client_for(served, key) as client:
        stores = list(client.vector_stores.list())
        shown = client.vector_stores.retrieve("rules")
    assert [store.id for store in stores] == ["default", "help", "rules"]
    assert shown.file_counts.completed == 2 and shown.status == "completed"
    assert set(find(served, key, store="rules")) == {"refunds", "routers"}
    with client_for(served, agent_key(served)) as client:
        assert [store.id for store in client.vector_stores.list()] == ["default", "help"]
        assert client.vector_stores.retrieve("default").file_counts.total == 5


def test_a_store_that_the_key_may_not_read_is_as_if_it_were_not_there(served: Served) -> None:
    said = []
    for store in ("rules", "rulez"):
        with (
            client_for(served, agent_key(served)) as client,
            pytest.raises(openai.NotFoundError) as raised,
        ):
            client.vector_stores.search(store, query=QUESTION)
        said.append(str(raised.value).replace(store, "STORE"))
        with client_for(served, agent_key(served)) as client, pytest.raises(openai.NotFoundError):
            client.vector_stores.retrieve(store)
    assert said[0] == said[1]


def test_the_client_raises_its_own_errors(served: Served) -> None:
    with client_for(served, "kb_a_b_c") as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            client.vector_stores.search("default", query="x")
        with pytest.raises(openai.AuthenticationError):
            client.vector_stores.list()
    assert refused.value.code == "unauthenticated" and refused.value.type == "authentication_error"
    with client_for(served, agent_key(served)) as client:
        for wrong in (
            {"query": ""}, {"query": []}, {"query": ["x"] * 11}, {"query": "x", "max_num_results": 51},
            {"query": "x", "max_num_results": 0}, {"query": "x", "extra_body": {"top_k": 3}},
            {"query": "x", "filters": {"type": "like", "key": "a", "value": "b"}},
            {"query": "x", "filters": {"type": "and", "filters": []}},
            {"query": "x", "filters": nest(6)}, {"query": "x", "filters": nest(400)},
            {"query": "x", "ranking_options": {"score_threshold": 2}},
        ):  # fmt: skip
            with pytest.raises(openai.BadRequestError) as malformed:
                client.vector_stores.search("default", **wrong)  # type: ignore[arg-type]
            assert malformed.value.type == "invalid_request_error", wrong
        assert find(served, agent_key(served), filters=nest(5)) == []


def nest(deep: int) -> Any:
    filters: Any = {"type": "eq", "key": "title", "value": "x"}
    for _ in range(deep):
        filters = {"type": "and", "filters": [filters]}
    return filters


def test_numbers_that_json_does_not_have_break_nothing(served: Served) -> None:
    key = agent_key(served)
    for number in (math.inf, -math.inf, math.nan, 10**400):
        text = '{"query": "router", "filters": {"type": "lt", "key": "version", "value": %s}}'
        spelt = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(
            number, "NaN" if number != number else "1" + "0" * 400
        )
        answer = served.post(
            "/v1/vector_stores/default/search", key, content=text % spelt,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status_code == (200 if isinstance(number, int) else 400), answer.text


def test_an_answer_is_never_kept_under_an_idempotency_key(served: Served) -> None:
    """What a key may read is decided anew each time."""
    key = agent_key(served)
    headers = {**bearer(key), "Idempotency-Key": "once"}
    path, body = "/v1/vector_stores/default/search", {"query": QUESTION}
    ids = [
        served.post(path, key, json=body, headers=headers).json()["data"][0]["attributes"][
            "search_id"
        ]
        for _ in range(2)
    ]
    assert ids[0] != ids[1]
