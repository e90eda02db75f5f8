"""What the last check found, beside the articles as they are now: the queue to work through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from gaps.freshness.verdicts import CheckVerdict
from gaps.tables import drafts, freshness_history, gaps
from gaps.types import DraftState, GapKind, GapStatus
from kb.clock import format_instant
from kb.errors import NotFoundError
from kb.tables import documents, freshness_verdicts

ANY = "any"
WAITING, READY, CONFIRMED = "waiting", "ready", "confirmed"
SHOWS = (WAITING, READY, CONFIRMED, ANY)
"""Waiting for somebody; ready to be confirmed anew; confirmed, or changed, since the check."""
UNDECIDED = (DraftState.IN_REVIEW, DraftState.CHANGES_ASKED, DraftState.APPROVED)
REPAIRS = (GapKind.STALE, GapKind.WRONG, GapKind.CONFLICT, GapKind.DUPLICATE)
BATCH = 500


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """An article's verdict, and whether anything happened since."""

    document_id: str
    title: str
    owner: str
    source: str
    audience: str
    version: int
    """Served now."""
    judged_version: int
    verdict: str
    probability: float
    damage: float
    """Expected wrong answers a week, weighed by severity and authority."""
    reasons: tuple[Mapping[str, Any], ...]
    """Heaviest first: signal, weight, evidence, text."""
    judged_at: datetime
    last_verified_at: datetime | None
    verified_by: str | None
    review_every_days: int | None

    @property
    def ready(self) -> str:
        """Why it could be confirmed without a look at it; empty where it could not."""
        return next((str(r["ready"]) for r in self.reasons if r.get("ready")), "")

    @property
    def is_settled(self) -> bool:
        """Confirmed by somebody or replaced by a newer version since it was judged."""
        confirmed = (
            self.verified_by is not None
            and self.last_verified_at is not None
            and self.last_verified_at >= self.judged_at
        )
        return confirmed or self.version != self.judged_version

    @property
    def show(self) -> str:
        """Which part of the queue it is in, one of `SHOWS`."""
        if self.is_settled:
            return CONFIRMED
        return READY if self.ready else WAITING

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of what speaks against it, heaviest first, each once."""
        return tuple(dict.fromkeys(str(reason["signal"]) for reason in self.reasons))


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What of the queue is asked for; an empty string means all."""

    owner: str = ""
    verdict: str = ""
    """A `CheckVerdict`, "any", or empty: all but what is fresh."""
    signal: str = ""
    show: str = WAITING
    """One of `SHOWS`; what is ready is waiting, too."""
    text: str = ""
    """Words that all must occur in the title or the id."""

    @property
    def wants_fresh(self) -> bool:
        return self.verdict in (ANY, CheckVerdict.FRESH.value)


@dataclass(frozen=True, slots=True)
class Repair:
    """What is under way for an article, or could be."""

    gap_id: str
    gap_title: str
    gap_owner: str
    draft_id: str | None
    is_writable: bool
    """Whether a draft can be asked for."""


def read_queue(
    connection: Connection, owner: str | None = None, *, with_fresh: bool = True
) -> list[QueueEntry]:
    """Every published article with its verdict, most damaging first.

    Args:
        connection: Any.
        owner: Only what they own.
        with_fresh: Whether what is fresh is wanted, which is most of a large knowledge base.
    """
    query = _select_entries().order_by(
        freshness_verdicts.c.damage.desc(), freshness_verdicts.c.probability.desc(), documents.c.id
    )
    if owner is not None:
        query = query.where(documents.c.owner == owner)
    if not with_fresh:
        query = query.where(freshness_verdicts.c.verdict != CheckVerdict.FRESH.value)
    return [_to_entry(row) for row in connection.execute(query)]


def read_entry(connection: Connection, document_id: str) -> QueueEntry:
    """Raises NotFoundError where it is not published, or was never judged."""
    row = connection.execute(_select_entries().where(documents.c.id == document_id)).first()
    if row is None:
        raise NotFoundError("verdict on document", document_id)
    return _to_entry(row)


