"""Gathers what bears on every published version, from what earlier runs have read already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scipy.stats import poisson
from sqlalchemy import Connection, func, select

from gaps.freshness import text_rows, ticket_rows
from gaps.freshness.facts import (
    Activity,
    ArticleFacts,
    LinkVerdict,
    LostConflict,
    Shown,
    Uses,
    World,
)
from gaps.freshness.outside import Outside, summarise_edits, weigh_revisions
from gaps.freshness.terms import ArticleText
from gaps.freshness.ticket_rows import MONTH, QUARTER, YEAR
from gaps.freshness.world import FEWEST_TICKETS, newest_of_releases
from gaps.tables import tickets
from kb import articles
from kb.database import Database
from kb.freshness import DEFAULT_REVIEW_DAYS
from kb.hierarchy import find_superseded
from kb.retrieval.catalogue import read_alike
from kb.tables import conflicts, documents, links, outcomes, searches, sources, versions
from kb.types import Audience, Document

FIRST_HITS = 3
WATCHED = timedelta(days=90)
"""Before, the edits and uses of an article are too few to say how busy it is."""
PRIOR_FAILED, PRIOR_USED = 1, 10
VANISHED_CHANCE = 0.001
LEAST_EXPECTED = 6.0
GONE_SHARE = 0.1
"""Of what was expected: said less often is not gone."""
FEWEST_VERSION = 5
"""Tickets that must name a version before it counts as out."""
FAILED_OUTCOMES = ("not_resolved", "escalated", "wrong")


@dataclass(slots=True)
class _Tally:
    month: int = 0
    quarter: int = 0
    rated: int = 0
    bad: int = 0
    rated_month: int = 0
    bad_month: int = 0
    wrong: list[str] = field(default_factory=list)
    ended: dict[str, None] = field(default_factory=dict)

    def to_shown(self) -> Shown:
        return Shown(
            self.month, self.quarter, self.rated, self.bad, self.rated_month, self.bad_month,
            tuple(self.wrong), tuple(self.ended),
        )  # fmt: skip


def refresh_readings(database: Database, now: datetime, recipe: str) -> dict[str, int]:
    """Read new texts and tickets; what is committed stays when the run is stopped.

    Returns:
        How many texts and tickets were read, and how many pairs compared.
    """
    read = text_rows.read_new_texts(database, recipe)
    with database.read() as connection:
        names = _read_names(connection)
    found = ticket_rows.read_new_tickets(database, names)
    return {
        "texts": read, "tickets": found, "compared": ticket_rows.compare_resolutions(database, now),
    }  # fmt: skip


def _read_names(connection: Connection) -> dict[str, str]:
    """Document ids by what a requester may call them: id, or the end of its address."""
    rows = connection.execute(
        select(documents.c.id, documents.c.url).where(documents.c.deleted_at.is_(None))
    ).all()
    found: dict[str, str] = {}
    for row in rows:
        tail = (row.url or "").rstrip("/").rsplit("/", 1)[-1].split("?")[0].split("#")[0].lower()
        if len(tail) >= 6 and ("-" in tail or "_" in tail or any(c.isdigit() for c in tail)):
            found[tail] = row.id
    return found | {row.id.lower(): row.id for row in rows if len(row.id) >= 6}


def read_facts(
    connection: Connection, now: datetime, outside: Outside
) -> tuple[list[ArticleFacts], World]:
    """Every published version with what bears on it, by id; `refresh_readings` comes first."""
    known = articles.read_documents(connection, Audience.INTERNAL)
    texts = text_rows.read_texts(connection)
    uses = ticket_rows.read_uses(connection, now)
    world = _read_world(connection, now, outside, uses, texts, known)
    lost, linked = _read_lost(connection), _read_links(connection, known)
    told = ticket_rows.read_told(connection, now)
    terms = ticket_rows.read_new_terms(connection, now, FEWEST_TICKETS)
    shown = _read_shown(connection, now)
    activities = _read_activities(connection, now, outside, known)
    intervals = _read_intervals(connection)
    superseded = find_superseded(known, now)
    twins = _pair_twins(read_alike(connection), known)
    nothing = ArticleText()
    return [
        ArticleFacts(
            document=d,
            text=texts.get(d.document_id, nothing),
            interval_days=d.metadata.review_every_days
            or intervals.get(d.source)
            or DEFAULT_REVIEW_DAYS,
            superseded_by=tuple(sorted(superseded.get(d.document_id, ()))),
            lost=tuple(lost.get(d.document_id, ())),
            uses=uses.get(d.document_id, Uses()),
            shown=shown.get(d.document_id, Shown()),
            told=told.get(d.document_id),
            activity=activities[d.document_id],
            links=tuple(linked.get(d.document_id, ())),
            twins=tuple(sorted(twins.get(d.document_id, ()))),
            new_terms=_not_held(terms.get(d.document_id, ()), texts.get(d.document_id, nothing)),
        )
        for d in known
    ], world


def _not_held(terms: Iterable[tuple[str, int]], text: ArticleText) -> tuple[tuple[str, int], ...]:
    """Terms the article lacks; versions are compared by themselves."""
    versions_named = {key for key in (text.versions or {}) if key}
    return tuple(
        (term, count)
        for term, count in terms
        if term not in text.terms
        and not term.rsplit(" ", 1)[-1].isdigit()
        and term not in versions_named
    )


def _read_world(
    connection: Connection,
    now: datetime,
    outside: Outside,
    uses: Mapping[str, Uses],
    texts: Mapping[str, ArticleText],
    known: Sequence[Document],
) -> World:
    linked = sum(use.linked for use in uses.values())
    failed = sum(use.failed for use in uses.values())
    counts = ticket_rows.read_term_counts(connection, now)
    late = ticket_rows.count_tickets(connection, now - QUARTER, now)
    before = ticket_rows.count_tickets(connection, now - YEAR, now - QUARTER)
    first = connection.execute(select(func.min(searches.c.at))).scalar()
    recent = {d.document_id for d in known if d.version > 1 and d.updated_at >= now - 2 * QUARTER}
    held_anew = {term for key in recent & texts.keys() for term in texts[key].terms}
    return World(
        now=now,
        failure_share=(failed + PRIOR_FAILED) / (linked + PRIOR_USED),
        releases=tuple(r for r in outside.releases if r.at <= now),
        newest=_newest(outside, counts, now),
        vanished={
            term: pair
            for term, pair in _vanished(counts, late, before).items()
            if term not in held_anew
        },
        searched_days=(now - first).days if first is not None else 0,
    )


def _vanished(
    counts: Mapping[str, tuple[int, int]], late: int, before: int
) -> dict[str, tuple[int, int]]:
    """Terms whose silence the fall of all tickets does not explain (Poisson, one in a thousand)."""
    if not before or not late:
        return {}
    share = late / before
    return {
        term: pair
        for term, pair in counts.items()
        if pair[0] * share >= LEAST_EXPECTED
        and pair[1] <= GONE_SHARE * pair[0] * share
        and float(poisson.cdf(pair[1], pair[0] * share)) < VANISHED_CHANCE
    }


def _newest(
    outside: Outside, counts: Mapping[str, tuple[int, int]], now: datetime
) -> dict[str, tuple[int, ...]]:
    newest = newest_of_releases(outside.releases, now)
    told = dict(newest)
    for term, (_, late) in counts.items():
        name, _, number = term.rpartition(" ")
        # Where releases are told they say better than requesters what is out.
        if name and number.isdigit() and late >= FEWEST_VERSION and name not in newest:
            told[name] = max(told.get(name, (0,)), (int(number),))
    return told


def _read_lost(connection: Connection) -> dict[str, list[LostConflict]]:
    rows = connection.execute(
        select(conflicts).order_by(
            conflicts.c.similarity.desc(), conflicts.c.winner_id, conflicts.c.statement_hash
        )
    ).all()
    pairs: dict[tuple[str, str], str] = {}
    for row in rows:
        # Two documents that disagree in several statements are one reason, not several.
        pairs.setdefault((row.winner_id, row.loser_id), row.winner_statement)
    lost: dict[str, list[LostConflict]] = defaultdict(list)
    for (winner, loser), statement in pairs.items():
        lost[loser].append(LostConflict(winner, statement, (loser, winner) in pairs))
    return lost


def _read_links(connection: Connection, known: Sequence[Document]) -> dict[str, list[LinkVerdict]]:
    current = {d.document_id: d.version for d in known}
    found: dict[str, list[LinkVerdict]] = defaultdict(list)
    for row in connection.execute(select(links).where(links.c.verdict != "ok")):
        if current.get(row.document_id) == row.version:
            found[row.document_id].append(LinkVerdict(row.url, row.verdict, row.target))
    return found


def _read_intervals(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(sources.c.name, sources.c.review_every_days))
    return {row.name: row.review_every_days for row in rows if row.review_every_days}


def _read_shown(connection: Connection, now: datetime) -> dict[str, Shown]:
    """Searches of 90 days by document, with what became of them."""
    since = now - QUARTER
    rated: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(
        select(outcomes.c.search_id, outcomes.c.outcome, outcomes.c.document_ids,
               outcomes.c.ticket_id)
        .where(outcomes.c.at >= since, outcomes.c.at < now).order_by(outcomes.c.id)
    ):  # fmt: skip
        rated[row.search_id].append(row)
    rows = connection.execute(
        select(searches.c.id, searches.c.at, searches.c.hits, searches.c.conversation_id)
        .where(searches.c.at >= since, searches.c.at < now)
        .order_by(searches.c.at, searches.c.id)
    ).all()
    ended = _read_ended(connection, rows, rated, now)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for row in rows:
        late = row.at >= now - MONTH
        told = rated.get(row.id, ())
        ticket = ended.get(row.conversation_id or "")
        shown = [hit["document_id"] for hit in row.hits[:FIRST_HITS] if "document_id" in hit]
        for place, key in enumerate(dict.fromkeys(shown)):
            _count(tallies[key], row.id, key, late, told, ticket, first=place == 0)
    return {key: tally.to_shown() for key, tally in tallies.items()}


def _count(
    tally: _Tally,
    search_id: str,
    key: str,
    late: bool,
    told: Sequence[Any],
    ticket: str | None,
    *,
    first: bool,
) -> None:
    tally.quarter += 1
    tally.month += late
    # An outcome is about the documents it names; without names about the first hit.
    mine = [o for o in told if (key in o.document_ids if o.document_ids else first)]
    tickets_named = [o.ticket_id for o in mine if o.ticket_id and o.outcome in FAILED_OUTCOMES]
    if ticket is not None and first:
        tickets_named.append(ticket)
    bad = bool(tickets_named) or any(o.outcome in FAILED_OUTCOMES for o in mine)
    if mine or (ticket is not None and first):
        tally.rated += 1
        tally.bad += bad
        tally.rated_month += late
        tally.bad_month += bad and late
    if any(o.outcome == "wrong" for o in mine):
        tally.wrong.append(search_id)
    tally.ended |= dict.fromkeys(tickets_named)


def _read_ended(
    connection: Connection,
    rows: Sequence[Any],
    rated: Mapping[str, Sequence[Any]],
    now: datetime,
) -> dict[str, str]:
    """The ticket that each conversation became: named by an outcome, or of the same id."""
    found: dict[str, str] = {}
    asked = {row.conversation_id for row in rows if row.conversation_id}
    for start in range(0, len(asked), ticket_rows.BATCH):
        batch = sorted(asked)[start : start + ticket_rows.BATCH]
        held = select(tickets.c.id).where(tickets.c.id.in_(batch), tickets.c.created_at < now)
        found |= {key: key for key in connection.execute(held).scalars()}
    for row in rows:
        for told in rated.get(row.id, ()):
            if row.conversation_id and told.ticket_id:
                found[row.conversation_id] = told.ticket_id
    return found


def _read_activities(
    connection: Connection, now: datetime, outside: Outside, known: Sequence[Document]
) -> dict[str, Activity]:
    """From the team's log where there is one, else from the versions that were synced."""
    logged = {key: summarise_edits(edits, now) for key, edits in outside.edits.items()}
    rows = connection.execute(
        select(versions.c.document_id, versions.c.created_at)
        .where(versions.c.version > 1, versions.c.created_at <= now)
        .order_by(versions.c.document_id, versions.c.version)
    )
    revised: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        revised[row.document_id].append(row.created_at)
    began = {
        row.id: row.created_at
        for row in connection.execute(select(documents.c.id, documents.c.created_at))
    }
    # Where there is a log, what it does not name was not edited.
    unnamed = Activity(known=True) if any(a.last_revised_at for a in logged.values()) else None
    return {
        d.document_id: logged.get(d.document_id)
        or unnamed
        or _watched(tuple(revised[d.document_id]), began[d.document_id], now)
        for d in known
    }


def _watched(revised: tuple[datetime, ...], began: datetime, now: datetime) -> Activity:
    return Activity(
        revisions=sum(at >= now - YEAR for at in revised),
        recent_revisions=weigh_revisions(revised, now),
        last_revised_at=revised[-1] if revised else None,
        first_revised_at=began,
        known=began <= now - WATCHED,
    )


def _pair_twins(
    alike: Mapping[str, Sequence[str]], known: Sequence[Document]
) -> dict[str, set[str]]:
    """Near-duplicates of one authority, where neither replaces the other."""
    by_id = {d.document_id: d for d in known}
    found: dict[str, set[str]] = defaultdict(set)
    for one, two in ((one, two) for one, others in alike.items() for two in others):
        left, right = by_id[one].metadata, by_id[two].metadata
        if left.authority == right.authority and not (
            two in left.supersedes or one in right.supersedes
        ):
            found[one].add(two)
    return found


def count_verdicts(verdicts: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(verdicts).items()))
