"""The weekly cycle: judge, find, draft, measure, and say what last week's change did.

Each step stands alone: one that fails is recorded with its error and the rest still runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gaps import repository
from gaps.drafting.drafts import read_drafts
from gaps.drafting.publications import read_publications
from gaps.drafting.renewal import find_outgrown, renew_draft
from gaps.drafting.writer import UNDER_REVIEW, DraftingSettings, Gate, create_draft
from gaps.freshness.check import check_freshness
from gaps.freshness.outside import NOTHING_TOLD, Outside
from gaps.operating.conflict_check import check_conflicts
from gaps.operating.effect import measure_effects, read_effects
from gaps.tables import drives, reviews
from gaps.types import DraftState, Gap, GapStatus, TicketStatus
from kb import audit
from kb.clock import format_instant
from kb.database import Database
from kb.errors import InvalidInputError, KbError
from kb.ports import Encoder
from kb.retrieval.retriever import Retriever
from kb.tables import searches

MIN_EFFECT_AGE = timedelta(days=7)
DRAFTED_PROBABILITY = 0.5
"""Below an even chance a gap waits for a person to ask for its draft: an owner's time is dear."""

FindGaps = Callable[[], dict[str, Any]]
"""Runs `kb gaps find` for the period and gives what it prints; handed in by api/wiring."""


@dataclass(frozen=True, slots=True)
class DriveTools:
    """What a drive works with."""

    database: Database
    retriever: Retriever
    encoder: Encoder
    settings: DraftingSettings
    find_gaps: FindGaps
    gate: Gate | None = None
    learn: Callable[[], dict[str, Any]] | None = None
    """`kb learn`; handed in by api/wiring."""
    outside: Outside = NOTHING_TOLD
    """Releases, edits and views that the team tells."""
    publish_earned: Callable[[], dict[str, Any]] | None = None
    """Publishes what an earned rule covers."""


def period_of(moment: datetime) -> str:
    """The ISO week of an instant, in UTC: "2026-W45"."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02d}"


def period_bounds(period: str) -> tuple[datetime, datetime]:
    """Monday 00:00 UTC of an ISO week, and of the next.

    Raises:
        InvalidInputError: It is not a week like "2026-W45".
    """
    try:
        start = datetime.strptime(f"{period}-1", "%G-W%V-%u").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInputError(f"{period!r} is not an ISO week such as 2026-W45") from None
    return start, start + timedelta(days=7)


def run_drive(tools: DriveTools, *, period: str, now: datetime) -> dict[str, Any]:
    """Run the cycle of a week and store its report; running again replaces it.

    Args:
        tools: Database, retriever, encoder, settings and the gap finder.
        period: ISO week the figures are about.
        now: The moment everything is judged at.

    Returns:
        The report: figures, every step's outcome, and last week's effects.

    Raises:
        InvalidInputError: The period is no ISO week.
        UnavailableError: The database is away, so nothing can be recorded.
    """
    start, end = period_bounds(period)
    database, settings = tools.database, tools.settings
    steps: dict[str, Any] = {}
    # Conflicts first: the verdict on freshness reads them.
    _run_step(steps, "conflicts", lambda: _conflicts(tools, now))
    _run_step(
        steps,
        "freshness",
        lambda: _summarise_freshness(
            check_freshness(
                database,
                now=now,
                authorities=settings.authorities,
                recipe=tools.encoder.recipe,
                outside=tools.outside,
            )
        ),
    )
    if tools.learn is not None:
        _run_step(steps, "learning", tools.learn)
    _run_step(steps, "gaps", lambda: _summarise_gaps(tools.find_gaps()))
    _run_step(steps, "drafts", lambda: draft_strongest(tools, now=now))
    if tools.publish_earned is not None:
        _run_step(steps, "autonomous", tools.publish_earned)
    _run_step(steps, "effects", lambda: measure_due(tools, now=now))
    _run_step(steps, "figures", lambda: _read_figures(database, start, end))
    report = {
        "period": period,
        "ran_at": format_instant(now),
        "steps": steps,
        "failed": sorted(name for name, step in steps.items() if step["status"] == "failed"),
    }
    with database.write() as connection:
        _store(connection, period, now, report)
    return report


def _run_step(steps: dict[str, Any], name: str, step: Callable[[], Any]) -> None:
    try:
        steps[name] = {"status": "done", "result": step()}
    except Exception as error:  # The edge of a job's step: the rest of the week still runs.
        message = error.message if isinstance(error, KbError) else str(error)
        steps[name] = {"status": "failed", "error": f"{type(error).__name__}: {message}"}


def _conflicts(tools: DriveTools, now: datetime) -> dict[str, Any]:
    found = check_conflicts(
        tools.database, tools.encoder, now=now, authorities=tools.settings.authorities
    )
    return {
        "found": len(found),
        "pairs": [
            {
                "documents": [c.left.document_id, c.right.document_id],
                "values": [c.left_value, c.right_value],
                "winner": c.ruling.winner if c.ruling else None,
                "rule": c.ruling.rule if c.ruling else "tie",
            }
            for c in found
        ],
    }


def _summarise_freshness(report: dict[str, Any]) -> dict[str, Any]:
    documents = report["documents"]
    return {
        "run": report["run"],
        "documents": len(documents),
        "verdicts": dict(sorted(Counter(d["verdict"] for d in documents).items())),
        "most_damaging": [
            {key: d[key] for key in ("document_id", "verdict", "probability", "damage")}
            for d in documents[:5]
        ],
    }


def _summarise_gaps(report: dict[str, Any]) -> dict[str, Any]:
    found = report.get("gaps", [])
    tickets = report.get("tickets", {})
    read = tickets.get("read") or 0
    return {
        "run": report.get("run"),
        "tickets": tickets,
        "uncovered_share": round(tickets.get("uncovered", 0) / read, 4) if read else None,
        "gaps": len(found),
        "kinds": dict(sorted(Counter(g["kind"] for g in found).items())),
        "strongest": [{"gap_id": g["gap_id"], "title": g["title"]} for g in found[:5]],
    }


def draft_strongest(tools: DriveTools, *, now: datetime) -> dict[str, Any]:
    """Draft for the strongest open gaps that have none; a refusal is asked again only when the
    gap has new tickets."""
    written: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with tools.database.read() as connection:
        waiting = [
            gap
            for gap in repository.read_gaps(connection, status=GapStatus.OPEN)
            if gap.probability >= DRAFTED_PROBABILITY
            and not gap.needs_look
            and _needs_draft(connection, gap)
        ][: tools.settings.drafts_per_drive]
    for gap in waiting:
        try:
            draft = create_draft(
                tools.database, tools.retriever, tools.encoder, gap.gap_id, now=now,
                settings=tools.settings, gate=tools.gate, actor="drive",
            )  # fmt: skip
        except KbError as error:
            failed.append({"gap_id": gap.gap_id, "error": error.message})
            continue
        written.append(
            {"draft_id": draft.draft_id, "gap_id": gap.gap_id, "state": draft.state.value}
        )
    return {"written": written, "renewed": _renew_outgrown(tools, now), "failed": failed}


def _renew_outgrown(tools: DriveTools, now: datetime) -> list[str]:
    """Ids of the waiting drafts that were written anew, because their gaps have grown."""
    renewed = []
    for draft, gap in find_outgrown(tools.database)[: tools.settings.drafts_per_drive]:
        fresh = renew_draft(
            tools.database, tools.retriever, tools.encoder, draft, gap, now=now,
            settings=tools.settings, gate=tools.gate, actor="drive",
        )  # fmt: skip
        if fresh is not None:
            renewed.append(fresh.draft_id)
    return renewed


def _needs_draft(connection: Connection, gap: Gap) -> bool:
    drafts = read_drafts(connection, gap_id=gap.gap_id, limit=1)
    if not drafts:
        return True
    if drafts[0].state in UNDER_REVIEW:
        return False
    return gap.last_seen_at > drafts[0].created_at


def measure_due(tools: DriveTools, *, now: datetime) -> list[dict[str, Any]]:
    """Effects of every live publication older than a week, and what last week's became."""
    with tools.database.read() as connection:
        due = read_publications(connection, until=now - MIN_EFFECT_AGE, live_only=True)
        last = {p.publication_id: read_effects(connection, p.publication_id)[:1] for p in due}
    found = []
    measured = measure_effects(
        tools.database, tools.retriever, [p.publication_id for p in due], now=now
    )
    for publication, effect in zip(due, measured, strict=True):
        before = last[publication.publication_id]
        found.append(
            {
                "publication_id": publication.publication_id,
                "document_id": publication.document_id,
                "version": publication.version,
                "verdict": effect.verdict,
                "why": effect.report.get("why"),
                "answering": effect.report["answering"]["verdict"],
                "demand": effect.report["weekly_tickets"]["verdict"],
                "previous_verdict": before[0].verdict if before else None,
            }
        )
    return found