def count_judged(connection: Connection, owner: str | None = None) -> int:
    """How many published articles have a verdict."""
    query = (
        select(func.count())
        .select_from(documents)
        .join(freshness_verdicts, freshness_verdicts.c.document_id == documents.c.id)
        .where(documents.c.deleted_at.is_(None))
    )
    if owner is not None:
        query = query.where(documents.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def read_judged_at(connection: Connection) -> datetime | None:
    """When the last check judged; None before the first."""
    found: datetime | None = connection.execute(
        select(func.max(freshness_verdicts.c.judged_at))
    ).scalar()
    return found


def choose_entries(entries: Sequence[QueueEntry], asked: QueueFilter) -> list[QueueEntry]:
    """The entries that are asked for, in the order given."""
    tests = _tests(asked).values()
    return [entry for entry in entries if all(test(entry) for test in tests)]


def count_choices(entries: Sequence[QueueEntry], asked: QueueFilter) -> dict[str, dict[str, int]]:
    """How many entries each choice of a filter would show, the other filters as they are.

    Returns:
        By filter (owner, verdict, signal, show), counts by value.
    """
    tests = _tests(asked)
    values: dict[str, Callable[[QueueEntry], Iterable[str]]] = {
        "owner": lambda entry: (entry.owner,),
        "verdict": lambda entry: (entry.verdict,),
        "signal": lambda entry: entry.signals,
        "show": _shows,
    }
    counts: dict[str, dict[str, int]] = {}
    for name, read in values.items():
        others = [test for other, test in tests.items() if other != name]
        held = [entry for entry in entries if all(test(entry) for test in others)]
        counts[name] = dict(Counter(value for entry in held for value in read(entry)))
    return counts


def read_since(connection: Connection, document_ids: Sequence[str]) -> dict[str, datetime]:
    """Since when each has had the verdict it has now, as far as history tells."""
    since: dict[str, datetime] = {}
    for start in range(0, len(document_ids), BATCH):
        rows = connection.execute(
            select(
                freshness_history.c.document_id, freshness_history.c.at, freshness_history.c.verdict
            )
            .where(freshness_history.c.document_id.in_(document_ids[start : start + BATCH]))
            .order_by(freshness_history.c.document_id, freshness_history.c.at.desc())
        )
        latest: dict[str, str] = {}
        ended: set[str] = set()
        for row in rows:
            verdict = latest.setdefault(row.document_id, row.verdict)
            if verdict != row.verdict:
                ended.add(row.document_id)
            if row.document_id not in ended:
                since[row.document_id] = row.at
    return since


def read_repairs(connection: Connection, document_ids: Sequence[str]) -> dict[str, Repair]:
    """For each article the draft that is waiting, else the strongest gap that a draft would close.

    A draft that changes the article counts whatever its gap is called.
    """
    wanted, found = set(document_ids), {}
    waiting = connection.execute(
        select(drafts.c.id, drafts.c.document_id, gaps.c.id.label("gap_id"), gaps.c.title,
               gaps.c.owner)
        .join(gaps, gaps.c.id == drafts.c.gap_id)
        .where(drafts.c.state.in_([state.value for state in UNDECIDED]),
               drafts.c.base_version.is_not(None))
        .order_by(drafts.c.created_at, drafts.c.id)
    )  # fmt: skip
    for row in waiting:
        if row.document_id in wanted:
            found[row.document_id] = Repair(row.gap_id, row.title, row.owner, row.id, False)
    open_gaps = connection.execute(
        select(gaps.c.id, gaps.c.title, gaps.c.owner, gaps.c.document_ids, gaps.c.status)
        .where(
            gaps.c.kind.in_([kind.value for kind in REPAIRS]),
            gaps.c.status.in_([GapStatus.OPEN.value, GapStatus.DRAFTING.value]),
        )
        .order_by(gaps.c.priority.desc(), gaps.c.id)
    )
    for row in open_gaps:
        # The first document is the one the gap is about.
        for document_id in row.document_ids[:1]:
            if document_id in wanted and document_id not in found:
                found[document_id] = Repair(row.id, row.title, row.owner, None, True)
    return found


def entry_to_json(entry: QueueEntry, since: datetime | None) -> dict[str, Any]:
    """An entry as `GET /v1/freshness` and `kb freshness show --json` give it."""
    verified = entry.last_verified_at
    return {
        "document_id": entry.document_id,
        "title": entry.title,
        "owner": entry.owner,
        "source": entry.source,
        "version": entry.version,
        "judged_version": entry.judged_version,
        "verdict": entry.verdict,
        "probability": entry.probability,
        "damage": entry.damage,
        "reasons": [dict(reason) for reason in entry.reasons],
        "show": entry.show,
        "judged_at": format_instant(entry.judged_at),
        "since": format_instant(since) if since else None,
        "last_verified_at": format_instant(verified) if verified else None,
        "verified_by": entry.verified_by,
        "review_every_days": entry.review_every_days,
    }


def _select_entries() -> Any:
    return (
        select(
            documents.c.id, documents.c.title, documents.c.owner, documents.c.source,
            documents.c.audience, documents.c.version, documents.c.last_verified_at,
            documents.c.verified_by, documents.c.review_every_days,
            freshness_verdicts.c.version.label("judged_version"), freshness_verdicts.c.verdict,
            freshness_verdicts.c.probability, freshness_verdicts.c.damage,
            freshness_verdicts.c.reasons, freshness_verdicts.c.judged_at,
        )
        .join(freshness_verdicts, freshness_verdicts.c.document_id == documents.c.id)
        .where(documents.c.deleted_at.is_(None))
    )  # fmt: skip


def _to_entry(row: Any) -> QueueEntry:
    return QueueEntry(
        row.id, row.title, row.owner, row.source, row.audience, row.version, row.judged_version,
        row.verdict, row.probability, row.damage, tuple(row.reasons), row.judged_at,
        row.last_verified_at, row.verified_by, row.review_every_days,
    )  # fmt: skip


def _shows(entry: QueueEntry) -> tuple[str, ...]:
    return (READY, WAITING) if entry.show == READY else (entry.show,)


def _tests(asked: QueueFilter) -> dict[str, Callable[[QueueEntry], bool]]:
    words = asked.text.casefold().split()
    fresh = CheckVerdict.FRESH.value
    return {
        "owner": lambda entry: asked.owner in ("", entry.owner),
        "verdict": lambda entry: (
            entry.verdict != fresh if not asked.verdict else asked.verdict in (ANY, entry.verdict)
        ),
        "signal": lambda entry: not asked.signal or asked.signal in entry.signals,
        "show": lambda entry: asked.show == ANY or asked.show in _shows(entry),
        "text": lambda entry: all(
            word in f"{entry.title} {entry.document_id}".casefold() for word in words
        ),
    }
