"""What each ranking brings in, all of it readable by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kb import lexical
from kb.ports import Vectors
from kb.retrieval.index import IndexView
from kb.types import Audience, Document

CANDIDATE_CHUNKS = 100
"""Scaling reaches down to the last one: 100 gives .564 nDCG@10, 300 .556 (bench/README.md)."""
CANDIDATE_DOCUMENTS = 100
DEEPER = 4


@dataclass(slots=True)
class Candidates:
    documents: dict[str, Document]
    chunks: dict[str, list[str]]
    """Ids of each document's semantic hits, best first."""
    scores: dict[str, dict[str, float]]
    """Ranking name to document id to score."""


def collect_candidates(
    connection: Connection,
    view: IndexView,
    query: str,
    audience: Audience,
    vector: Vectors | None,
    within: Callable[[Document], bool] | None = None,
) -> Candidates:
    """Rank by best chunk, by words and by title.

    Args:
        connection: A transaction that sees the view's state.
        view: What is served.
        query: What is asked.
        audience: Who asks.
        vector: The query's embedding, None where there is no encoder: words alone rank then.
        within: What the caller limits the answer to; rankings are read so deep that this fills
            them, where there is enough of it.
    """
    found = Candidates({}, {}, {"semantic": {}, "lexical": {}, "title": {}})
    catalogue = view.catalogue
    if vector is not None:
        for chunk_id, key, similarity in _near(view, vector, audience, within):
            found.chunks.setdefault(key, []).append(chunk_id)
            found.scores["semantic"].setdefault(key, similarity)
        readable = [a.value for a in audience.readable()]
        every = len(view.titles.keys) if within is not None else CANDIDATE_DOCUMENTS
        titles = view.titles.nearest(vector, readable, every)
        found.scores["title"] = dict(_keep(titles, view, within)[:CANDIDATE_DOCUMENTS])
    terms = _choose_terms(connection, view, query, audience)
    found.scores["lexical"] = dict(_search_words(connection, view, terms, audience, within))
    wanted = {key for scores in found.scores.values() for key in scores}
    found.documents = catalogue.readable(wanted, audience)
    return found


def _choose_terms(
    connection: Connection, view: IndexView, query: str, audience: Audience
) -> list[str]:
    vocabulary = view.catalogue.vocabulary(audience)
    weights = vocabulary.weigh(connection, lexical.extract_terms(query))
    held = {term: weight for term, weight in weights.items() if vocabulary.is_held(term)}
    return lexical.choose_terms(query, held)


def _keep(
    scored: Sequence[tuple[str, float]],
    view: IndexView,
    within: Callable[[Document], bool] | None,
) -> list[tuple[str, float]]:
    """Those of the documents that the caller's limits leave."""
    documents = view.catalogue.documents
    return [
        (key, score)
        for key, score in scored
        if within is None or (key in documents and within(documents[key]))
    ]


def _search_words(
    connection: Connection,
    view: IndexView,
    terms: Sequence[str],
    audience: Audience,
    within: Callable[[Document], bool] | None,
) -> list[tuple[str, float]]:
    ids = view.catalogue.ids_by_number
    depth = CANDIDATE_DOCUMENTS
    while True:
        numbers = lexical.search(connection, terms, audience, depth)
        known = [(ids[number], score) for number, score in numbers if number in ids]
        kept = _keep(known, view, within)
        if len(kept) >= CANDIDATE_DOCUMENTS or len(numbers) < depth:
            return kept[:CANDIDATE_DOCUMENTS]
        depth *= DEEPER


def _near(
    view: IndexView,
    vector: Vectors,
    audience: Audience,
    within: Callable[[Document], bool] | None,
) -> list[tuple[str, str, float]]:
    """The nearest chunks the audience may read, with their documents, best first.

    Retired chunks take places in the sealed index until the next build; only where they or the
    caller's limits do is it asked deeper, so that what happens to documents a caller may not see
    cannot show in the depth.
    """
    owners, documents = view.catalogue.owners, view.catalogue.documents
    depth = CANDIDATE_CHUNKS
    while True:
        near = view.nearest_chunks(vector, audience, depth)
        kept = [
            (key, owners[key], similarity)
            for key, similarity in near
            if key in owners
            and audience.may_read(documents[owners[key]].metadata.audience)
            and (within is None or within(documents[owners[key]]))
        ]
        if len(kept) >= CANDIDATE_CHUNKS or len(near) < depth:
            return kept[:CANDIDATE_CHUNKS]
        depth *= DEEPER


def passages_to_read(candidates: Candidates, keys: Sequence[str], each: int | None) -> list[str]:
    """Chunk ids to fetch for the documents: the best few of each, or all."""
    return [part for key in keys for part in candidates.chunks.get(key, ())[:each]]
