"""Everything the page of one gap shows, read in one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from api.pages.gaps.history import Happening, tell_history
from api.pages.gaps.nearest import Asked, Near, find_nearest
from api.pages.gaps.similar import Candidate, Placed, order_candidates
from api.pages.gaps.week_chart import Mark
from gaps.drafting.drafts import read_drafts
from gaps.drafting.publications import read_publications
from gaps.keeping import rows
from gaps.keeping.correcting import MOVABLE, read_corrections
from gaps.ranking.weeks import WEEK, list_weeks, start_of_week
from gaps.repository import StoredGap, read_gaps, read_stored_gap, read_tickets
from gaps.signals import read_told
from gaps.tables import coverages, tickets, topics
from gaps.types import Draft, Gap, GapStatus, Publication, Ticket
from kb.tables import documents

TICKETS_SHOWN = 12
TYPICAL = 3
FEWEST_WITH_ODD = 6
"""Among fewer tickets there is no odd one."""
BATCH = 500
OFFERED = (GapStatus.OPEN, GapStatus.DRAFTING, GapStatus.PUBLISHED)


@dataclass(frozen=True, slots=True)
class GapLink:
    """Another topic by name, with its gap's page where there is one."""

    title: str
    gap_id: str | None


@dataclass(frozen=True, slots=True)
class NearArticle:
    near: Near
    title: str
    about: str
    """Authority, audience and owner; empty for a document that is no longer there."""


@dataclass(frozen=True, slots=True)
class GapFacts:
    stored: StoredGap
    area: tuple[str, str] | None
    """Id and title of the topic's area."""
    merged_into: GapLink | None
    typical: tuple[Ticket, ...]
    odd: Ticket | None
    tickets: tuple[Ticket, ...]
    """Of one page, most central first."""
    ticket_ids: tuple[str, ...]
    """Of all that are still stored, most central first."""
    offset: int
    told: tuple[Ticket, ...]
    """What agents told of it, in the shape of tickets, newest first."""
    nearest: tuple[NearArticle, ...]
    weeks: tuple[tuple[datetime, int], ...]
    """Mondays and tickets, of the topic's whole series."""
    marks: tuple[Mark, ...]
    history: tuple[Happening, ...]
    drafts: tuple[Draft, ...]
    """Newest first."""
    candidates: tuple[Candidate, ...]
    """Gaps it could be merged into."""

    @property
    def gap(self) -> Gap:
        return self.stored.gap

    @property
    def ticket_count(self) -> int:
        return len(self.ticket_ids)

    @property
    def may_move(self) -> bool:
        """Whether it may be merged or split."""
        return self.gap.status in MOVABLE


def read_gap_facts(connection: Connection, gap_id: str, *, offset: int = 0) -> GapFacts:
    """Raises NotFoundError where there is no such gap."""
    stored = read_stored_gap(connection, gap_id)
    gap = stored.gap
    topic = rows.read_topic(connection, gap.topic_id)
    placed = _read_placed(connection)
    all_gaps = read_gaps(connection)
    links = _links(placed, all_gaps)
    ids = _keep_stored(connection, _central_first(gap, topic.topic.ticket_ids))
    has_odd = len(ids) >= FEWEST_WITH_ODD
    page = ids[offset : offset + TICKETS_SHOWN]
    typical = ids[:TYPICAL] if has_odd else []
    shown = [*page, *typical, *ids[-1:]]
    read = {t.ticket_id: t for t in read_tickets(connection, ids=shown)}
    published = read_publications(connection, gap_id=gap_id)
    history = tell_history(
        gap, rows.read_events(connection, gap.topic_id),
        [c for c in read_corrections(connection) if gap.topic_id in (c.topic_id, c.value)],
        published, {key: link.title for key, link in links.items()},
    )  # fmt: skip
    return GapFacts(
        stored=stored,
        area=_read_area(connection, topic.parent_id),
        merged_into=links.get(topic.merged_into) if topic.merged_into else None,
        typical=tuple(read[key] for key in typical),
        odd=read[ids[-1]] if has_odd else None,
        tickets=tuple(read[key] for key in page),
        ticket_ids=tuple(ids),
        offset=offset,
        told=_read_told(connection, gap),
        nearest=_read_nearest(connection, gap),
        weeks=_count_weeks(rows.read_instants(connection, gap.topic_id)) or _recent_weeks(gap),
        marks=_marks(published, history),
        history=history,
        drafts=tuple(read_drafts(connection, gap_id=gap_id)),
        candidates=order_candidates(gap, placed, [g for g in all_gaps if g.status in OFFERED]),
    )


