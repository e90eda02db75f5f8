"""Every route called once, in an order that gives each what it needs: the OpenAPI's examples.

`python -m tests.api.openapi_calls` writes api/openapi_examples.json anew from real answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from api.app import create_app
from api.openapi import EXAMPLES
from api.wiring import Application
from gaps import repository
from kb.clock import FixedClock
from kb.types import Audience, Role
from tests.api.factories import (
    NOW,
    bearer,
    make_draft,
    make_key,
    sync,
    write_article,
    write_installation,
)

QUESTION = "How do I reset the router?"
MOST_ROWS = 1
"""Of a list in an example, but for the hits of a search."""


@dataclass
class Calls:
    """One installation, and what its routes answered."""

    client: TestClient
    application: Application
    headers: dict[str, str]
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def call(self, method: str, route: str, body: Any = None, **named: str) -> Any:
        """Call a route by its path in the OpenAPI document, and keep request and answer."""
        headers = {
            **self.headers,
            **{k[7:]: v for k, v in named.items() if k.startswith("header_")},
        }
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        path = route
        for name, value in named.items():
            path = path.replace(f"{{{name}}}", value)
        sent = {"content": body} if isinstance(body, str) else {"json": body}
        answer = self.client.request(
            method, path, headers=headers, **({} if body is None else sent)
        )  # fmt: skip
        assert answer.status_code == 200, (route, answer.text)
        kept = {"response": answer.json()} | ({} if body is None else {"request": body})
        self.made[f"{method} {route}"] = kept
        return answer.json()


def call_every_route(folder: Path) -> Calls:
    """Each route of the API, once; a route that is missing here has no example."""
    config = write_installation(folder)
    write_article(folder / "articles" / "vpn.md", "Reset the VPN.", title="VPN", labels="[vpn]")
    application = Application.open(config, FixedClock(NOW))
    sync(application)
    application.rebuild_index(actor="t")
    key = make_key(application, Role.ADMIN, Audience.INTERNAL, owner="ana")
    with TestClient(create_app(application)) as client:
        calls = Calls(client, application, bearer(key))
        for part in (_ask, _read_and_change, _review, _operate):
            part(calls)
    application.close()
    return calls


def _ask(calls: Calls) -> None:
    calls.call("GET", "/healthz")
    calls.call("GET", "/readyz")
    found = calls.call("POST", "/v1/search", {"query": QUESTION, "top_k": 2})
    calls.call("POST", "/v1/context", {"query": QUESTION, "token_budget": 500})
    search_id = found["search_id"]
    document_ids = [found["hits"][0]["document_id"]]
    calls.call(
        "POST", "/v1/outcomes",
        {"search_id": search_id, "outcome": "resolved", "document_ids": document_ids},
    )  # fmt: skip
    calls.call(
        "POST", "/v1/escalations",
        {"search_id": search_id, "goal": "A working router", "state": "It was reset twice",
         "attempted": ["the reset of the article"]},
    )  # fmt: skip
    calls.call(
        "POST", "/v1/gap-signals",
        {"question": "Which lever opens the hub?", "reason": "missing", "searched": ["hub lever"]},
    )  # fmt: skip
    calls.call(
        "POST", "/compat/dify/retrieval",
        {"knowledge_id": "default", "query": QUESTION,
         "retrieval_setting": {"top_k": 2, "score_threshold": 0.1},
         "metadata_condition": {"logical_operator": "and", "conditions": [
             {"name": "authority", "comparison_operator": "is not", "value": "crm_note"}]}},
    )  # fmt: skip
    calls.call(
        "POST", "/v1/vector_stores/{vector_store_id}/search",
        {"query": QUESTION, "max_num_results": 2,
         "filters": {"type": "ne", "key": "freshness", "value": "stale"},
         "ranking_options": {"score_threshold": 0.1}},
        vector_store_id="default",
    )  # fmt: skip
    calls.call("GET", "/v1/searches/{search_id}", search_id=search_id)
    calls.call("POST", "/v1/searches/{search_id}/replay", search_id=search_id)
    calls.call("GET", "/v1/vector_stores")
    calls.call("GET", "/v1/vector_stores/{vector_store_id}", vector_store_id="help")


def _read_and_change(calls: Calls) -> None:
    calls.call("GET", "/v1/articles")
    calls.call("GET", "/v1/articles/{document_id}", document_id="help-0")
    calls.call("GET", "/v1/articles/{document_id}/versions", document_id="help-0")
    calls.call(
        "POST", "/v1/articles/{document_id}/verify",
        {"reason": "Checked on the device.", "review_every_days": 90, "version": 1},
        document_id="help-0",
    )  # fmt: skip
    calls.application.weekly.check_freshness(conflicts=False)
    calls.call("GET", "/v1/freshness")
    calls.call("GET", "/v1/freshness/{document_id}", document_id="help-0")
    article = calls.application.root / "articles" / "help-0.md"
    write_article(article, "Hold the button for ten seconds.", title="Reset the router 0")
    calls.call("POST", "/v1/sources/{name}/sync", name="help")
    calls.call("POST", "/v1/articles/{document_id}/rollback", {"version": 1}, document_id="help-0")
    line = {
        "id": "t-1", "created_at": "2026-11-20T08:00:00Z", "subject": "Lever", "status": "open",
        "body": "Which lever opens the hub?",
    }  # fmt: skip
    calls.call("POST", "/v1/tickets", json.dumps(line) + "\n")


def _review(calls: Calls) -> None:
    draft = make_draft(calls.application, "lever")
    calls.call("GET", "/v1/gaps")
    calls.call("GET", "/v1/gaps/{gap_id}", gap_id=draft.gap_id)
    calls.call("GET", "/v1/drafts")
    calls.call("GET", "/v1/drafts/{draft_id}", draft_id=draft.draft_id)
    calls.call(
        "POST", "/v1/drafts/{draft_id}/preview", {"markdown": "# Lever\n\nLift it."},
        draft_id=draft.draft_id,
    )  # fmt: skip
    calls.call(
        "POST", "/v1/drafts/{draft_id}/comments", {"text": "Is this the new hub?"},
        draft_id=draft.draft_id,
    )  # fmt: skip
    calls.call(
        "POST", "/v1/drafts/{draft_id}/snooze",
        {"until": "2026-12-01T08:00:00Z", "reason": "Waits for the release."},
        draft_id=draft.draft_id, header_If_Match=f'"{draft.draft_hash}"',
    )  # fmt: skip
    calls.call(
        "POST", "/v1/drafts/{draft_id}/review", {"decision": "approve"}, draft_id=draft.draft_id,
        header_If_Match=f'"{draft.draft_hash}"',
    )  # fmt: skip
    calls.call("POST", "/v1/drafts/{draft_id}/rollback", draft_id=draft.draft_id)
    other = make_draft(calls.application, "valve")
    calls.call(
        "POST", "/v1/drafts/{draft_id}/owner", {"owner": "ben", "reason": "His by the product."},
        draft_id=other.draft_id, header_If_Match=f'"{other.draft_hash}"',
    )  # fmt: skip
    calls.application.publishing.review(
        other.draft_id, "reject", caller=calls.application.local_caller("ben"),
        draft_hash=other.draft_hash, reason="Too short.",
    )  # fmt: skip
    calls.call("POST", "/v1/drafts", {"gap_id": other.gap_id})
    calls.call("GET", "/v1/topics")
    with calls.application.database.read() as connection:
        topic_id = repository.read_gap(connection, other.gap_id).topic_id
    calls.call("GET", "/v1/topics/{topic_id}", topic_id=topic_id)
    calls.call(
        "POST", "/v1/gaps/{gap_id}/correct", {"kind": "title_is", "value": "The valve's lever"},
        gap_id=other.gap_id,
    )  # fmt: skip
    calls.call(
        "POST", "/v1/gaps/{gap_id}/dismiss", {"reason": "Seen once a year."}, gap_id=other.gap_id
    )


def _operate(calls: Calls) -> None:
    calls.call("GET", "/v1/sources")
    calls.call("GET", "/v1/actions")
    run = calls.call("POST", "/v1/jobs/{name}/run", name="drive")
    calls.call("GET", "/v1/jobs")
    calls.call("GET", "/v1/jobs/{run_id}", run_id=run["id"])
    calls.call("GET", "/v1/drives")
    calls.call("GET", "/v1/audit")


def shorten(said: Any, kept: int = MOST_ROWS) -> Any:
    """An answer with the first of each list."""
    if isinstance(said, list):
        return [shorten(part, kept) for part in said[:kept]]
    if isinstance(said, dict):
        return {key: shorten(part, kept) for key, part in said.items()}
    return said


def read_fields(said: Any, place: str = "") -> Iterator[str]:
    """Where there is a field, as `hits[].title`; of lists the first."""
    if isinstance(said, dict):
        for key, part in said.items():
            yield f"{place}.{key}"
            yield from read_fields(part, f"{place}.{key}")
    elif isinstance(said, list) and said:
        yield from read_fields(said[0], f"{place}[]")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        calls = call_every_route(Path(folder))
    examples = {
        route: {**kept, "response": shorten(kept["response"])}
        for route, kept in sorted(calls.made.items())
    }
    text = json.dumps(examples, indent=1, ensure_ascii=False) + "\n"
    EXAMPLES.write_text(text.replace(folder, "/srv/kb"), encoding="utf-8")
    sys.stdout.write(f"{len(examples)} routes\n")


if __name__ == "__main__":
    main()
