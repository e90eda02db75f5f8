"""SQL for verdicts: the present ones, and what each document's were before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gaps.freshness.verdicts import FreshnessReport
from gaps.tables import freshness_history
from kb import intake
from kb.clock import format_instant
from kb.tables import freshness_verdicts

BATCH = 500
SLIGHT_CHANGE = 0.05
"""Of a probability; less is no news for an owner."""


def report_to_json(report: FreshnessReport, ready: str | None = None) -> dict[str, Any]:
    """One entry of `kb freshness check --json`.

    Args:
        report: On one version.
        ready: Why it could be confirmed without a look, said beside the age that makes it due.
    """
    return {
        "document_id": report.document_id,
        "version": report.version,
        "verdict": report.verdict.value,
        "probability": round(report.probability, 4),
        "base": round(report.base, 4),
        "damage": round(report.damage, 4),
        "reasons": [
            {
                "signal": r.signal,
                "weight": round(r.weight, 4),
                "evidence": list(r.evidence),
                "text": r.text,
            }
            | ({"ready": ready} if ready and r.signal == "age" else {})
            for r in report.reasons
        ],
    }


def write_verdicts(
    connection: Connection,
    reports: Sequence[Mapping[str, Any]],
    *,
    run: str,
    period: str,
    now: datetime,
) -> int:
    """Store verdicts; rows that say what they said stay, and history gets those that changed.

    Args:
        connection: The caller's transaction.
        reports: As `report_to_json` gives them.
        run: The run's id.
        period: Its week.
        now: Its moment.

    Returns:
        How many entries history got.
    """
    before = {row.document_id: row for row in connection.execute(select(freshness_verdicts))}
    rows = [_row(report, now) for report in reports]
    live = {row["document_id"] for row in rows}
    changed = [row for row in rows if _differs(before.get(row["document_id"]), row)]
    told = [row for row in changed if _is_news(before.get(row["document_id"]), row)]
    gone = [*(row["document_id"] for row in changed), *sorted(before.keys() - live)]
    if gone:
        intake.next_sequence(connection)
    for start in range(0, len(gone), BATCH):
        batch = gone[start : start + BATCH]
        connection.execute(
            delete(freshness_verdicts).where(freshness_verdicts.c.document_id.in_(batch))
        )
    if changed:
        connection.execute(insert(freshness_verdicts), changed)
    connection.execute(update(freshness_verdicts).values(judged_at=now))
    _write_history(connection, told, run, period, now)
    return len(told)


def _row(report: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "base"} | {"judged_at": now}


def _differs(before: Any, row: dict[str, Any]) -> bool:
    if before is None:
        return True
    names = ("version", "verdict", "probability", "damage", "reasons")
    return any(getattr(before, name) != row[name] for name in names)


def _is_news(before: Any, row: dict[str, Any]) -> bool:
    """A new version, verdict or set of reasons, or a probability that moved."""
    if before is None or (before.version, before.verdict) != (row["version"], row["verdict"]):
        return True
    signals = {r["signal"] for r in before.reasons} != {r["signal"] for r in row["reasons"]}
    return signals or abs(before.probability - row["probability"]) >= SLIGHT_CHANGE


def _write_history(
    connection: Connection, told: Sequence[dict[str, Any]], run: str, period: str, now: datetime
) -> None:
    ids = [row["document_id"] for row in told]
    for start in range(0, len(ids), BATCH):
        connection.execute(
            delete(freshness_history).where(
                freshness_history.c.document_id.in_(ids[start : start + BATCH]),
                freshness_history.c.at == now,
            )
        )
    if told:
        connection.execute(
            insert(freshness_history),
            [
                {key: value for key, value in row.items() if key != "judged_at"}
                | {"at": now, "run": run, "period": period}
                for row in told
            ],
        )


def read_history(
    connection: Connection, document_id: str, limit: int = 100
) -> list[dict[str, Any]]:
    """What was judged of one document when it changed, newest first."""
    rows = connection.execute(
        select(freshness_history)
        .where(freshness_history.c.document_id == document_id)
        .order_by(freshness_history.c.at.desc())
        .limit(limit)
    )
    return [{**row._mapping, "at": format_instant(row.at)} for row in rows]
