"""The made-up company's freshness: a policy changes, and an article fails only in tickets."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.wiring import Application
from kb.clock import FixedClock

CONTENT = Path(__file__).parents[2] / "content"
IN_FORCE = datetime(2026, 9, 28, 6, tzinfo=UTC)
"""The new refund policy's first morning."""


def check(folder: Path, now: datetime) -> dict[str, dict[str, Any]]:
    """Verdicts at a moment by document id, after a sync and the tickets of the weeks before it."""
    application = Application.open(folder / "kb.toml", FixedClock(now))
    try:
        list(application.sync_sources())
        for week in sorted((folder / "tickets").glob("*.jsonl")):
            monday = datetime.strptime(f"{week.stem}-1", "%G-W%V-%u").replace(tzinfo=UTC)
            if monday + timedelta(days=7) <= now:
                with week.open("rb") as lines:
                    application.desk.import_tickets(lines, "test")
        report = application.weekly.check_freshness()
        return {document["document_id"]: document for document in report["documents"]}
    finally:
        application.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("freshness") / "content"
    shutil.copytree(CONTENT, folder, ignore=shutil.ignore_patterns(".kb"))
    return folder


@pytest.fixture(scope="module")
def days(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        "before": check(folder, IN_FORCE - timedelta(days=1)),
        "after": check(folder, IN_FORCE),
        "late": check(folder, datetime(2026, 11, 9, 6, tzinfo=UTC)),
    }


def signals(document: dict[str, Any]) -> set[str]:
    return {reason["signal"] for reason in document["reasons"]}


def test_the_refund_article_is_flagged_by_the_first_run_after_the_policys_change(
    days: dict[str, dict[str, dict[str, Any]]],
) -> None:
    before, after = days["before"]["refund-how-to"], days["after"]["refund-how-to"]
    assert "conflict" not in signals(before) and before["probability"] < 0.5
    assert after["verdict"] == "conflict" and after["probability"] >= 0.8
    assert after["reasons"][0]["evidence"] == ["pol-refunds-2026"]
    assert "30 days" in after["reasons"][0]["text"]
    assert days["after"]["pol-refunds-2025"]["verdict"] == "superseded"


def test_the_reopened_mfa_article_is_flagged_from_tickets_alone(
    days: dict[str, dict[str, dict[str, Any]]],
) -> None:
    found = days["late"]["it-mfa-reset"]
    assert found["verdict"] == "stale"
    heavy = [r["signal"] for r in found["reasons"] if r["weight"] > 0.25]
    assert heavy and set(heavy) <= {"tickets", "resolution_menu", "followed", "falling"}
    lines = "".join(file.read_text() for file in (CONTENT / "tickets").glob("*.jsonl"))
    ids = {json.loads(line)["id"] for line in lines.splitlines()}
    assert set(found["reasons"][0]["evidence"]) <= ids


def test_most_of_the_made_up_company_is_not_shouted_at(
    days: dict[str, dict[str, dict[str, Any]]],
) -> None:
    quiet = [d for d in days["late"].values() if d["probability"] < 0.25]
    assert len(quiet) >= 0.8 * len(days["late"])


def test_a_second_run_of_the_same_morning_reads_nothing_and_says_the_same(
    folder: Path, days: dict[str, dict[str, dict[str, Any]]]
) -> None:
    now = datetime(2026, 11, 9, 6, tzinfo=UTC)
    application = Application.open(folder / "kb.toml", FixedClock(now))
    try:
        report = application.weekly.check_freshness()
    finally:
        application.close()
    assert report["read"] == {"texts": 0, "tickets": 0, "compared": 0}
    assert report["changed"] == 0
    assert {d["document_id"]: d for d in report["documents"]} == days["late"]
    assert 0 < report["pareto"]["documents"] < len(report["documents"])
