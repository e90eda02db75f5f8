"""Features of one ranking, for the confidence fitted on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from kb import lexical
from kb.fusion import Fused, rank_scores
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.hits import Inquiry
from kb.types import Document

READ_DOCUMENTS = 3
"""An agent reads about three hits; what they hold together decides whether it is answered."""
MARGIN_DEPTH = 10
WEIGHED_TERMS = 48


def confidence_features(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    ranked: Sequence[Fused],
    rankings: Mapping[str, Mapping[str, float]],
    known: Mapping[str, Document],
) -> dict[str, float]:
    """What the ranking says about itself; empty when nothing was found.

    Returns:
        semantic_top: best cosine among the first hits; semantic_margin: first minus the mean of
        the next nine; title_top: best title cosine; term_share: idf-weighted share of the query's
        terms in the first hit; term_share_best: the best of the first three; rarest_missing: idf
        of the rarest term that none of them holds, 0 to 1; agreement: reciprocal lexical rank of
        the semantically best document.
    """
    top = [known[fused.key] for fused in ranked[:READ_DOCUMENTS] if fused.key in known]
    if not top:
        return {}
    semantic, title = rankings.get("semantic", {}), rankings.get("title", {})
    cosines = sorted(semantic.values(), reverse=True)
    rest = cosines[1:MARGIN_DEPTH]
    terms = lexical.extract_terms(asked.request.query)[:WEIGHED_TERMS]
    weights = catalogue.vocabulary(asked.audience).weigh(connection, terms)
    held = [catalogue.read_words(connection, document) for document in top]
    shares = [_share(weights, stems) for stems in held]
    together = frozenset().union(*held)
    absent = [weight for term, weight in weights.items() if not _holds(together, term)]
    highest = max(weights.values(), default=0.0)
    return {
        "semantic_top": max((semantic.get(d.document_id, 0.0) for d in top), default=0.0),
        "semantic_margin": cosines[0] - sum(rest) / len(rest) if rest else 0.0,
        "title_top": max((title.get(d.document_id, 0.0) for d in top), default=0.0),
        "term_share": shares[0],
        "term_share_best": max(shares),
        "rarest_missing": max(absent, default=0.0) / highest if highest else 0.0,
        "agreement": _agreement(semantic, rankings.get("lexical", {})),
    }


def _share(weights: Mapping[str, float], stems: frozenset[str]) -> float:
    return _share_of(weights, [term for term in weights if _holds(stems, term)])


def _share_of(weights: Mapping[str, float], terms: Sequence[str]) -> float:
    total = sum(weights.values())
    return sum(weights[term] for term in terms) / total if total > 0 else 0.0


def _holds(stems: frozenset[str], term: str) -> bool:
    return all(lexical.stem(part) in stems for part in lexical.split_term(term))


def _agreement(semantic: Mapping[str, float], by_words: Mapping[str, float]) -> float:
    if not semantic or not by_words:
        return 0.0
    first = min(semantic, key=lambda key: (-semantic[key], key))
    rank = rank_scores(by_words).get(first)
    return 1.0 / rank if rank else 0.0
