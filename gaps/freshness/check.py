"""The weekly verdict on every published version: how likely it needs work, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from gaps.freshness.facts import ArticleFacts, World
from gaps.freshness.history import report_to_json, write_verdicts
from gaps.freshness.model import FreshnessModel, read_shipped_model
from gaps.freshness.outside import NOTHING_TOLD, Outside
from gaps.freshness.reading import count_verdicts, read_facts, refresh_readings
from gaps.freshness.reverification import find_ready
from gaps.freshness.signals import find_signals, read_features
from gaps.freshness.verdicts import (
    PARETO_SHARE,
    FreshnessReport,
    pareto_line,
    rank_by_damage,
    report_on,
)
from kb import audit
from kb.database import Database


def check_freshness(
    database: Database,
    *,
    now: datetime,
    authorities: Sequence[str],
    recipe: str,
    outside: Outside = NOTHING_TOLD,
    model: FreshnessModel | None = None,
) -> dict[str, Any]:
    """Judge every published document, store the verdicts and say them, most damaging first.

    Only texts and tickets that are new since the last run are read; a run that was stopped goes on
    where it was.

    Args:
        database: Where documents, tickets and the search log are.
        now: The moment of judgement; nothing later is seen.
        authorities: Strongest first.
        recipe: The encoder's, to find near-duplicates among stored vectors.
        outside: Releases, edits and views that the team tells.
        model: In place of the one that comes with the product.

    Returns:
        What `kb freshness check --json` prints.

    Raises:
        UnavailableError: The database is away.
    """
    run = f"fresh_{uuid4().hex[:16]}"
    period = _name_week(now)
    read = refresh_readings(database, now, recipe)
    with database.read() as connection:
        facts, world = read_facts(connection, now, outside)
    reports = judge_all(facts, world, authorities, model or read_shipped_model())
    ready = find_ready(facts, reports)
    said = [report_to_json(report, ready.get(report.document_id)) for report in reports]
    with database.write() as connection:
        changed = write_verdicts(connection, said, run=run, period=period, now=now)
        counted = count_verdicts(report.verdict.value for report in reports)
        audit.write_entry(
            connection, at=now, actor="kbops", action="freshness.check", subject=run,
            details={"documents": len(reports), "changed": changed, "ready": len(ready), **read,
                     **counted},
        )  # fmt: skip
    return {
        "run": run,
        "period": period,
        "read": read,
        "changed": changed,
        "verdicts": counted,
        "ready": sorted(ready),
        "pareto": {"share": PARETO_SHARE, "documents": pareto_line(reports)},
        "documents": said,
    }


def judge_all(
    facts: Sequence[ArticleFacts],
    world: World,
    authorities: Sequence[str],
    model: FreshnessModel,
) -> list[FreshnessReport]:
    """The verdict on each version, most damaging first."""
    reports = []
    for article in facts:
        findings = find_signals(article, world)
        judged = model.judge(findings, read_features(article, findings))
        reports.append(report_on(article, judged, authorities))
    return rank_by_damage(reports)


def _name_week(moment: datetime) -> str:
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02d}"
