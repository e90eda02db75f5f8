"""The retriever: audience to candidates to fusion to hierarchy to verdicts.

The audience is the caller's, given by whoever checked the key. Whatever an index says, only what
the database lets this audience read, in the same snapshot, leaves here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Text, cast, select

from kb import articles, lexical, vectors
from kb.confidence import Calibration
from kb.database import Database
from kb.errors import UnavailableError
from kb.freshness import judge_freshness
from kb.fusion import Fused, fuse_rankings
from kb.hierarchy import find_superseded, invalid_reason, rule_between, unverified_reason
from kb.index import IndexState, IndexView, SearchIndex, read_state
from kb.ports import Clock, Encoder, Vectors
from kb.ranking import confidence_features
from kb.tables import conflicts, documents, freshness_verdicts, sources
from kb.types import (
    Audience,
    Document,
    Hit,
    Ruling,
    SearchRequest,
    SearchResponse,
    StoredChunk,
)

CANDIDATE_CHUNKS = 300
CANDIDATE_DOCUMENTS = 100
"""Depth of each ranking before fusion, as in the measurements behind FUSION_WEIGHTS."""
RULED_DOCUMENTS = 30
"""How deep conflicts are looked for; hits are at most 50."""
VIEW_ATTEMPTS = 5
OWN_SIGNALS = ("age", "ends_soon", "tickets", "resolution_value")
REPORTED_STALE = 0.5
"""As the freshness check draws its line (gaps/operating/freshness_check.py)."""


@dataclass(frozen=True, slots=True)
class RetrieverRules:
    """What the team decided: who beats whom and how long a source's texts hold."""

    authorities: tuple[str, ...]
    fusion_weights: Mapping[str, float]


@dataclass(slots=True)
class _Candidates:
    """What the rankings brought in, all of it readable by the caller."""

    documents: dict[str, Document]
    chunks: dict[str, list[str]]
    """Ids of each document's semantic hits, best first."""
    scores: dict[str, dict[str, float]]
    """Ranking name to document id to score."""


