"""The retriever: audience to candidates to fusion to hierarchy to verdicts.

The audience is the caller's, given by whoever checked the key. Whatever an index says, only what
the database lets this audience read, in the same snapshot, leaves here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kb import vectors
from kb.confidence import Calibration
from kb.database import Database
from kb.errors import UnavailableError
from kb.fusion import fuse_rankings
from kb.hierarchy import find_superseded, invalid_reason
from kb.ports import Clock, Encoder, Vectors
from kb.retrieval.candidates import Candidates, collect_candidates
from kb.retrieval.features import confidence_features
from kb.retrieval.hits import Asked, build_hits, rule_documents
from kb.retrieval.index import IndexView, SearchIndex, read_state
from kb.types import Audience, Document, SearchRequest, SearchResponse

VIEW_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class RetrieverRules:
    """What the team decided: who beats whom, and what each ranking weighs."""

    authorities: tuple[str, ...]
    fusion_weights: Mapping[str, float]


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
        superseded = find_superseded(view.catalogue.read_superseding(audience), now)
        asked = Asked(request, audience, now, superseded)
        candidates = collect_candidates(connection, view, request.query, audience, vector)
        rankings = _keep_valid(candidates, asked)
        ranked = fuse_rankings(rankings, self._rules.fusion_weights)
        rulings = rule_documents(
            view.catalogue, ranked, candidates.documents, self._rules.authorities, request.customer
        )
        hits = build_hits(connection, view.catalogue, asked, ranked, candidates, rulings)
        features = confidence_features(
            connection, view.catalogue, asked, ranked, rankings, candidates.documents
        )
        confidence, answerable, calibration = self._judge(features, bool(hits), vector is not None)
        return SearchResponse(
            query=request.query,
            answerable=answerable,
            confidence=confidence,
            calibration=calibration,
            degraded=tuple(degraded) + view.degraded,
            generation=view.state.generation,
            hits=tuple(hits),
            took_ms=(time.perf_counter() - started) * 1000,
            features=features,
        )

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


def _keep_valid(candidates: Candidates, asked: Asked) -> dict[str, dict[str, float]]:
    """The rankings without what may not answer at this moment in this scope."""
    valid = {key for key, found in candidates.documents.items() if _in_scope(found, asked)}
    return {
        name: {key: score for key, score in scores.items() if key in valid}
        for name, scores in candidates.scores.items()
    }


def _in_scope(document: Document, asked: Asked) -> bool:
    request, said = asked.request, document.metadata
    if request.labels and not set(request.labels) & set(said.labels):
        return False
    if request.customer and said.customer and said.customer != request.customer:
        return False
    reason = invalid_reason(
        document,
        asked.now,
        superseded_by=asked.superseded.get(document.document_id, ()),
        products=request.products,
        regions=request.regions,
    )
    return reason is None


def with_search_id(response: SearchResponse, search_id: str) -> SearchResponse:
    return replace(response, search_id=search_id)
