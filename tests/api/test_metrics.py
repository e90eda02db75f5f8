"""`/metrics`: everything an operator watches, nothing of what is asked or written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.jobs import run_job
from api.routes import health
from api.wiring import Application
from kb.database import Database
from tests.api.factories import NOW, bearer, make_draft, make_key, sync


@pytest.fixture
def client(application: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(health, "SHOWN_SECONDS", -1.0)
    sync(application)
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


def read(client: TestClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Values by name and label values, in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_an_operator_sees_index_jobs_gaps_and_drafts(
    client: TestClient, application: Application
) -> None:
    application.rebuild_index(actor="t")
    make_draft(application)
    run_job(application, "freshness")
    found = read(client)
    generation = client.get("/readyz").json()["generation"]
    assert found["kb_index_generation", (generation,)] == 1
    assert found["kb_index_age_seconds", ()] == 0
    assert found["kb_chunks", ()] == found["kb_index_sealed_chunks", ()] == 4
    assert found["kb_index_fresh_chunks", ()] == 0
    assert found["kb_documents", ()] == 4
    assert found["kb_gaps", ("missing", "drafting")] == 1
    assert found["kb_drafts", ("in_review",)] == 1
    assert found["kb_job_last_success_timestamp_seconds", ("freshness",)] == NOW.timestamp()
    assert found["kb_database_up", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 0


def test_requests_are_counted_by_template_and_strangers_paths_by_none(
    client: TestClient, application: Application
) -> None:
    headers = bearer(make_key(application))
    for document_id in ("help-0", "help-1"):
        client.get(f"/v1/articles/{document_id}", headers=headers)
    client.post("/v1/search", json={"query": "zebra question"}, headers=headers)
    for place in range(20):
        client.get(f"/nowhere/{place}")
    answer = client.get("/metrics").text
    assert "help-0" not in answer and "zebra" not in answer and "nowhere" not in answer
    assert "key_" not in answer
    found = read(client)
    template = "/v1/articles/{document_id:path}"
    assert found["kb_request_seconds_count", ("GET", template, "200")] == 2
    assert found["kb_request_seconds_count", ("POST", "/v1/search", "200")] == 1
    assert found["kb_request_seconds_count", ("GET", "none", "404")] == 20
    assert found["kb_search_seconds_count", ()] == 1
    assert {v for (n, _), v in found.items() if n == "kb_requests_in_flight"} == {0}
    assert {v for (n, _), v in found.items() if n == "kb_queue_depth"} == {0}


def test_a_degraded_answer_is_counted_by_its_mode(
    client: TestClient, application: Application
) -> None:
    application.rebuild_index(actor="t")
    key = make_key(application)
    client.post("/v1/search", json={"query": "reset"}, headers=bearer(key))
    for path in (application.data_folder / "runtime").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0" * 512)
    body = {"query": "reset the router"}
    said = [client.post("/v1/search", json=body, headers=bearer(key)).json() for _ in range(3)]
    assert [one["degraded"] for one in said] == [["lexical_only"], ["generation"], ["generation"]]
    found = read(client)
    assert found["kb_degraded_total", ("lexical_only",)] == 1
    assert found["kb_degraded_total", ("generation",)] == 2


def test_without_the_database_figures_go_on_and_say_so(
    client: TestClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(client)["kb_database_up", ()] == 1
    monkeypatch.setattr(application, "database", Database("sqlite:////nowhere/at/all.db"))
    found = read(client)
    assert found["kb_database_up", ()] == 0
    refused = client.get("/readyz")
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1


def test_a_probe_does_not_wait_for_a_hanging_database(
    client: TestClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    import time

    let_go = threading.Event()

    def hang(_: object) -> None:
        let_go.wait(20)

    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(health, "_read_state", hang)
    started = time.monotonic()
    assert [client.get("/readyz").status_code for _ in range(4)] == [503] * 4
    assert client.get("/healthz").status_code == 200
    assert time.monotonic() - started < 10
    let_go.set()
