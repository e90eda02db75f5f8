"""Are missing topics found on real tickets? Hides help articles and looks for them as gaps.

    python bench/missing.py --data DIR [--work DIR] [--json FILE] [--seeds N] [--only WORLD]

DIR holds `sumo_thunderbird_dev`, which is not part of this repository (bench/README.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from missing_data import HIDDEN_FILE, World, read_worlds, write_world
from missing_peers import RESOLUTIONS, find_by_question, link_uncovered
from missing_score import Score, score_topics
from sqlalchemy import delete
from thunderbird_data import find_data

from api.wiring import Application
from gaps import repository, tables
from gaps.finding.coverage import measure_coverage
from gaps.finding.finder import FinderSettings, find_gaps
from gaps.types import Ticket
from kb import articles
from kb.clock import FixedClock

READ = 30
"""Gaps written for reading."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the worlds asked for; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data)
    if not isinstance(data, str) and not (data / HIDDEN_FILE).is_file():
        data = f"{data} lacks {HIDDEN_FILE}; it is read, never downloaded"
    if isinstance(data, str):
        print(f"missing: {data}", file=sys.stderr)
        return 2
    if options.work is not None:
        return _run(options, data, options.work.resolve())
    with tempfile.TemporaryDirectory(prefix="kb-missing-") as work:
        return _run(options, data, Path(work))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="missing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds sumo_thunderbird_dev")
    parser.add_argument("--work", type=Path, help="kept for reading; else a temporary folder")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--seeds", type=int, default=3, help="runs of the finder a world")
    parser.add_argument("--only", choices=("given", "other", "2023"), help="one world")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, data: Path, work: Path) -> int:
    figures: dict[str, Any] = {}
    for name, world in zip(("given", "other", "2023"), read_worlds(data), strict=True):
        if options.only in (None, name):
            figures[name] = _measure(data, world, work / name, options.seeds)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return 0


def _measure(data: Path, world: World, folder: Path, seeds: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    config, lines = write_world(data, world, folder)
    end = datetime.fromisoformat(world.until).replace(tzinfo=UTC)
    application = Application.open(config, FixedClock(end))
    for report in application.sync_sources():
        if "failed" in report:
            raise SystemExit(f"missing: {report['failed']}")
    with lines.open("rb") as file:
        application.desk.import_tickets(file, "bench")
    print(f"{world.name}: {len(world.hidden)} hidden, {len(world.labelled)} labelled tickets")
    runs = [_find(application, world, folder, seed) for seed in range(1, seeds + 1)]
    return {"product": runs, "peers": _peers(application, world)}


def _find(application: Application, world: World, folder: Path, seed: int) -> dict[str, Any]:
    """One run of the product's finder, as on a fresh installation: nothing known before."""
    with application.database.write() as connection:
        for table in (
            tables.gaps, tables.gap_runs, tables.topic_events, tables.topic_members, tables.topics,
        ):  # fmt: skip
            connection.execute(delete(table))
    settings = replace(
        FinderSettings("thunderbird", authorities=application.settings.hierarchy.authorities),
        seed=seed,
    )
    report = find_gaps(
        application.database,
        application.retriever,
        application.encoder,
        settings=settings,
        now=application.clock.now(),
        since=datetime.fromisoformat(world.since).replace(tzinfo=UTC),
    ).to_json()
    missing = [gap for gap in report["gaps"] if gap["kind"] == "missing"]
    kept = json.dumps(missing[:READ], indent=2, ensure_ascii=False)
    (folder / f"missing-{seed}.json").write_text(kept, encoding="utf-8")
    score = score_topics(world, [gap["tickets"] for gap in missing])
    kinds = dict(Counter(gap["kind"] for gap in report["gaps"]))
    _print(f"product, seed {seed}", score, f"{len(missing)} missing gaps, all kinds {kinds}")
    return asdict(score) | {"seed": seed, "kinds": kinds, "tickets": report["tickets"]}


def _peers(application: Application, world: World) -> dict[str, Any]:
    with application.database.read() as connection:
        tickets = sorted(repository.read_tickets(connection), key=lambda t: t.ticket_id)
        live = {document.document_id for document in articles.read_documents(connection)}
    encoded = application.retriever.encode([ticket.question for ticket in tickets])
    matrix = np.asarray(np.stack(encoded), np.float32)
    found = {"FreeITSM-like": link_uncovered(matrix, _best_cosines(application, tickets, live))}
    for resolution in RESOLUTIONS:
        found[f"Leiden on questions, {resolution}"] = find_by_question(matrix, resolution, 1)
    figures = {}
    for name, groups in found.items():
        score = score_topics(world, [[tickets[p].ticket_id for p in group] for group in groups])
        _print(name, score, f"{len(groups)} topics")
        figures[name] = asdict(score) | {"topics": len(groups)}
    return figures


def _best_cosines(
    application: Application, tickets: Sequence[Ticket], live: set[str]
) -> list[float]:
    covered = measure_coverage(application.retriever, tickets, live)
    return [max((cosine for _, cosine in c.best_documents), default=0.0) for c in covered]


def _print(name: str, score: Score, size: str) -> None:
    ranks = " ".join(str(rank) for rank in sorted(score.labelled.values()))
    print(
        f"  {name}: strict {len(score.strict)}, labelled {len(score.labelled)} "
        f"(ranks {ranks or '-'}); {size}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
