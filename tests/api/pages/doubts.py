"""Verdicts as a weekly check leaves them, for the tests of the freshness pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert

from api.wiring import Application
from gaps.freshness.history import write_verdicts
from kb import articles
from kb.tables import links
from tests.api.pages.factories import NOW

JUDGED = NOW - timedelta(days=5)


def reason(
    signal: str, weight: float, text: str, evidence: Sequence[str] = (), ready: str = ""
) -> dict[str, Any]:
    said = {"signal": signal, "weight": weight, "evidence": list(evidence), "text": text}
    return said | ({"ready": ready} if ready else {})


def doubt(
    document_id: str,
    verdict: str = "stale",
    *,
    probability: float = 0.8,
    damage: float = 3.0,
    reasons: Sequence[dict[str, Any]] = (),
    version: int = 1,
) -> dict[str, Any]:
    """One entry of a report."""
    return {
        "document_id": document_id, "version": version, "verdict": verdict,
        "probability": probability, "base": 0.05, "damage": damage, "reasons": list(reasons),
    }  # fmt: skip


def judge(
    application: Application, *reports: dict[str, Any], at: datetime = JUDGED, run: str = ""
) -> None:
    """Store a run's verdicts on these articles; others are as if they were not published."""
    week = f"{at.isocalendar().year}-W{at.isocalendar().week:02d}"
    with application.database.write() as connection:
        write_verdicts(connection, reports, run=run or f"fresh_{at:%j}", period=week, now=at)


def add_article(
    application: Application,
    document_id: str,
    title: str,
    owner: str = "ines",
    body: str = "",
    *,
    verified: bool = True,
) -> None:
    """An article of the help source, synced."""
    front = f"id: {document_id}\ntitle: {title}\nowner: {owner}\n"
    front += "last_verified_at: 2026-03-01\n" if verified else ""
    text = f"---\n{front}---\n{body or title + ' in three steps.'}\n"
    (application.root / "articles" / f"{document_id}.md").write_text(text, encoding="utf-8")
    for report in application.sync_sources():
        assert not report.get("refused"), report


def rewrite_article(application: Application, document_id: str, body: str) -> None:
    """Another text of the same article: its next version."""
    with application.database.read() as connection:
        title = articles.read_document(connection, document_id).metadata.title
    add_article(application, document_id, title, body=body)


def check_link(
    application: Application, document_id: str, url: str, verdict: str, target: str | None = None
) -> None:
    with application.database.write() as connection:
        connection.execute(
            delete(links).where(links.c.document_id == document_id, links.c.url == url)
        )
        connection.execute(
            insert(links).values(
                document_id=document_id, url=url, version=1, verdict=verdict,
                status_code=404 if verdict == "dead" else 200, target=target, checked_at=JUDGED,
            )
        )  # fmt: skip
