from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gaps.drafting.drafts import read_draft
from gaps.operating import drive as drive_module
from gaps.operating.drive import (
    DriveTools,
    draft_strongest,
    measure_due,
    period_bounds,
    period_of,
    read_drive,
    read_drives,
    run_drive,
)
from gaps.types import GapStatus
from kb.errors import InvalidInputError
from tests.gaps.drafting.factories import NOW, Desk, make_ticket, make_tickets
from tests.gaps.operating.test_effect import publish

FOUND = {
    "run": "run_2",
    "tickets": {"read": 10, "unresolved": 4, "uncovered": 5},
    "gaps": [{"gap_id": "gap_1", "title": "CC-418", "kind": "missing"}],
}


def tools_of(desk: Desk, find: Any = lambda: FOUND) -> DriveTools:
    return DriveTools(desk.database, desk.retriever, desk.encoder, desk.settings, find)


def test_a_week_is_named_by_iso_and_bounded_by_mondays() -> None:
    start, end = period_bounds("2026-W45")
    assert (start, end) == (datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))
    assert period_of(start) == period_of(end - timedelta(seconds=1)) == "2026-W45"
    with pytest.raises(InvalidInputError):
        period_bounds("2026-45")


def test_a_drive_runs_every_step_and_is_stored(desk: Desk) -> None:
    desk.add_article("a", "Some text.", front="last_verified_at: 2024-01-01\n")
    desk.add_gap(make_tickets())
    report = run_drive(tools_of(desk), period="2026-W45", now=NOW)
    assert report["failed"] == []
    steps = report["steps"]
    assert steps["freshness"]["result"]["verdicts"] == {"due": 1}
    assert steps["gaps"]["result"]["uncovered_share"] == 0.5
    assert [d["gap_id"] for d in steps["drafts"]["result"]["written"]] == ["gap_1"]
    assert steps["figures"]["result"]["answer_rate"] is None
    with desk.database.read() as connection:
        assert read_drive(connection, "2026-W45") == report
        assert read_drives(connection) == [report]


def test_a_failing_step_is_recorded_and_the_rest_runs(desk: Desk) -> None:
    desk.add_gap(make_tickets())

    def fail() -> dict[str, Any]:
        raise RuntimeError("no tickets today")

    report = run_drive(tools_of(desk, fail), period="2026-W45", now=NOW)
    assert report["failed"] == ["gaps"]
    assert "no tickets today" in report["steps"]["gaps"]["error"]
    assert report["steps"]["drafts"]["status"] == "done"


@pytest.mark.parametrize("step", ["check_conflicts", "check_freshness", "_read_figures"])
def test_any_step_may_fail_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(step)

    monkeypatch.setattr(drive_module, step, fail)
    report = run_drive(tools_of(desk), period="2026-W45", now=NOW)
    assert len(report["failed"]) == 1


def test_running_a_week_again_replaces_its_report(desk: Desk) -> None:
    run_drive(tools_of(desk), period="2026-W45", now=NOW)
    later = NOW + timedelta(hours=1)
    run_drive(tools_of(desk), period="2026-W45", now=later)
    with desk.database.read() as connection:
        (only,) = read_drives(connection)
    assert only["ran_at"] == "2026-11-09T10:00:00Z"


def test_a_gap_with_a_waiting_draft_is_not_drafted_again(desk: Desk) -> None:
    desk.add_gap(make_tickets())
    tools = tools_of(desk)
    assert len(draft_strongest(tools, now=NOW)["written"]) == 1
    assert draft_strongest(tools, now=NOW) == {"written": [], "renewed": [], "failed": []}


def test_a_waiting_draft_is_written_anew_when_its_gap_has_grown(desk: Desk) -> None:
    desk.add_gap(make_tickets(6))
    tools = tools_of(desk)
    (written,) = draft_strongest(tools, now=NOW)["written"]
    with desk.database.read() as connection:
        before = read_draft(connection, written["draft_id"])
    told_since = [
        make_ticket(n, "Sign in with gateway access.fennmark.example in the new client.")
        for n in range(7, 19)
    ]
    desk.add_gap([*make_tickets(6), *told_since], status=GapStatus.DRAFTING)
    assert draft_strongest(tools, now=NOW)["renewed"] == [before.draft_id]
    with desk.database.read() as connection:
        after = read_draft(connection, before.draft_id)
    assert after.draft_hash != before.draft_hash
    assert after.document_id == before.document_id
    assert len(after.held_back_ids) > len(before.held_back_ids)
    assert draft_strongest(tools, now=NOW)["renewed"] == []


def test_a_refused_gap_is_asked_again_only_with_new_tickets(desk: Desk) -> None:
    desk.add_gap(make_tickets(2))
    tools = tools_of(desk)
    assert draft_strongest(tools, now=NOW)["written"][0]["state"] == "refused"
    assert draft_strongest(tools, now=NOW)["written"] == []
    desk.add_gap(make_tickets(), last_seen_at=NOW + timedelta(days=1))
    again = draft_strongest(tools, now=NOW + timedelta(days=2))
    assert again["written"][0]["state"] == "in_review"


def test_effects_are_measured_a_week_after_publication(desk: Desk) -> None:
    publication = publish(desk)
    tools = tools_of(desk)
    assert measure_due(tools, now=NOW + timedelta(days=6)) == []
    (first,) = measure_due(tools, now=NOW + timedelta(days=8))
    assert first["publication_id"] == publication.publication_id
    assert first["verdict"] == "worked"
    (second,) = measure_due(tools, now=NOW + timedelta(days=15))
    assert second["previous_verdict"] == "worked"


def test_what_a_rule_covers_goes_out_after_the_drafts_are_written(desk: Desk) -> None:
    """And a fault there is told in the report like any step's."""
    report = run_drive(tools_of(desk), period="2026-W45", now=NOW)
    assert "autonomous" not in report["steps"]

    def refuse() -> dict[str, Any]:
        raise InvalidInputError("no rules today")

    for act, status in ((lambda: {"published": []}, "done"), (refuse, "failed")):
        tools = replace(tools_of(desk), publish_earned=act)
        report = run_drive(tools, period="2026-W45", now=NOW)
        steps = list(report["steps"])
        assert report["steps"]["autonomous"]["status"] == status
        assert steps.index("drafts") < steps.index("autonomous") < steps.index("effects")
