"""One check of every published link: ours from the database, others through the guarded client."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ingest.fetching import Fetcher
from ingest.links import rows
from ingest.links.checking import LinkChecker
from ingest.links.extracting import extract_links
from ingest.links.judging import (
    KnownDocument,
    KnownPlaces,
    LinkState,
    LinkVerdict,
    is_fresh,
    judge_document,
)
from kb import audit
from kb.clock import format_instant
from kb.database import Database
from kb.ports import Clock

KEPT_DAYS = {
    LinkVerdict.OK: 6,
    LinkVerdict.REDIRECTED: 6,
    LinkVerdict.DEAD: 1,
    LinkVerdict.UNKNOWN: 1,
}
"""A weekly run asks again for everything, one that goes on after a failure for nothing it knows."""
BATCH_LINKS = 50
"""Findings stored at a time: what a killed run has found is not asked for again."""

Place = tuple[str, int, str]
"""Document id, version and the link as written."""


@dataclass(slots=True)
class _Plan:
    """What there is to do."""

    ours: dict[Place, LinkState] = field(default_factory=dict)
    others: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    """Places by absolute URL."""
    kept: set[tuple[str, str]] = field(default_factory=set)


def check_links(
    database: Database, clock: Clock, open_fetcher: Callable[[], Fetcher] | None
) -> dict[str, object]:
    """Check every link of every published article and keep what was found.

    Args:
        database: Where articles are and findings go.
        clock: For ages and dates.
        open_fetcher: Makes the client; None where nothing may leave the machine, and then only
            links between our own articles are judged.

    Returns:
        What `kb links check --json` prints.
    """
    now = clock.now()
    with database.read() as connection:
        plan = _plan(
            KnownPlaces(rows.read_known_documents(connection)),
            rows.read_published_texts(connection),
            now,
        )
        before = rows.read_states(connection)
    with database.write() as connection:
        for (document_id, version, link), state in plan.ours.items():
            rows.write_state(connection, document_id, version, link, state)
        rows.delete_others(connection, plan.kept)
    known = {
        url: before[url]
        for url in plan.others
        if url in before and is_fresh(before[url], now, KEPT_DAYS)
    }
    _store(database, plan, known)
    asked = sorted(set(plan.others) - set(known)) if open_fetcher is not None else []
    if open_fetcher is not None and asked:
        asyncio.run(_check_others(database, clock, open_fetcher, plan, asked))
    report = _report(database, plan, cached=len(known), asked=len(asked), now=now)
    with database.write() as connection:
        audit.write_entry(
            connection, at=now, actor="kbops", action="links.check", subject="links",
            details={key: report[key] for key in ("links", "cached", "asked", "skipped")},
        )  # fmt: skip
    return report


def _plan(places: KnownPlaces, texts: list[tuple[str, int, str]], now: datetime) -> _Plan:
    plan = _Plan()
    for document_id, version, markdown in texts:
        origin = places.find(document_id)
        if origin is None:
            continue
        for link in extract_links(markdown):
            meant = places.resolve(origin, link)
            if meant is None:
                continue
            place = (document_id, version, link)
            plan.kept.add((document_id, link))
            if isinstance(meant, KnownDocument):
                plan.ours[place] = judge_document(meant, now)
            else:
                plan.others[meant.partition("#")[0]].append(place)
    return plan


async def _check_others(
    database: Database,
    clock: Clock,
    open_fetcher: Callable[[], Fetcher],
    plan: _Plan,
    asked: list[str],
) -> None:
    batch: dict[str, LinkState] = {}
    async with open_fetcher() as fetcher:
        try:
            async for url, state in LinkChecker(fetcher, clock.now).check(asked):
                batch[url] = state
                if len(batch) >= BATCH_LINKS:
                    _store(database, plan, batch)
                    batch = {}
        finally:
            _store(database, plan, batch)


def _store(database: Database, plan: _Plan, found: Mapping[str, LinkState]) -> None:
    if not found:
        return
    with database.write() as connection:
        for url, state in found.items():
            for document_id, version, link in plan.others[url]:
                rows.write_state(connection, document_id, version, link, state)


def _report(
    database: Database, plan: _Plan, *, cached: int, asked: int, now: datetime
) -> dict[str, object]:
    with database.read() as connection:
        found = rows.read_links(connection)
    worth_saying = [row for row in found if row["verdict"] != LinkVerdict.OK.value]
    return {
        "links": len(plan.kept),
        "ours": len(plan.ours),
        "cached": cached,
        "asked": asked,
        "skipped": len(plan.others) - cached - asked,
        "verdicts": dict(sorted(Counter(row["verdict"] for row in found).items())),
        "found": list(_to_json(worth_saying)),
        "checked_at": format_instant(now),
    }


def _to_json(found: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    for row in found:
        checked_at = row["checked_at"]
        assert isinstance(checked_at, datetime)
        yield row | {"checked_at": format_instant(checked_at)}
