"""Replays a dated help centre through the product: sync, ticket import, freshness check."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from freshness_data import DatedBase, Snapshot, write_snapshot
from thunderbird_data import read_tickets, write_lines

from api.wiring import Application
from gaps.freshness.facts import ArticleFacts, Finding, World
from gaps.freshness.reading import read_facts
from gaps.freshness.signals import find_signals, read_features
from kb.clock import FixedClock


@dataclass(frozen=True, slots=True)
class Judged:
    """One article on one day: what was known of it, and what became of it."""

    document_id: str
    facts: ArticleFacts
    world: World
    shipped: float
    """Probability by the model that is shipped, as `kb freshness check` printed it."""
    changed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One article on one day as the model reads it, and what became of it."""

    document_id: str
    findings: tuple[Finding, ...]
    values: dict[str, float]
    changed: bool


def read_rows(judged: Sequence[Judged], *, conflicts: bool) -> list[Row]:
    """Findings and features, by the present code; what was known is kept.

    Args:
        judged: Of one day.
        conflicts: Whether conflicts count; they do not where word hashing aligned the sentences.
    """
    rows = []
    for one in judged:
        facts = one.facts if conflicts else replace(one.facts, lost=())
        findings = find_signals(facts, one.world)
        values = read_features(facts, findings)
        rows.append(Row(one.document_id, tuple(findings), values, one.changed))
    return rows


def replay(
    base: DatedBase,
    work: Path,
    *,
    tickets: Path | None = None,
    conflicts: bool = True,
    encoder: str = "hashing",
) -> list[tuple[Snapshot, list[Judged]]]:
    """Every snapshot in order, each judged with what was known on its day.

    Args:
        base: The help centre.
        work: Folder of the knowledge base, kept between snapshots.
        tickets: Folder of the Thunderbird data; None: the set has no tickets.
        conflicts: Whether conflicts are looked for first, as `kb freshness check` does.
        encoder: "hashing" is as good where only changed texts and near-duplicates matter.
    """
    kept = work / f"{base.name}.pickle"
    if kept.is_file():
        return pickle.loads(kept.read_bytes())
    found = []
    for snapshot in base.snapshots:
        judged = _judge(base, snapshot, work / base.name, tickets, conflicts, encoder)
        print(f"{base.name} {snapshot.day}: {len(judged)} articles", file=sys.stderr, flush=True)
        found.append((snapshot, judged))
    kept.write_bytes(pickle.dumps(found))
    return found


def _judge(
    base: DatedBase,
    snapshot: Snapshot,
    folder: Path,
    tickets: Path | None,
    conflicts: bool,
    encoder: str,
) -> list[Judged]:
    config = write_snapshot(base, snapshot, folder, encoder)
    now = datetime.fromisoformat(snapshot.day).replace(hour=6, tzinfo=UTC)
    application = Application.open(config, FixedClock(now))
    try:
        list(application.sync_sources())
        if tickets is not None:
            _import(application, tickets, snapshot, folder)
        report = application.weekly.check_freshness(conflicts=conflicts)
        shipped = {d["document_id"]: d["probability"] for d in report["documents"]}
        with application.database.read() as connection:
            facts, world = read_facts(connection, now, application.weekly.read_outside())
    finally:
        application.close()
    judged = []
    for article in facts:
        key = article.document.document_id
        if key in snapshot.changed:
            judged.append(Judged(key, article, world, shipped[key], snapshot.changed[key]))
    return judged


def _import(application: Application, data: Path, snapshot: Snapshot, folder: Path) -> None:
    slugs = {article.slug for article in snapshot.articles}
    rows = read_tickets(data, "2000-01-01", snapshot.day, slugs)
    lines = folder / "tickets.jsonl"
    write_lines(rows, lines)
    with lines.open("rb") as opened:
        application.desk.import_tickets(opened, "bench")
