"""The weekly verdict on every published document: how likely it is wrong, and what that costs.

Independent signals are combined by noisy-or: each is the probability that it alone would make the
document untrue, so agreement of several weighs more and none can pull another down.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import prod
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from gaps import repository
from gaps.drafting.evidence import origin_of, usable_texts
from gaps.finding.coverage import has_failed
from gaps.operating.conflict_check import telling_words
from gaps.types import Ticket
from kb import articles, audit, vectors
from kb.database import Database
from kb.freshness import DEFAULT_REVIEW_DAYS
from kb.hierarchy import find_superseded
from kb.ports import Vectors
from kb.statements import extract_slots, find_disagreement, split_sentences
from kb.tables import conflicts, freshness_verdicts, searches, sources
from kb.types import Audience, Document, FreshnessVerdict

TRAFFIC_DAYS = 28
TICKET_DAYS = 90
PRIOR_TICKETS = 8
"""Strength of the prior: a document's failure share counts as much as everybody's at 8 tickets."""
AGE_WEIGHT, AGE_LIMIT = 0.10, 0.30
"""Age is weak: calendar age alone predicts change no better than chance (bench/README.md)."""
SUPERSEDED_WEIGHT, ENDED_WEIGHT, ENDING_WEIGHT = 0.97, 0.97, 0.30
CONFLICT_WEIGHT, TIE_WEIGHT = 0.80, 0.45
VALUE_WEIGHT, DUPLICATE_WEIGHT = 0.60, 0.15
DUPLICATE_SIMILARITY = 0.88
"""Cosine of two documents' mean chunk vectors; the planted near-duplicates of content/ lie above
0.88, the next pair below (MiniLM)."""
STALE_PROBABILITY, DUE_PROBABILITY = 0.5, 0.25
ENDING_DAYS = 30


@dataclass(frozen=True, slots=True)
class FreshnessReason:
    """One signal, with what it rests on."""

    signal: str
    weight: float
    """Probability that this alone makes the document untrue, 0 to 1."""
    evidence: tuple[str, ...]
    text: str


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


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read once for all documents."""

    superseded: Mapping[str, Sequence[str]]
    intervals: Mapping[str, int]
    lost: Mapping[str, list[tuple[str, str, bool]]]
    linked: Mapping[str, list[Ticket]]
    failure_share: float
    served: Mapping[str, int]
    duplicates: Mapping[str, list[str]]
    texts: Mapping[str, str]


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
) -> _Known:
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
    failed = sum(has_failed(t) for t in with_links)
    lost: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    rows = connection.execute(select(conflicts)).all()
    pairs = {(r.winner_id, r.loser_id) for r in rows}
    for row in rows:
        tie = (row.loser_id, row.winner_id) in pairs
        lost[row.loser_id].append((row.winner_id, row.winner_statement, tie))
    return _Known(
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
    document: Document, known: _Known, now: datetime, authorities: Sequence[str]
) -> FreshnessReport:
    reasons = tuple(sorted(_signals(document, known, now), key=lambda r: (-r.weight, r.signal)))
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


def _signals(document: Document, known: _Known, now: datetime) -> Iterable[FreshnessReason]:
    key, said = document.document_id, document.metadata
    since = said.last_verified_at or document.updated_at
    interval = said.review_every_days or known.intervals.get(document.source) or DEFAULT_REVIEW_DAYS
    age = max(0, (now - since).days)
    if age > interval:
        weight = min(AGE_LIMIT, AGE_WEIGHT * age / interval)
        text = f"last confirmed {age} days ago, due every {interval} days"
        yield FreshnessReason("age", weight, (), text)
    replaced = tuple(sorted(known.superseded.get(key, ())))
    if replaced:
        text = "replaced by " + ", ".join(replaced)
        yield FreshnessReason("superseded", SUPERSEDED_WEIGHT, replaced, text)
    if said.effective_until is not None:
        ends = said.effective_until
        if ends <= now:
            yield FreshnessReason("ended", ENDED_WEIGHT, (), f"ended on {ends:%Y-%m-%d}")
        elif ends <= now + timedelta(days=ENDING_DAYS):
            yield FreshnessReason("ends_soon", ENDING_WEIGHT, (), f"ends on {ends:%Y-%m-%d}")
    for winner, statement, tie in known.lost.get(key, []):
        weight = TIE_WEIGHT if tie else CONFLICT_WEIGHT
        yield FreshnessReason("conflict", weight, (winner,), f"{winner} says: {statement}")
    yield from _ticket_signals(document, known)
    twins = tuple(sorted(known.duplicates.get(key, [])))
    if twins:
        text = "says much the same as " + ", ".join(twins)
        yield FreshnessReason("near_duplicate", DUPLICATE_WEIGHT, twins, text)


def _ticket_signals(document: Document, known: _Known) -> Iterable[FreshnessReason]:
    tickets = known.linked.get(document.document_id, [])
    failed = [t for t in tickets if has_failed(t)]
    if len(failed) >= 2:
        usual = known.failure_share
        share = (len(failed) + PRIOR_TICKETS * usual) / (len(tickets) + PRIOR_TICKETS)
        excess = max(0.0, (share - usual) / (1.0 - usual))
        if excess > 0.05:
            text = f"{len(failed)} of {len(tickets)} tickets it was used on came back"
            yield FreshnessReason("tickets", excess, tuple(t.ticket_id for t in failed), text)
    told = find_other_values(known.texts[document.document_id], tickets)
    if told is not None:
        ids, text = told
        yield FreshnessReason("resolution_value", VALUE_WEIGHT, ids, text)


def find_other_values(
    markdown: str, tickets: Sequence[Ticket]
) -> tuple[tuple[str, ...], str] | None:
    """A value that resolutions of at least two requesters state otherwise than the document."""
    sentences = [s.text for s in split_sentences(markdown) if extract_slots(s.text)]
    votes: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for ticket in tickets:
        for text in usable_texts(ticket):
            for told in (s.text for s in split_sentences(text) if extract_slots(s.text)):
                for sentence in sentences:
                    if len(telling_words(told) & telling_words(sentence)) < 2:
                        continue
                    found = find_disagreement(sentence, told)
                    if found is not None and found.unit not in ("polarity", "date"):
                        votes[found.left, found.right][origin_of(ticket)] = ticket.ticket_id
    strong = [(len(who), pair) for pair, who in votes.items() if len(who) >= 2]
    if not strong:
        return None
    _, (here, there) = max(strong)
    ids = tuple(sorted(votes[here, there].values()))
    return ids, f"says {here}, {len(ids)} resolutions say {there}"


def _store(connection: Connection, reports: Sequence[FreshnessReport], now: datetime) -> None:
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
