"""What the HTTP API offers of a review beside its decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.cli.main import main
from api.wiring import Application
from gaps.types import Draft
from kb.types import Audience, Role
from tests.api.factories import bearer, make_draft, make_key, sync

FIELDS = {"due_at", "snoozed_until", "notes", "approvals_needed", "approved_by", "evidence_hash"}


@pytest.fixture
def client(application: Application) -> Iterator[TestClient]:
    sync(application)
    with TestClient(create_app(application), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def ana(application: Application) -> dict[str, str]:
    return bearer(make_key(application, Role.OWNER, Audience.INTERNAL))


def match(headers: dict[str, str], draft: Draft) -> dict[str, str]:
    return headers | {"If-Match": f'"{draft.draft_hash}"'}


def test_a_comment_is_said_and_shown(
    client: TestClient, application: Application, ana: dict[str, str]
) -> None:
    draft = make_draft(application)
    path = f"/v1/drafts/{draft.draft_id}"
    answer = client.post(f"{path}/comments", json={"text": "Is it true?"}, headers=ana)
    assert answer.status_code == 200 and answer.json()["kind"] == "comment"
    shown = client.get(path, headers=ana).json()
    assert set(shown) >= FIELDS
    assert [note["text"] for note in shown["notes"]] == ["Is it true?"]
    ben = bearer(make_key(application, Role.OWNER, Audience.INTERNAL, owner="ben"))
    denied = client.post(f"{path}/comments", json={"text": "Me too."}, headers=ben)
    assert denied.status_code == 404
    assert client.post(f"{path}/comments", json={"text": ""}, headers=ana).status_code == 422


def test_a_draft_is_snoozed_and_handed_over_only_as_it_was_read(
    client: TestClient, application: Application, ana: dict[str, str]
) -> None:
    draft = make_draft(application)
    path = f"/v1/drafts/{draft.draft_id}"
    until = (application.clock.now() + timedelta(days=3)).isoformat()
    calls: list[tuple[str, dict[str, Any]]] = [
        (f"{path}/snooze", {"until": until}),
        (f"{path}/owner", {"owner": "ben", "reason": "His."}),
    ]
    for place, body in calls:
        assert client.post(place, json=body, headers=ana).status_code == 428
        stale = client.post(place, json=body, headers=ana | {"If-Match": '"other"'})
        assert stale.status_code == 412
        assert client.post(place, json=body, headers=match(ana, draft)).status_code == 200
    admin = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    shown = client.get(path, headers=admin).json()
    assert shown["owner"] == "ben"
    assert [note["kind"] for note in shown["notes"]] == ["snoozed", "handed_over"]
    assert client.get(path, headers=ana).status_code == 404
    naive = client.post(
        f"{path}/snooze", json={"until": "2030-01-01T00:00:00"}, headers=match(admin, draft)
    )
    assert naive.status_code == 422


def test_a_rejection_says_what_was_wrong(
    client: TestClient, application: Application, ana: dict[str, str]
) -> None:
    draft = make_draft(application)
    body = {"decision": "reject", "reason": "Chat.", "because": "not_a_gap", "state": "in_review"}
    answer = client.post(
        f"/v1/drafts/{draft.draft_id}/review", json=body, headers=match(ana, draft)
    )
    assert answer.status_code == 200
    gap = client.get(f"/v1/gaps/{draft.gap_id}", headers=ana).json()
    assert gap["status"] == "dismissed"
    shown = client.get(f"/v1/drafts/{draft.draft_id}", headers=ana).json()
    assert shown["reviews"][0]["because"] == "not_a_gap"


def test_of_two_decisions_the_later_is_stale(
    client: TestClient, application: Application, ana: dict[str, str]
) -> None:
    draft = make_draft(application)
    admin = bearer(make_key(application, Role.ADMIN, Audience.INTERNAL))
    place = f"/v1/drafts/{draft.draft_id}/review"
    said = {"reason": "No.", "state": "in_review"}
    first = client.post(place, json={"decision": "reject"} | said, headers=match(admin, draft))
    assert first.status_code == 200
    later = client.post(place, json={"decision": "approve"}, headers=match(ana, draft))
    assert later.status_code == 412
    assert later.json()["error"]["details"]["state"] == "rejected"


def test_a_preview_is_safe_and_saves_nothing(
    client: TestClient, application: Application, ana: dict[str, str]
) -> None:
    draft = make_draft(application)
    answer = client.post(
        f"/v1/drafts/{draft.draft_id}/preview",
        json={"markdown": "# Hi <script>x</script>\n\nWrite to ana@example.org."},
        headers=ana,
    ).json()
    assert "<script" not in answer["html"] and "<h3>" in answer["html"]
    assert {check["name"]: check["verdict"] for check in answer["checks"]}["personal_data"] == "red"
    shown = client.get(f"/v1/drafts/{draft.draft_id}", headers=ana).json()
    assert shown["markdown"] == draft.markdown


def test_the_commands_do_the_same(
    application: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = make_draft(application)
    config = str(application.root / "kb.toml")

    def run(*words: str) -> int:
        try:
            main(["--config", config, "drafts", *words])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    day = (application.clock.now() + timedelta(days=2)).date().isoformat()
    assert run("comment", draft.draft_id, "Look at step 2.", "--as", "ana") == 0
    assert run("snooze", draft.draft_id, "--as", "ana", "--until", day) == 0
    assert run("hand-over", draft.draft_id, "--as", "ana", "--to", "ben") == 0
    assert run("ask-changes", draft.draft_id, "--as", "ben", "--reason", "Shorter.") == 0
    assert run(
        "reject", draft.draft_id, "--as", "ben", "--reason", "No.", "--because", "wrong_kind",
        "--value", "restricted",
    ) == 0  # fmt: skip
    shown = application.desk.show_draft(draft.draft_id, application.operator)
    assert shown["state"] == "rejected"
    assert [note["kind"] for note in shown["notes"]] == ["comment", "snoozed", "handed_over"]
    assert application.desk.show_gap(draft.gap_id)["kind"] == "restricted"
