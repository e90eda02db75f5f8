"""What was judged, changed and confirmed of one article, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from api.pages.freshness.wording import verdict_label, verdict_tone
from gaps.operating.autonomy_rows import REVERIFIED, VERIFIED
from gaps.tables import freshness_history
from kb import articles
from kb.tables import audit

ROWS = 200
JUDGED, CHANGED, CONFIRMED = "judged", "changed", "confirmed"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to an article."""

    at: datetime
    kind: str
    """"judged", "changed" or "confirmed"."""
    title: str
    told: tuple[str, ...] = ()
    tone: str = ""
    version: int = 0
    probability: float | None = None


def read_timeline(connection: Connection, document_id: str) -> list[Moment]:
    """Verdicts where they changed, versions, and confirmations, newest first."""
    found = [
        *_read_judged(connection, document_id),
        *_read_versions(connection, document_id),
        *_read_confirmed(connection, document_id),
    ]
    order = (JUDGED, CONFIRMED, CHANGED)
    return sorted(found, key=lambda m: (-m.at.timestamp(), order.index(m.kind), -m.version))


def _read_judged(connection: Connection, document_id: str) -> list[Moment]:
    rows = connection.execute(
        select(freshness_history)
        .where(freshness_history.c.document_id == document_id)
        .order_by(freshness_history.c.at.desc())
        .limit(ROWS)
    )
    return [
        Moment(
            row.at, JUDGED, f"{verdict_label(row.verdict)}, version {row.version}",
            _texts(row.reasons), verdict_tone(row.verdict), row.version, row.probability,
        )
        for row in rows
    ]  # fmt: skip


def _read_versions(connection: Connection, document_id: str) -> list[Moment]:
    return [
        Moment(
            version.created_at, CHANGED, f"Version {version.version} by {version.author}",
            (version.reason,) if version.reason else (), "", version.version,
        )
        for version in articles.read_versions(connection, document_id)
    ]  # fmt: skip


def _read_confirmed(connection: Connection, document_id: str) -> list[Moment]:
    rows = connection.execute(
        select(audit.c.at, audit.c.actor, audit.c.action, audit.c.details)
        .where(audit.c.subject == document_id, audit.c.action.in_([VERIFIED, REVERIFIED]))
        .order_by(audit.c.seq.desc())
        .limit(ROWS)
    )
    return [
        Moment(
            row.at, CONFIRMED, f"{_confirmed(row.action)} by {row.actor}", _details(row.details),
            "good", int(row.details.get("version", 0)),
        )
        for row in rows
    ]  # fmt: skip


def _confirmed(action: str) -> str:
    return "Confirmed" if action == VERIFIED else "Confirmed without a look,"


def _details(details: dict[str, Any]) -> tuple[str, ...]:
    said = [str(details["reason"])] if details.get("reason") else []
    days = details.get("review_every_days")
    return (*said, *([f"Holds for {days} days"] if days else []))


def _texts(reasons: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(str(reason["text"]) for reason in reasons[:4])
