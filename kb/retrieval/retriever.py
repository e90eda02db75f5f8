"""The retriever: audience to candidates to fusion to hierarchy to verdicts.

The audience is the caller's, given by whoever checked the key. Whatever an index says, only what
the database lets this audience read, in the same snapshot, leaves here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kb import vectors
from kb.conditions import matches, read_attributes
from kb.confidence import UNCALIBRATED, Calibration
from kb.database import Database
from kb.errors import IndexAwayError, UnavailableError
from kb.fusion import Fused, fuse_rankings
from kb.hierarchy import find_superseded, invalid_reason
from kb.learning.calibrations import CalibrationsInForce
from kb.learning.precedents import Evidence, Precedents
from kb.ports import Clock, Encoder, Vectors
from kb.questions import encode_questions
from kb.retrieval.candidates import Candidates, collect_candidates
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.features import confidence_features
from kb.retrieval.fresh_ranking import is_verified, judge_document
from kb.retrieval.hits import build_hits, order_ruled, rule_documents
from kb.retrieval.index import IndexView, SearchIndex, read_state
from kb.retrieval.inquiry import Inquiry
from kb.retrieval.learned_ranking import Shown, rank_learned, read_shown
from kb.retrieval.refusals import explain_refusal
from kb.types import (
    Audience,
    Condition,
    Conditions,
    Document,
    Hit,
    SearchRequest,
    SearchResponse,
)

VIEW_ATTEMPTS = 5
LEXICAL_ONLY = "lexical_only"
"""In `degraded`: no vectors could be compared, so words alone ranked."""
LEAST_SHARE = 0.5
"""Of the query's words, weighed, that a hit must hold where words alone decide."""


@dataclass(frozen=True, slots=True)
class RetrieverRules:
    """What the team decided: who beats whom, and what each ranking weighs."""

    authorities: tuple[str, ...]
    fusion_weights: Mapping[str, float]
    answerable_threshold: float | None = None
    """In place of the one that was fitted."""


@dataclass(frozen=True, slots=True)
class _Ranking:
    """One question's ranking with what it was made of."""

    candidates: Candidates
    rankings: dict[str, dict[str, float]]
    """Scores of what is valid, by ranking and document."""
    ranked: list[Fused]
    shown: Shown