class Retriever:
    """Answers queries from one database and its index."""

    def __init__(
        self,
        database: Database,
        index: SearchIndex,
        encoder: Encoder,
        clock: Clock,
        rules: RetrieverRules,
        calibration: Calibration | None,
    ) -> None:
        self._database = database
        self._index = index
        self._encoder = encoder
        self._clock = clock
        self._rules = rules
        self.calibration = calibration
        self._known: dict[str, Document] = {}
        self._known_at: IndexState | None = None

    def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Vectors of many queries at once, kept by content hash so that none is embedded twice.

        Raises:
            UnavailableError: The encoder is away.
        """
        hashed = {vectors.hash_text(text): text for text in texts}
        found, _ = vectors.embed_texts(self._database, self._encoder, hashed)
        return [found[vectors.hash_text(text)] for text in texts]

    def search(
        self, request: SearchRequest, audience: Audience, *, vector: Vectors | None = None
    ) -> SearchResponse:
        """Rank what the audience may read.

        Args:
            request: What is asked.
            audience: Who asks, from the key.
            vector: The query's embedding, where the caller has it already.

        Raises:
            UnavailableError: The database is away, so nobody's permission can be proved.
        """
        started = time.perf_counter()
        degraded: list[str] = []
        if vector is None:
            try:
                vector = self._encoder.encode([request.query])[0]
            except UnavailableError:
                degraded.append("semantic")
        for _ in range(VIEW_ATTEMPTS):
            view = self._index.view()
            with self._database.read() as connection:
                if read_state(connection) == view.state:
                    return self._answer(
                        connection, view, request, audience, vector, degraded, started
                    )
        raise UnavailableError("the index changes faster than it can be read")

    def _answer(
        self,
        connection: Connection,
        view: IndexView,
        request: SearchRequest,
        audience: Audience,
        vector: Vectors | None,
        degraded: list[str],
        started: float,
    ) -> SearchResponse:
        now = self._clock.now()
        terms = lexical.extract_terms(request.query)
        candidates = self._collect(connection, view, terms, audience, vector)
        superseded = find_superseded(read_superseding(connection, audience), now)
        valid = {
            key
            for key, document in candidates.documents.items()
            if _in_scope(document, request, now, superseded.get(key, ()))
        }
        rankings = {
            name: {key: score for key, score in scores.items() if key in valid}
            for name, scores in candidates.scores.items()
        }
        ranked = fuse_rankings(rankings, self._rules.fusion_weights)
        rulings = self._rule(connection, ranked, candidates.documents, request)
        hits = self._build_hits(
            connection, request, ranked, candidates, rulings, superseded, terms, audience, now
        )
        features = confidence_features(
            connection, request.query, audience, ranked, rankings, candidates.documents
        )
        confidence, answerable, calibration = self._judge(features, bool(hits), vector is not None)
        return SearchResponse(
            query=request.query,
            answerable=answerable,
            confidence=confidence,
            calibration=calibration,
            degraded=tuple(degraded) + view.degraded,
            generation=view.state.generation,
            hits=tuple(hits[: request.top_k]),
            took_ms=(time.perf_counter() - started) * 1000,
            features=features,
        )

    def _collect(
        self,
        connection: Connection,
        view: IndexView,
        terms: Sequence[str],
        audience: Audience,
        vector: Vectors | None,
    ) -> _Candidates:
        found = _Candidates({}, {}, {"semantic": {}, "lexical": {}, "title": {}})
        if vector is not None:
            for chunk_id, key, similarity in self._near(connection, view, vector, audience):
                found.chunks.setdefault(key, []).append(chunk_id)
                found.scores["semantic"].setdefault(key, similarity)
            readable = [a.value for a in audience.readable()]
            titles = view.titles.nearest(vector, readable, CANDIDATE_DOCUMENTS)
            found.scores["title"] = dict(titles)
        numbers = dict(lexical.search(connection, terms, audience, CANDIDATE_DOCUMENTS))
        by_number = articles.read_ids_by_number(connection, numbers)
        found.scores["lexical"] = {key: numbers[number] for number, key in by_number.items()}
        wanted = {key for scores in found.scores.values() for key in scores}
        found.documents = self._read_documents(connection, view.state, wanted, audience)
        return found

    def _near(
        self, connection: Connection, view: IndexView, vector: Vectors, audience: Audience
    ) -> list[tuple[str, str, float]]:
        """The nearest chunks the audience may read, with their documents, best first.

        Retired chunks take places in the sealed index until the next build; only where they do is
        it asked deeper, so that what happens to documents a caller may not see cannot show in the
        depth.
        """
        depth = CANDIDATE_CHUNKS
        while True:
            near = view.nearest_chunks(vector, audience, depth)
            owners = articles.read_owners_of_chunks(connection, [key for key, _ in near])
            known = self._read_documents(connection, view.state, set(owners.values()), audience)
            kept = [
                (key, owners[key], similarity)
                for key, similarity in near
                if key in owners and owners[key] in known
            ]
            if len(kept) >= CANDIDATE_CHUNKS or len(near) < depth:
                return kept[:CANDIDATE_CHUNKS]
            depth *= 4

    def _read_documents(
        self, connection: Connection, state: IndexState, ids: set[str], audience: Audience
    ) -> dict[str, Document]:
        """Those of the documents that the audience may read.

        Rows are kept while the index sequence stands still: whatever changes a document moves it,
        and the caller has compared it in this very transaction.
        """
        if self._known_at != state:
            self._known, self._known_at = {}, state
        known = self._known
        missing = [key for key in ids if key not in known]
        for document in articles.read_documents(connection, Audience.INTERNAL, ids=missing):
            known[document.document_id] = document
        return {
            key: known[key]
            for key in ids
            if key in known and audience.may_read(known[key].metadata.audience)
        }

    def _rule(
        self,
        connection: Connection,
        ranked: Sequence[Fused],
        known: Mapping[str, Document],
        request: SearchRequest,
    ) -> list[tuple[Ruling, str]]:
        """Rulings between ranked documents known to disagree, with the losing statement."""
        top = [fused.key for fused in ranked[:RULED_DOCUMENTS]]
        rows = connection.execute(
            select(conflicts).where(conflicts.c.winner_id.in_(top), conflicts.c.loser_id.in_(top))
        )
        rulings = []
        for row in rows:
            left, right = known[row.winner_id], known[row.loser_id]
            if (left.version, right.version) != (row.winner_version, row.loser_version):
                continue
            ruling = rule_between(left, right, self._rules.authorities, customer=request.customer)
            if ruling is not None:
                swapped = ruling.winner == row.loser_id
                statement = row.winner_statement if swapped else row.loser_statement
                rulings.append((ruling, statement))
        return rulings

    def _build_hits(
        self,
        connection: Connection,
        request: SearchRequest,
        ranked: Sequence[Fused],
        candidates: _Candidates,
        rulings: Sequence[tuple[Ruling, str]],
        superseded: Mapping[str, Sequence[str]],
        terms: Sequence[str],
        audience: Audience,
        now: datetime,
    ) -> list[Hit]:
        wanted = [f for f in ranked if f.key in candidates.documents][
            : request.top_k + len(rulings)
        ]
        passages = _read_passages(connection, wanted, candidates, terms, audience)
        reports = _read_reports(connection, [f.key for f in wanted])
        intervals = _read_intervals(connection)
        hits: list[Hit] = []
        for fused in wanted:
            document = candidates.documents[fused.key]
            lost = [(r, text) for r, text in rulings if r.loser == fused.key]
            won = tuple(r for r, _ in rulings if r.winner == fused.key)
            freshness = judge_freshness(
                document,
                now,
                review_every_days=intervals.get(document.source),
                superseded_by=superseded.get(fused.key, ()),
                contradicted_by=[r.winner for r, _ in lost],
                reported_stale=reports.get((fused.key, document.version)),
            )
            for chunk in passages[fused.key]:
                against = next((r for r, text in lost if text in chunk.text), None)
                if against is not None and not request.include_overruled:
                    continue
                hits.append(
                    Hit(
                        chunk=chunk,
                        score=fused.score,
                        freshness=freshness,
                        overrules=won,
                        overruled_by=against,
                        unverified=unverified_reason(document),
                        why={f"{name}_rank": rank for name, rank in fused.ranks.items()}
                        | {f"{name}_part": round(part, 4) for name, part in fused.parts.items()}
                        | {
                            f"{name}_score": round(scores[fused.key], 4)
                            for name, scores in candidates.scores.items()
                            if fused.key in scores
                        },
                    )
                )
                if request.group_by == "document":
                    break
        return hits

    def _judge(
        self, features: dict[str, float], found: bool, semantic: bool
    ) -> tuple[float, bool, str]:
        if not found:
            return 0.0, False, self.calibration.name if self.calibration else "uncalibrated"
        if self.calibration is None or not semantic:
            share = features.get("term_share_best", 0.0)
            return share, share >= 0.5, "uncalibrated"
        confidence = self.calibration.probability(features)
        return confidence, confidence >= self.calibration.threshold, self.calibration.name


def _in_scope(
    document: Document, request: SearchRequest, now: datetime, superseded_by: Sequence[str]
) -> bool:
    said = document.metadata
    if request.labels and not set(request.labels) & set(said.labels):
        return False
    if request.customer and said.customer and said.customer != request.customer:
        return False
    return (
        invalid_reason(
            document,
            now,
            superseded_by=superseded_by,
            products=request.products,
            regions=request.regions,
        )
        is None
    )


def _read_passages(
    connection: Connection,
    wanted: Sequence[Fused],
    candidates: _Candidates,
    terms: Sequence[str],
    audience: Audience,
) -> dict[str, list[StoredChunk]]:
    """Each document's passages, best first; by shared words where no vector chose them."""
    chosen = [key for fused in wanted for key in candidates.chunks.get(fused.key, ())]
    stored = articles.read_chunks(connection, chosen, audience)
    passages = {
        fused.key: [stored[key] for key in candidates.chunks.get(fused.key, ()) if key in stored]
        for fused in wanted
    }
    bare = [key for key, found in passages.items() if not found]
    if bare:
        stems = {lexical.stem(part) for term in terms for part in lexical.split_term(term)}
        for chunk in articles.read_chunks_of(connection, bare, audience):
            passages[chunk.document.document_id].append(chunk)
        for key in bare:
            passages[key].sort(key=lambda c: (-len(stems & lexical.stems_of(c.text)), c.position))
    return passages