def _central_first(gap: Gap, members: Sequence[str]) -> list[str]:
    """The gap's tickets as its topic orders them; those it does not know last."""
    own = set(gap.ticket_ids)
    return list(dict.fromkeys([*(key for key in members if key in own), *gap.ticket_ids]))


def _keep_stored(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those whose tickets were not deleted since, in their order."""
    stored: set[str] = set()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        stored.update(
            connection.execute(select(tickets.c.id).where(tickets.c.id.in_(batch))).scalars()
        )
    return [key for key in ids if key in stored]


def _read_placed(connection: Connection) -> dict[str, Placed]:
    found = connection.execute(
        select(topics.c.id, topics.c.title, topics.c.parent_id, topics.c.centroid, topics.c.recipe)
    )
    return {row.id: Placed(row.title, row.parent_id, row.centroid, row.recipe) for row in found}


def _links(placed: Mapping[str, Placed], found: Iterable[Gap]) -> dict[str, GapLink]:
    gap_ids = {gap.topic_id: gap.gap_id for gap in found}
    return {key: GapLink(one.title, gap_ids.get(key)) for key, one in placed.items()}


def _read_area(connection: Connection, area_id: str | None) -> tuple[str, str] | None:
    row = connection.execute(
        select(topics.c.id, topics.c.title).where(topics.c.id == area_id)
    ).first()
    return None if row is None else (row.id, row.title)


def _count_weeks(instants: Sequence[datetime]) -> tuple[tuple[datetime, int], ...]:
    if not instants:
        return ()
    counts = Counter(start_of_week(at) for at in instants)
    weeks = dict.fromkeys([*list_weeks(instants[0], instants[-1]), start_of_week(instants[-1])])
    return tuple((week, counts[week]) for week in weeks)


def _recent_weeks(gap: Gap) -> tuple[tuple[datetime, int], ...]:
    """Those of the gap's last run, for a topic whose tickets are counted with others now."""
    last = start_of_week(gap.last_seen_at)
    counts = gap.weekly_counts
    return tuple((last - (len(counts) - 1 - n) * WEEK, count) for n, count in enumerate(counts))


def _read_told(connection: Connection, gap: Gap) -> tuple[Ticket, ...]:
    found = read_told(connection, gap.ticket_ids)
    return tuple(sorted(found, key=lambda t: (t.created_at, t.ticket_id), reverse=True))


def _read_nearest(connection: Connection, gap: Gap) -> tuple[NearArticle, ...]:
    near = find_nearest(gap, _read_asked(connection, gap.ticket_ids))
    known = {
        row.id: row
        for row in connection.execute(
            select(documents).where(
                documents.c.id.in_([one.document_id for one in near]),
                documents.c.deleted_at.is_(None),
            )
        )
    }
    return tuple(
        NearArticle(
            one,
            known[one.document_id].title if one.document_id in known else one.document_id,
            _about(known.get(one.document_id)),
        )
        for one in near
    )


def _about(row: Row[Any] | None) -> str:
    if row is None:
        return ""
    authority = row.authority.replace("_", " ")
    return f"{authority[:1].upper()}{authority[1:]}, for {row.audience}, owned by {row.owner}"


def _read_asked(connection: Connection, ticket_ids: Sequence[str]) -> list[Asked]:
    asked: list[Asked] = []
    for start in range(0, len(ticket_ids), BATCH):
        found = connection.execute(
            select(coverages.c.probability, coverages.c.best_documents)
            .where(coverages.c.ticket_id.in_(ticket_ids[start : start + BATCH]))
            .order_by(coverages.c.ticket_id)
        )
        asked += [
            Asked(row.probability, tuple(str(key) for key, _ in row.best_documents))
            for row in found
        ]
    return asked


def _marks(published: Sequence[Publication], history: Sequence[Happening]) -> tuple[Mark, ...]:
    marks = [
        Mark(p.published_at, "published", f"Published: {p.document_id}, version {p.version}",
             f"/review/{p.draft_id}")
        for p in published
    ]  # fmt: skip
    marks += [
        Mark(p.rolled_back_at, "rolled_back", f"Rolled back: {p.document_id}",
             f"/review/{p.draft_id}")
        for p in published if p.rolled_back_at is not None
    ]  # fmt: skip
    marks += [Mark(h.at, h.kind, h.text) for h in history if h.kind in ("split", "merged")]
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.text)))