class Retriever:
    """Answers queries from one database and its index."""

    def __init__(
        self,
        database: Database,
        index: SearchIndex,
        encoder: Encoder,
        clock: Clock,
        rules: RetrieverRules,
        prior: Calibration | None,
    ) -> None:
        """Take what it works with.

        Args:
            database: Says what may be read.
            index: What is searched.
            encoder: Of queries.
            clock: Where the present comes from.
            rules: What the team decided.
            prior: The confidence stated, as uncalibrated, while none was fitted here.
        """
        self._database = database
        self._index = index
        self._encoder = encoder
        self._clock = clock
        self._rules = rules
        self._prior = prior
        self._calibrations = CalibrationsInForce(encoder.recipe)

    def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Vectors of many queries at once, kept by content hash so that none is embedded twice.

        Raises:
            UnavailableError: The encoder is away.
        """
        hashed = {vectors.hash_text(text): text for text in texts}
        found, _ = vectors.embed_texts(
            self._database, self._encoder, hashed, encode=encode_questions
        )
        return [found[vectors.hash_text(text)] for text in texts]

    @property
    def recipe(self) -> str:
        """Name of what `encode` encodes with."""
        return self._encoder.recipe

    def beside(self, copy: Database) -> Retriever:
        """The same retriever over a copy of the database, to ask what a change would do."""
        index = self._index.beside(copy)
        return Retriever(copy, index, self._encoder, self._clock, self._rules, self._prior)

    def name_state(self) -> str:
        """A name of all that answers depend on but the present: what was answered under the same
        name is what would be answered now, but for documents whose dates have passed since."""
        with self._snapshot() as (_, view):
            learned = view.learned.model_id if view.learned is not None else None
            told = repr((view.state, learned, self._encoder.recipe, self._rules))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def search(
        self,
        request: SearchRequest,
        audience: Audience,
        *,
        vector: Vectors | None = None,
        leave_out: str | None = None,
    ) -> SearchResponse:
        """Rank what the audience may read.

        Args:
            request: What is asked.
            audience: Who asks, from the key.
            vector: The query's embedding, where the caller has it already.
            leave_out: A judgement to answer without, as when its own question is asked again.

        Raises:
            UnavailableError: The database is away, so nobody's permission can be proved.
        """
        started = time.perf_counter()
        degraded: list[str] = []
        if vector is None:
            try:
                vector = encode_questions(self._encoder, [request.query])[0]
            except UnavailableError:
                degraded.append(LEXICAL_ONLY)
        with self._snapshot() as (connection, view):
            asked = self._inquire(view, request, audience)
            try:
                ranking = self._rank(connection, view, asked, vector, leave_out)
            except IndexAwayError:
                if view.sealed is not None:
                    self._index.distrust(view.sealed.generation)
                vector = None
                degraded.append(LEXICAL_ONLY)
                ranking = self._rank(connection, view, asked, None, leave_out)
            return self._answer(connection, view, asked, ranking, vector, degraded, started)

    def show(
        self,
        question: str,
        audience: Audience,
        vector: Vectors,
        precedents: Precedents,
        *,
        leave_out: str | None = None,
    ) -> Shown:
        """What could be shown for a question, unlearned order first, to learn from.

        Args:
            question: What is asked.
            audience: Who asks.
            vector: The question's embedding.
            precedents: What counts as solved before.
            leave_out: A judgement to do without.
        """
        with self._snapshot() as (connection, view):
            asked = self._inquire(view, SearchRequest(question), audience)
            evidence = precedents.read(vector, leave_out)
            return self._collect(connection, view, asked, vector, evidence).shown

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Connection, IndexView]]:
        """A transaction and the view that its state is."""
        view = self._index.held
        for _ in range(VIEW_ATTEMPTS):
            if view is not None:
                with self._database.read() as connection:
                    if read_state(connection) == view.state:
                        yield connection, view
                        return
            view = self._index.view()
        raise UnavailableError("the index changes faster than it can be read")

    def _inquire(self, view: IndexView, request: SearchRequest, audience: Audience) -> Inquiry:
        now = self._clock.now()
        superseded = find_superseded(view.catalogue.read_superseding(audience), now)
        return Inquiry(request, audience, now, superseded)

    def _rank(
        self,
        connection: Connection,
        view: IndexView,
        asked: Inquiry,
        vector: Vectors | None,
        leave_out: str | None,
    ) -> _Ranking:
        """Unlearned, then learned where something was learned for this audience."""
        learned = view.learned
        ranker = learned.ranker(asked.audience) if learned is not None else None
        if learned is None or ranker is None or vector is None:
            return self._collect(connection, view, asked, vector, {})
        evidence = learned.precedents(asked.audience).read(vector, leave_out)
        found = self._collect(connection, view, asked, vector, evidence)
        unproven = set(found.shown.keys) - evidence.keys()
        protected = unproven - learned.passed_over(asked.audience)
        ranked = rank_learned(found.ranked, found.shown, ranker, protected)
        return replace(found, ranked=ranked)

    def _collect(
        self,
        connection: Connection,
        view: IndexView,
        asked: Inquiry,
        vector: Vectors | None,
        evidence: Mapping[str, Evidence],
    ) -> _Ranking:
        query, audience = asked.request.query, asked.audience
        catalogue = view.catalogue
        within = (
            (lambda found: _in_scope(found, asked, catalogue)) if asked.request.is_limited else None
        )
        candidates = collect_candidates(connection, view, query, audience, vector, within)
        voted = [key for key, said in evidence.items() if said.votes > 0]
        candidates.documents |= view.catalogue.readable(voted, audience)
        valid = {
            key for key, found in candidates.documents.items() if _in_scope(found, asked, catalogue)
        }
        rankings = {
            name: {key: score for key, score in scores.items() if key in valid}
            for name, scores in candidates.scores.items()
        }
        ranked = fuse_rankings(rankings, self._rules.fusion_weights)
        shown = read_shown(ranked, rankings, evidence, valid)
        return _Ranking(candidates, rankings, ranked, shown)

    def _answer(
        self,
        connection: Connection,
        view: IndexView,
        asked: Inquiry,
        ranking: _Ranking,
        vector: Vectors | None,
        degraded: list[str],
        started: float,
    ) -> SearchResponse:
        request, ranked, candidates = asked.request, ranking.ranked, ranking.candidates
        authorities = self._rules.authorities
        outside = _find_outside(view, asked, ranked)
        known = candidates.documents | outside
        rulings = rule_documents(
            connection, view.catalogue, asked, ranked, known, authorities, outside.keys()
        )
        ranked = order_ruled(view.catalogue, asked, ranked, candidates, rulings, authorities)
        hits = build_hits(connection, view.catalogue, asked, ranked, candidates, rulings)
        if request.where is not None:
            # What contradicts a document is known only now, and can have made it stale.
            hits = [hit for hit in hits if _holds(request.where, hit)]
        features = confidence_features(
            connection, view.catalogue, asked, ranked, ranking.rankings, candidates.documents
        )
        calibration = self._find_calibration(connection, view, asked.audience, vector)
        confidence, threshold = self._judge(calibration, features, bool(hits))
        answerable = bool(hits) and confidence >= threshold
        return SearchResponse(
            query=request.query,
            answerable=answerable,
            confidence=confidence,
            calibration=calibration.name if calibration is not None else UNCALIBRATED,
            degraded=tuple(degraded) + view.degraded,
            generation=view.state.generation,
            hits=tuple(hits),
            took_ms=(time.perf_counter() - started) * 1000,
            features=features,
            served_with={
                "encoder": self._encoder.recipe if vector is not None else None,
                "learned_model": _find_model_id(view, asked.audience, vector),
                "weights": dict(self._rules.fusion_weights),
                "threshold": round(threshold, 6),
                "authorities": list(authorities),
                "index_sequence": view.state.sequence,
            },
            why_not=None
            if answerable
            else explain_refusal(
                connection, view.catalogue, asked, hits, ranking.rankings["semantic"],
                features, calibration, confidence, threshold,
            ),
        )  # fmt: skip

    def _find_calibration(
        self, connection: Connection, view: IndexView, audience: Audience, vector: Vectors | None
    ) -> Calibration | None:
        """Fitted on the ranking that serves this audience; none without an encoder."""
        if vector is None:
            return None
        ranking = _find_model_id(view, audience, vector)
        found = self._calibrations.read(connection, view.state, audience, ranking)
        return found or self._prior

    def _judge(
        self, calibration: Calibration | None, features: dict[str, float], found: bool
    ) -> tuple[float, float]:
        """The confidence, and from which on a question counts as answerable."""
        fitted = calibration.threshold if calibration is not None else LEAST_SHARE
        threshold = self._rules.answerable_threshold
        if not found:
            confidence = 0.0
        elif calibration is None:
            confidence = features.get("term_share_best", 0.0)
        else:
            confidence = calibration.probability(features)
        return confidence, fitted if threshold is None else threshold


def _find_model_id(view: IndexView, audience: Audience, vector: Vectors | None) -> str | None:
    """The learned model that ranks for this audience; None where nothing learned does."""
    learned = view.learned
    if learned is None or vector is None or learned.ranker(audience) is None:
        return None
    return learned.model_id


def _in_scope(document: Document, asked: Inquiry, catalogue: Catalogue) -> bool:
    request, said = asked.request, document.metadata
    if request.sources and document.source not in request.sources:
        return False
    if request.labels and not set(request.labels) & set(said.labels):
        return False
    if request.customer and said.customer and said.customer != request.customer:
        return False
    if request.verified_only and not is_verified(document, asked, catalogue):
        return False
    reason = invalid_reason(
        document,
        asked.now,
        superseded_by=asked.superseded.get(document.document_id, ()),
        products=request.products,
        regions=request.regions,
    )
    if reason is None and request.where is not None:
        freshness = judge_document(document, asked, catalogue)
        return matches(request.where, read_attributes(document, freshness))
    return reason is None


def _find_outside(view: IndexView, asked: Inquiry, ranked: Sequence[Fused]) -> dict[str, Document]:
    """What may overrule a ranked document though the caller asked for others: what a source says is
    no truer because only that source was searched."""
    request = asked.request
    if not (request.sources or request.labels or request.where is not None):
        return {}
    everything = replace(asked, request=replace(request, sources=(), labels=(), where=None))
    held = {fused.key for fused in ranked}
    winners = [
        key
        for key, rows in view.catalogue.conflicts.items()
        if key not in held and any(row.loser_id in held for row in rows)
    ]
    found = view.catalogue.readable(winners, asked.audience)
    return {key: said for key, said in found.items() if _in_scope(said, everything, view.catalogue)}


def _holds(where: Condition | Conditions, hit: Hit) -> bool:
    return matches(where, read_attributes(hit.chunk.document, hit.freshness))


def with_search_id(response: SearchResponse, search_id: str) -> SearchResponse:
    return replace(response, search_id=search_id)