def read_superseding(connection: Connection, audience: Audience) -> list[Document]:
    """Documents this audience may read that say they replace others.

    A replacement the caller may not know of must not show by what disappears.
    """
    rows = connection.execute(
        select(documents)
        .where(
            documents.c.deleted_at.is_(None),
            documents.c.audience.in_([a.value for a in audience.readable()]),
        )
        .where(cast(documents.c.supersedes, Text) != "[]")
    )
    return [articles.to_document(row) for row in rows]


def _read_reports(
    connection: Connection, document_ids: Sequence[str]
) -> dict[tuple[str, int], str]:
    """What the last freshness check found in tickets about a version, where that makes it stale.

    Only what the document and its own tickets say counts: the check's verdict also rests on other
    documents, and one the caller may not know of must not show in what becomes of this one.
    """
    rows = connection.execute(
        select(freshness_verdicts).where(freshness_verdicts.c.document_id.in_(document_ids))
    )
    reports = {}
    for row in rows:
        own = [reason for reason in row.reasons if reason["signal"] in OWN_SIGNALS]
        told = [reason["text"] for reason in own if reason["signal"] == "tickets"]
        if told and 1.0 - math.prod(1.0 - r["weight"] for r in own) >= REPORTED_STALE:
            reports[(row.document_id, row.version)] = told[0]
    return reports


def _read_intervals(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(sources.c.name, sources.c.review_every_days))
    return {row.name: row.review_every_days for row in rows if row.review_every_days}


def with_search_id(response: SearchResponse, search_id: str) -> SearchResponse:
    return replace(response, search_id=search_id)
