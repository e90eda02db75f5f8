"""Dify's external knowledge API, as its documentation states it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kb.types import Audience
from tests.api.compat.factories import NONSENSE, QUESTION, agent_key, rest_answer, rest_ids
from tests.api.serving import Served

PATH = "/compat/dify/retrieval"


def ask(
    served: Served, key: str | None, *, query: str = QUESTION, status: int = 200, **said: Any
) -> dict[str, Any]:
    setting = {"top_k": said.pop("top_k", 10), "score_threshold": said.pop("least", 0.0)}
    body = {"knowledge_id": "default", "query": query, "retrieval_setting": setting, **said}
    answer = served.post(PATH, key, json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def ask_where(
    served: Served, key: str, *conditions: dict[str, Any], logic: Any = "and"
) -> set[str]:
    where = {"logical_operator": logic, "conditions": list(conditions)}
    records = ask(served, key, metadata_condition=where)["records"]
    return {record["metadata"]["document_id"] for record in records}


@pytest.mark.parametrize("audience", [Audience.PUBLIC, Audience.INTERNAL])
def test_records_are_the_hits_of_the_http_api_in_their_order(
    served: Served, audience: Audience
) -> None:
    key = agent_key(served, audience)
    hits = rest_answer(served, key)["hits"]
    records = ask(served, key)["records"]
    assert len(hits) >= 4
    assert [r["content"] for r in records] == [h["text"] for h in hits]
    assert [r["metadata"]["document_id"] for r in records] == [h["document_id"] for h in hits]
    for record, hit in zip(records, hits, strict=True):
        assert set(record) == {"content", "score", "title", "metadata"}
        assert record["title"] == hit["title"] and 0.0 <= record["score"] <= 1.0
        said = record["metadata"]
        assert said["freshness"] == hit["freshness"]["verdict"]
        assert (said["audience"], said["authority"]) == (hit["audience"], hit["authority"])
        assert said["search_id"].startswith("se_") and None not in said.values()
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]


def test_top_k_and_the_threshold_cut_the_end_off(served: Served) -> None:
    key = agent_key(served)
    every = ask(served, key)["records"]
    assert ask(served, key, top_k=2)["records"][1]["title"] == every[1]["title"]
    assert len(ask(served, key, top_k=2)["records"]) == 2
    kept = ask(served, key, least=every[1]["score"])["records"]
    wanted = [r["title"] for r in every if r["score"] >= every[1]["score"]]
    assert [r["title"] for r in kept] == wanted and len(wanted) < len(every)


def test_a_question_without_an_answer_scores_low(served: Served) -> None:
    """A threshold means the same for every question."""
    key = agent_key(served)
    answered = ask(served, key)["records"]
    unanswered = ask(served, key, query=NONSENSE)["records"]
    assert answered[0]["score"] > 0.5
    assert all(record["score"] < 0.5 for record in unanswered)
    assert all(record["metadata"]["answerable"] is False for record in unanswered)


def test_what_is_found_can_be_told_right_or_wrong(served: Served) -> None:
    key = agent_key(served)
    search_id = ask(served, key)["records"][0]["metadata"]["search_id"]
    said = {"search_id": search_id, "outcome": "wrong"}
    assert served.post("/v1/outcomes", key, json=said).json()["outcome_id"]


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"name": "labels", "comparison_operator": "contains", "value": "vp"}, {"vpn"}),
        ({"name": "labels", "comparison_operator": "not contains", "value": "network"},
         {"help-0", "help-1", "help-2"}),
        ({"name": "title", "comparison_operator": "start with", "value": "old"}, {"old"}),
        ({"name": "title", "comparison_operator": "end with", "value": "client"}, {"vpn"}),
        ({"name": "document_id", "comparison_operator": "is", "value": "old"}, {"old"}),
        ({"name": "document_id", "comparison_operator": "is", "value": ["old", "vpn"]},
         {"old", "vpn"}),
        ({"name": "labels", "comparison_operator": "is not", "value": "network"},
         {"help-0", "help-1", "help-2"}),
        ({"name": "document_id", "comparison_operator": "in", "value": ["vpn"]}, {"vpn"}),
        ({"name": "document_id", "comparison_operator": "not in",
          "value": ["vpn", "old", "help-0"]}, {"help-1", "help-2"}),
        ({"name": "url", "comparison_operator": "empty"}, {"old", "help-0", "help-1", "help-2"}),
        ({"name": "url", "comparison_operator": "not empty"}, {"vpn"}),
        ({"name": "url", "comparison_operator": "not empty", "value": None}, {"vpn"}),
        ({"name": "version", "comparison_operator": "=", "value": 2}, set()),
        ({"name": "version", "comparison_operator": "≠", "value": "1"}, set()),
        ({"name": "age_days", "comparison_operator": ">", "value": 300}, {"old"}),
        ({"name": "age_days", "comparison_operator": "≥", "value": 20}, {"vpn", "old"}),
        ({"name": "age_days", "comparison_operator": "<", "value": 20},
         {"help-0", "help-1", "help-2"}),
        ({"name": "age_days", "comparison_operator": "≤", "value": "20"},
         {"vpn", "help-0", "help-1", "help-2"}),
        ({"name": "last_verified_at", "comparison_operator": "before", "value": "2026-01-01"},
         {"old"}),
        ({"name": "last_verified_at", "comparison_operator": "after", "value": "2026-01-01"},
         {"vpn"}),
        ({"name": "freshness", "comparison_operator": "is", "value": "fresh"}, {"vpn"}),
        ({"name": ["category", "labels"], "comparison_operator": "contains", "value": "vpn"},
         {"vpn"}),
        ({"name": ["labels", "title"], "comparison_operator": "not contains", "value": "router"},
         {"vpn"}),
        ({"name": "category", "comparison_operator": "is", "value": "AI"}, set()),
    ],
)  # fmt: skip
def test_every_operator_of_a_metadata_condition(
    served: Served, condition: dict[str, Any], met: set[str]
) -> None:
    assert ask_where(served, agent_key(served), condition) == met


def test_conditions_are_joined_by_and_or_or(served: Served) -> None:
    key = agent_key(served)
    vpn = {"name": "labels", "comparison_operator": "is", "value": "vpn"}
    old = {"name": "document_id", "comparison_operator": "is", "value": "old"}
    assert ask_where(served, key, vpn, old, logic="and") == set()
    assert ask_where(served, key, vpn, old, logic="or") == {"vpn", "old"}
    assert ask_where(served, key, vpn, old, logic=None) == set()
    every = set(rest_ids(served, key))
    assert ask_where(served, key) == every
    for nothing in (None, {"conditions": None}, {}):
        records = ask(served, key, metadata_condition=nothing)["records"]
        assert {record["metadata"]["document_id"] for record in records} == every


def test_a_condition_is_met_beyond_the_first_hits(served: Served) -> None:
    key = agent_key(served)
    last = rest_ids(served, key)[-1]
    condition = {"name": "document_id", "comparison_operator": "is", "value": last}
    where = {"conditions": [condition]}
    (record,) = ask(served, key, top_k=1, metadata_condition=where)["records"]
    assert record["metadata"]["document_id"] == last


def test_a_knowledge_is_everything_or_a_source(served: Served) -> None:
    key = agent_key(served, Audience.INTERNAL)
    for name, sources in (("default", {"help", "rules"}), ("help", {"help"}), ("rules", {"rules"})):
        records = ask(served, key, knowledge_id=name)["records"]
        assert {record["metadata"]["source"] for record in records} == sources


def test_a_knowledge_that_the_key_may_not_read_is_as_if_it_were_not_there(served: Served) -> None:
    hidden = ask(served, agent_key(served), knowledge_id="rules", status=404)
    absent = ask(served, agent_key(served), knowledge_id="unheard", status=404)
    assert hidden == absent == {"error_code": 2001, "error_msg": "The knowledge does not exist"}


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, 1001), ("", 401, 1001), ("Bearer", 401, 1001),
        ("Basic abc", 401, 1001), ("Bearer kb_a_b_c", 403, 1002), ("Bearer x y", 403, 1002),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_difys_codes(
    served: Served, authorization: str | None, status: int, code: int
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.post(served.url + PATH, headers=headers, json={})
    assert answer.status_code == status
    assert answer.json()["error_code"] == code and answer.json()["error_msg"]
    assert set(answer.json()) == {"error_code", "error_msg"}


def test_difys_check_of_the_connection_passes_with_a_right_key_only(served: Served) -> None:
    """Dify posts without a body and takes anything but 403, 404 and 502 for a working endpoint."""
    answer = served.post(PATH, agent_key(served))
    assert answer.status_code not in (403, 404, 500, 502)
    assert served.post(PATH, "kb_a_b_c").status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": ""}, {"query": 7}, {"query": "x" * 20_001}, {"knowledge_id": None},
        {"retrieval_setting": {"top_k": 0}}, {"retrieval_setting": {"top_k": 10**9}},
        {"retrieval_setting": {"top_k": 3, "score_threshold": 7}}, {"retrieval_setting": []},
        {"metadata_condition": {"logical_operator": "xor", "conditions": []}},
        {"metadata_condition": {"conditions": [{"name": "a", "comparison_operator": "like"}]}},
        {"metadata_condition": {"conditions": [{"name": [], "comparison_operator": "empty"}]}},
        {"metadata_condition": {"conditions": [
            {"name": ["a"] * 20, "comparison_operator": "empty"}] * 6}},
    ],
)  # fmt: skip
def test_a_malformed_call_is_told_in_difys_shape(served: Served, wrong: dict[str, Any]) -> None:
    body = {"knowledge_id": "default", "query": "x", "retrieval_setting": {"top_k": 3}, **wrong}
    answer = served.post(PATH, agent_key(served), json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error_code"] == answer.status_code
    assert "\n" not in answer.json()["error_msg"]


def test_a_database_that_is_away_is_503_in_difys_shape(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kb.errors import UnavailableError

    def away(*_: Any, **__: Any) -> None:
        raise UnavailableError("the database is away")

    key = agent_key(served)
    monkeypatch.setattr(served.application.retriever, "search", away)
    assert ask(served, key, status=503) == {
        "error_code": 503, "error_msg": "the database is away",
    }  # fmt: skip