def _read_figures(database: Database, start: datetime, end: datetime) -> dict[str, Any]:
    with database.read() as connection:
        answered: dict[bool, int] = {
            row[0]: row[1]
            for row in connection.execute(
                select(searches.c.answerable, func.count())
                .where(searches.c.at >= start, searches.c.at < end)
                .group_by(searches.c.answerable)
            )
        }
        decisions: dict[str, int] = {
            row[0]: row[1]
            for row in connection.execute(
                select(reviews.c.decision, func.count())
                .where(reviews.c.at >= start, reviews.c.at < end)
                .group_by(reviews.c.decision)
            )
        }
        tickets = repository.read_tickets(connection, since=start, until=end)
        published = read_publications(connection, since=start, until=end)
        refused = read_drafts(connection, states=(DraftState.REFUSED,), limit=10_000)
    asked = sum(answered.values())
    solved = [t for t in tickets if t.status in (TicketStatus.SOLVED, TicketStatus.CLOSED)]
    linked = [t for t in solved if t.linked_articles]
    return {
        "searches": asked,
        "answer_rate": round(answered.get(True, 0) / asked, 4) if asked else None,
        "tickets": len(tickets),
        "solved": len(solved),
        "link_rate": round(len(linked) / len(solved), 4) if solved else None,
        "reviews": {name: decisions.get(name, 0) for name in ("approve", "edit", "reject")},
        "published": [p.document_id for p in published],
        "refused_drafts": sum(start <= d.created_at < end for d in refused),
    }


def _store(connection: Connection, period: str, now: datetime, report: dict[str, Any]) -> None:
    changed = connection.execute(
        update(drives).where(drives.c.period == period).values(ran_at=now, report=report)
    )
    if changed.rowcount == 0:
        connection.execute(insert(drives).values(period=period, ran_at=now, report=report))
    audit.write_entry(
        connection, at=now, actor="kbops", action="drive.run", subject=period,
        details={"failed": report["failed"]},
    )  # fmt: skip


def read_drive(connection: Connection, period: str) -> dict[str, Any] | None:
    """The stored report of a week."""
    row = connection.execute(select(drives.c.report).where(drives.c.period == period)).first()
    return dict(row.report) if row else None


def read_drives(
    connection: Connection, *, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Stored reports, latest week first."""
    rows = connection.execute(
        select(drives.c.report).order_by(drives.c.period.desc()).limit(limit).offset(offset)
    )
    return [dict(row.report) for row in rows]
