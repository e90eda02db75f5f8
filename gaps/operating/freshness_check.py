"""The weekly verdict on every published document: how likely it is wrong, and what that costs.

Independent signals are combined by noisy-or: each is the probability that it alone would make the
document untrue, so agreement of several weighs more and none can pull another down.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import prod
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from gaps import repository
from gaps.operating.freshness_signals import FreshnessReason, KnownSignals, find_signals
from gaps.types import Ticket
from kb import articles, audit, vectors
from kb.database import Database
from kb.hierarchy import find_superseded
from kb.ports import Vectors
from kb.tables import conflicts, freshness_verdicts, searches, sources
from kb.types import Audience, Document, FreshnessVerdict

TRAFFIC_DAYS = 28
TICKET_DAYS = 90
DUPLICATE_SIMILARITY = 0.88
"""Cosine of two documents' mean chunk vectors; the planted near-duplicates of content/ lie above
0.88, the next pair below (MiniLM)."""
STALE_PROBABILITY, DUE_PROBABILITY = 0.5, 0.25


@dataclass(frozen=True, slots=True)
class FreshnessReport:
    """The verdict on one version."""

    document_id: str
    version: int
    verdict: FreshnessVerdict
    probability: float
    damage: float
    """Expected wrong answers a week, weighted by authority."""
    reasons: tuple[FreshnessReason, ...]


def check_freshness(
    database: Database, *, now: datetime, authorities: Sequence[str], recipe: str
) -> dict[str, Any]:
    """Judge every published document, store the verdicts and say them, most damaging first.

    Args:
        database: Where documents, tickets and the search log are.
        now: The moment of judgement.
        authorities: Strongest first.
        recipe: The encoder's, to find near-duplicates among stored vectors.

    Returns:
        What `kb freshness check --json` prints.
    """
    run = f"fresh_{uuid4().hex[:16]}"
    with database.read() as connection:
        documents = articles.read_documents(connection, Audience.INTERNAL)
        known = _read_known(connection, documents, now, recipe)
    reports = [_judge(d, known, now, authorities) for d in documents]
    reports.sort(key=lambda r: (-r.damage, -r.probability, r.document_id))
    with database.write() as connection:
        _store(connection, reports, now)
        audit.write_entry(
            connection, at=now, actor="kbops", action="freshness.check", subject=run,
            details={"documents": len(reports), **Counter(r.verdict.value for r in reports)},
        )  # fmt: skip
    return {"run": run, "documents": [report_to_json(r) for r in reports]}


def report_to_json(report: FreshnessReport) -> dict[str, Any]:
    """One entry of `kb freshness check --json`."""
    return {
        "document_id": report.document_id,
        "version": report.version,
        "verdict": report.verdict.value,
        "probability": round(report.probability, 4),
        "damage": round(report.damage, 4),
        "reasons": [
            {**asdict(r), "weight": round(r.weight, 4), "evidence": list(r.evidence)}
            for r in report.reasons
        ],
    }


def _read_known(
    connection: Connection, documents: Sequence[Document], now: datetime, recipe: str
) -> KnownSignals:
    tickets = repository.read_tickets(
        connection, since=now - timedelta(days=TICKET_DAYS), until=now
    )
    linked: dict[str, list[Ticket]] = defaultdict(list)
    versions = {d.document_id: d for d in documents}
    for ticket in tickets:
        for document_id in ticket.linked_articles:
            document = versions.get(document_id)
            # What an earlier text did wrong is not this version's fault.
            if document is not None and (
                document.version == 1 or ticket.created_at >= document.updated_at
            ):
                linked[document_id].append(ticket)
    with_links = [t for found in linked.values() for t in found]
    failed = sum(t.has_failed for t in with_links)
    lost: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    rows = connection.execute(select(conflicts).order_by(conflicts.c.similarity.desc())).all()
    pairs: dict[tuple[str, str], str] = {}
    for row in rows:
        # Two documents that disagree in several statements are one reason, not several.
        pairs.setdefault((row.winner_id, row.loser_id), row.winner_statement)
    for (winner, loser), statement in pairs.items():
        lost[loser].append((winner, statement, (loser, winner) in pairs))
    return KnownSignals(
        superseded=find_superseded(documents, now),
        intervals={
            r.name: r.review_every_days
            for r in connection.execute(select(sources.c.name, sources.c.review_every_days))
            if r.review_every_days
        },
        lost=lost,
        linked=linked,
        failure_share=(failed + 1) / (len(with_links) + 10),
        served=_read_served(connection, now),
        duplicates=_find_duplicates(connection, documents, recipe),
        texts={
            d.document_id: articles.read_version(connection, d.document_id, d.version).markdown
            for d in documents
        },
    )


def _read_served(connection: Connection, now: datetime) -> Counter[str]:
    """How often each document was among the first three hits of late."""
    served: Counter[str] = Counter()
    rows = connection.execute(
        select(searches.c.hits).where(
            searches.c.at >= now - timedelta(days=TRAFFIC_DAYS), searches.c.at < now
        )
    )
    for row in rows:
        served.update(hit["document_id"] for hit in row.hits[:3] if "document_id" in hit)
    return served


def _find_duplicates(
    connection: Connection, documents: Sequence[Document], recipe: str
) -> dict[str, list[str]]:
    """Documents that say much the same, where one reader sees both."""
    chunks = articles.read_chunks_of(
        connection, [d.document_id for d in documents], Audience.INTERNAL
    )
    stored = vectors.read_embeddings(connection, recipe, [c.content_hash for c in chunks])
    parts: dict[str, list[Vectors]] = defaultdict(list)
    for chunk in chunks:
        if chunk.content_hash in stored:
            parts[chunk.document.document_id].append(stored[chunk.content_hash])
    known = [d for d in documents if d.document_id in parts]
    if len(known) < 2:
        return {}
    means = np.stack([np.mean(parts[d.document_id], axis=0) for d in known])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    similar = means @ means.T
    found: dict[str, list[str]] = defaultdict(list)
    for i, j in zip(*np.nonzero(np.triu(similar >= DUPLICATE_SIMILARITY, 1)), strict=True):
        one, two = known[i], known[j]
        same_source = one.metadata.authority == two.metadata.authority
        if (
            same_source
            and not set(one.metadata.supersedes) & {two.document_id}
            and not set(two.metadata.supersedes) & {one.document_id}
        ):
            found[one.document_id].append(two.document_id)
            found[two.document_id].append(one.document_id)
    return found


def _judge(
    document: Document, known: KnownSignals, now: datetime, authorities: Sequence[str]
) -> FreshnessReport:
    reasons = tuple(sorted(find_signals(document, known, now), key=lambda r: (-r.weight, r.signal)))
    probability = 1.0 - prod(1.0 - r.weight for r in reasons)
    linked = [
        t
        for t in known.linked.get(document.document_id, [])
        if t.created_at >= now - timedelta(days=TRAFFIC_DAYS)
    ]
    weekly = (len(linked) + known.served.get(document.document_id, 0)) * 7 / TRAFFIC_DAYS
    name = document.metadata.authority
    place = authorities.index(name) if name in authorities else len(authorities)
    weight = 1.0 - 0.5 * place / max(1, len(authorities))
    return FreshnessReport(
        document.document_id, document.version, _verdict(document, probability, reasons),
        probability, probability * weekly * weight, reasons,
    )  # fmt: skip


def _verdict(
    document: Document, probability: float, reasons: Sequence[FreshnessReason]
) -> FreshnessVerdict:
    signals = {r.signal for r in reasons}
    if signals & {"superseded", "ended"}:
        return FreshnessVerdict.SUPERSEDED
    if probability >= STALE_PROBABILITY:
        return FreshnessVerdict.STALE
    if probability >= DUE_PROBABILITY or signals & {"age", "ends_soon"}:
        return FreshnessVerdict.DUE
    if document.metadata.last_verified_at is None:
        return FreshnessVerdict.UNKNOWN
    return FreshnessVerdict.FRESH


def _store(connection: Connection, reports: Sequence[FreshnessReport], now: datetime) -> None:
    articles.next_sequence(connection)
    connection.execute(delete(freshness_verdicts))
    rows = [
        {
            "document_id": r.document_id,
            "version": r.version,
            "verdict": r.verdict.value,
            "probability": r.probability,
            "damage": r.damage,
            "reasons": report_to_json(r)["reasons"],
            "judged_at": now,
        }
        for r in reports
    ]
    if rows:
        connection.execute(insert(freshness_verdicts), rows)
