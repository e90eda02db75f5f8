"""Freshness over HTTP and on the command line, and what is confirmed without a look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.cli.main import main
from api.settings.knowledge import ActionSettings
from api.wiring import Application
from gaps.operating.autonomy import ACTOR, ChangeKind, EventKind
from gaps.operating.autonomy_rows import read_confirmations
from kb import articles
from kb.audit import read_entries, verify_chain
from kb.clock import FixedClock
from kb.types import Audience, Role
from tests.api.factories import NOW, bearer, make_key, sync, write_article, write_installation
from tests.api.pages.doubts import doubt, judge, reason

AGE = reason("age", 0.1, "last confirmed 400 days ago, due every 180 days")
READY = reason("age", 0.1, "last confirmed 400 days ago", ready="12 uses, none ended badly")
NEEDED = 5


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[Application]:
    """Ana's three articles due, one of them ready; Ben's policy contradicted."""
    application = Application.open(write_installation(tmp_path / "kb"), FixedClock(NOW))
    sync(application)
    judge(
        application,
        doubt("help-0", "stale", damage=4.0, reasons=[reason("tickets", 0.6, "6 of 9", ["t"])]),
        doubt("help-1", "due", damage=1.0, probability=0.1, reasons=[READY]),
        doubt("help-2", "due", damage=0.5, probability=0.1, reasons=[AGE]),
        doubt("refunds", "conflict", damage=2.0),
        at=NOW - timedelta(days=1),
    )
    yield application
    application.close()


@pytest.fixture
def client(kb: Application) -> Iterator[TestClient]:
    with TestClient(create_app(kb)) as opened:
        yield opened


def owner_key(kb: Application, owner: str = "ana") -> dict[str, str]:
    return bearer(make_key(kb, Role.OWNER, Audience.INTERNAL, owner=owner))


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["document_id"] for item in answer.json()["items"]]


def test_the_queue_is_paged_and_filtered_over_http(kb: Application, client: TestClient) -> None:
    headers = bearer(make_key(kb, Role.EDITOR, Audience.INTERNAL))

    def get(query: str) -> Any:
        return client.get(f"/v1/freshness{query}", headers=headers)

    assert listed(get("")) == ["help-0", "refunds", "help-1", "help-2"]
    first = get("?limit=2")
    assert listed(first) == ["help-0", "refunds"] and first.json()["next_offset"] == 2
    assert listed(get("?limit=2&offset=2")) == ["help-1", "help-2"]
    assert listed(get("?owner=ben")) == ["refunds"]
    assert listed(get("?verdict=due&signal=age")) == ["help-1", "help-2"]
    assert listed(get("?show=ready")) == ["help-1"]
    assert get("?show=nonsense").status_code == 422
    item = first.json()["items"][0]
    assert item["reasons"][0]["evidence"] == ["t"] and item["since"] == "2026-11-20T09:00:00Z"


def test_owners_get_what_they_own_and_foreign_ones_are_missing(
    kb: Application, client: TestClient
) -> None:
    headers = owner_key(kb)
    assert listed(client.get("/v1/freshness", headers=headers)) == ["help-0", "help-1", "help-2"]
    assert listed(client.get("/v1/freshness?owner=ben", headers=headers)) == []
    foreign = client.get("/v1/freshness/refunds", headers=headers)
    missing = client.get("/v1/freshness/nothing", headers=headers)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace("refunds", "nothing") == missing.text
    own = client.get("/v1/freshness/help-0", headers=headers).json()
    assert [row["verdict"] for row in own["history"]] == ["stale"]
    assert [row["version"] for row in own["versions"]] == [1]


def test_a_confirmation_takes_an_interval_and_refuses_what_changed(
    kb: Application, client: TestClient
) -> None:
    headers = owner_key(kb)
    path = "/v1/articles/help-1/verify"
    assert client.post(path, headers=headers, json={"reason": "r", "version": 2}).status_code == 412
    assert client.post(path, headers=headers, json={"reason": " "}).status_code == 400
    body = {"reason": "Read it.", "review_every_days": 0}
    assert client.post(path, headers=headers, json=body).status_code == 422
    foreign = client.post("/v1/articles/refunds/verify", headers=headers, json={"reason": "r"})
    assert foreign.status_code == 403
    done = client.post(path, headers=headers, json={"reason": "Read it.", "review_every_days": 60})
    assert done.json()["verified_by"] == "ana"
    with kb.database.read() as connection:
        document = articles.read_document(connection, "help-1")
        entry = next(iter(read_entries(connection, limit=1)))
        assert verify_chain(connection)
    assert document.metadata.review_every_days == 60
    assert entry.details["review_every_days"] == 60 and entry.details["reason"] == "Read it."
    assert listed(client.get("/v1/freshness?show=confirmed", headers=headers)) == ["help-1"]


def test_a_sync_of_other_metadata_keeps_a_persons_interval(kb: Application) -> None:
    kb.freshness.verify("help-0", kb.local_caller("ana"), reason="Read it.", interval_days=30)
    file = kb.root / "articles" / "help-0.md"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("---\n", "---\nlabels: [router]\n", 1), encoding="utf-8")
    assert sync(kb)[0]["metadata_only"] == 1
    with kb.database.read() as connection:
        kept = articles.read_document(connection, "help-0")
    assert (kept.verified_by, kept.metadata.review_every_days) == ("ana", 30)
    write_article(file, "How to reset the router, way 0.", title="Router", review_every_days=90)
    sync(kb)
    with kb.database.read() as connection:
        assert articles.read_document(connection, "help-0").metadata.review_every_days == 90


def run(kb: Application, *arguments: str) -> None:
    main([*arguments, "--config", str(kb.root / "kb.toml"), "--now", "2026-11-21T10:00:00Z"])


def test_the_command_line_shows_and_confirms(
    kb: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            run(kb, *arguments)
        return ended.value.code, capsys.readouterr()

    code, told = call("freshness", "show", "help-0", "--json")
    assert code == 0 and json.loads(told.out)["verdict"] == "stale"
    code, told = call("freshness", "show", "help-0")
    assert "0.60 6 of 9 [t]" in told.out and "confirmed never" in told.out
    code, told = call("freshness", "verify", "help-0", "--as", "ben", "--reason", "r")
    assert code == 1 and "ben does not own this" in told.err
    code, told = call("freshness", "verify", "help-0", "--as", "ana")
    assert code == 2
    code, told = call(
        "freshness", "verify", "help-0", "--as", "ana", "--reason", "Tried it.", "--every-days",
        "45",
    )  # fmt: skip
    assert code == 0 and "help-0 version 1 confirmed by ana" in told.out
    code, told = call("freshness", "show", "help-0")
    assert "confirmed 2026-11-21T10:00:00Z by ana" in told.out
    assert call("freshness", "show", "unheard")[0] == 1


def dial(kb: Application, said: str) -> None:
    actions = ActionSettings(reverify_article=said, earned_approvals=NEEDED)  # type: ignore[arg-type]
    kb.settings = kb.settings.model_copy(update={"actions": actions})


def earn(kb: Application, count: int = NEEDED) -> None:
    """A person confirms so many proposals."""
    for number in range(count):
        name = f"earned-{number}"
        write_article(kb.root / "articles" / f"{name}.md", f"Way {number}.", title=f"Way {number}")
    sync(kb)
    names = [f"earned-{number}" for number in range(count)]
    judge(
        kb, doubt("help-1", "due", probability=0.1, reasons=[READY]),
        doubt("help-2", "due", probability=0.1, reasons=[AGE]),
        *(doubt(name, "due", probability=0.1, reasons=[READY]) for name in names),
        at=NOW - timedelta(hours=2),
    )  # fmt: skip
    for name in names:
        kb.freshness.verify(name, kb.local_caller("ana"), reason="As proposed.")


def raise_it(kb: Application) -> str:
    row = next(s for s in kb.autonomy.read_standings("ana") if s.kind is ChangeKind.REVERIFICATION)
    return kb.autonomy.raise_dial(
        "ana", row.kind.value, record=row.record.digest, reason="good", caller=kb.operator
    ).rule_id


def verified_by(kb: Application, document_id: str) -> str | None:
    with kb.database.read() as connection:
        return articles.read_document(connection, document_id).verified_by


@pytest.mark.parametrize("said", ["human_approved", "forbidden", "autonomous"])
def test_without_a_rule_what_is_ready_is_only_proposed(kb: Application, said: str) -> None:
    dial(kb, said)
    assert kb.freshness.reverify_ready(["help-1"]) == {"confirmed": [], "proposed": ["help-1"]}
    assert verified_by(kb, "help-1") is None


def test_an_earned_rule_confirms_what_is_ready_and_nothing_else(kb: Application) -> None:
    dial(kb, "autonomous")
    earn(kb)
    rule = raise_it(kb)
    asked = ["help-1", "help-2", "refunds", "none"]
    assert kb.freshness.reverify_ready(asked) == {
        "confirmed": ["help-1"], "proposed": ["help-2", "none", "refunds"],
    }  # fmt: skip
    assert verified_by(kb, "help-1") == f"{ACTOR}{rule})"
    assert verified_by(kb, "help-2") is None
    with kb.database.read() as connection:
        entry = next(iter(read_entries(connection, limit=1)))
        served = articles.read_document(connection, "help-1")
    assert (entry.action, entry.subject) == ("article.reverify", "help-1")
    assert entry.details["reason"] == "12 uses, none ended badly"
    assert entry.details["rule"] == rule and entry.details["reasons"] == [READY["text"]]
    assert served.version == 1, "confirming changes no text"
    again = kb.freshness.reverify_ready(["help-1"])
    assert again == {"confirmed": [], "proposed": ["help-1"]}, "settled since the check"


def test_turning_the_dial_back_ends_it_at_once(kb: Application) -> None:
    dial(kb, "autonomous")
    earn(kb)
    raise_it(kb)
    dial(kb, "human_approved")
    assert kb.freshness.reverify_ready(["help-1"])["confirmed"] == []


def test_too_few_confirmed_proposals_earn_nothing(kb: Application) -> None:
    dial(kb, "autonomous")
    earn(kb, NEEDED - 1)
    row = next(s for s in kb.autonomy.read_standings("ana") if s.kind is ChangeKind.REVERIFICATION)
    assert not row.may_raise and len(row.record.approvals) == NEEDED - 1


def test_confirming_what_was_not_proposed_earns_nothing(kb: Application) -> None:
    for name in ("help-0", "help-2"):
        kb.freshness.verify(name, kb.local_caller("ana"), reason="Tried it.")
    with kb.database.read() as connection:
        assert read_confirmations(connection) == []
    kb.freshness.verify("help-1", kb.local_caller("ana"), reason="As proposed.")
    with kb.database.read() as connection:
        found = read_confirmations(connection)
    assert [(e.draft_id, e.event, e.owner) for e in found] == [
        ("help-1", EventKind.APPROVED, "ana")
    ]


def test_what_a_rule_confirmed_and_turns_out_stale_ends_the_rule(kb: Application) -> None:
    dial(kb, "autonomous")
    earn(kb)
    raise_it(kb)
    kb.freshness.reverify_ready(["help-1"])
    judge(
        kb, doubt("help-1", "stale"), doubt("help-2", "due", probability=0.1, reasons=[READY]),
        at=NOW + timedelta(days=7),
    )  # fmt: skip
    with kb.database.read() as connection:
        worse = [e for e in read_confirmations(connection) if e.event is EventKind.WORSE]
    assert [event.draft_id for event in worse] == ["help-1"]
    assert kb.freshness.reverify_ready(["help-2"])["confirmed"] == []
