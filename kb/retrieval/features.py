"""Features of one ranking, for the confidence fitted on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from kb import lexical
from kb.fusion import Fused, rank_scores
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.inquiry import Inquiry
from kb.types import Document

READ_DOCUMENTS = 3
"""An agent reads about three hits; what they hold together decides whether it is answered."""
MARGIN_DEPTH = 10
WEIGHED_TERMS = 48
SHARPNESS = 12.0
"""An unlearned score times this is what a learned ranking starts from (kb.learning.ranker.START),
so that the chance of a hit means the same before and after learning."""
NAMED_TERMS = 5


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
        terms in the first hit; term_share_best: the best of the first three, for a ranking by
        words alone; rarest_missing: idf of the rarest term that none of them holds, 0 to 1;
        agreement: reciprocal lexical rank of the semantically best document;
        chance: of the first hit among all ranked; centre: how near the questions are that the
        first hit solved.
    """
    top = [known[fused.key] for fused in ranked[:READ_DOCUMENTS] if fused.key in known]
    if not top:
        return {}
    semantic, title = rankings.get("semantic", {}), rankings.get("title", {})
    cosines = sorted(semantic.values(), reverse=True)
    rest = cosines[1:MARGIN_DEPTH]
    weights = _weigh(connection, catalogue, asked)
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
        "chance": _chance(ranked),
        "centre": ranked[0].parts.get("precedents", 0.0),
    }


def find_missing_terms(
    connection: Connection, catalogue: Catalogue, asked: Inquiry, documents: Sequence[Document]
) -> tuple[str, ...]:
    """The query's words that none of the documents holds, rarest first."""
    weights = _weigh(connection, catalogue, asked)
    held = [catalogue.read_words(connection, document) for document in documents]
    together = frozenset().union(*held)
    absent = [term for term in weights if not _holds(together, term)]
    return tuple(sorted(absent, key=lambda term: -weights[term])[:NAMED_TERMS])


def _weigh(connection: Connection, catalogue: Catalogue, asked: Inquiry) -> dict[str, float]:
    terms = lexical.extract_terms(asked.request.query)[:WEIGHED_TERMS]
    return catalogue.vocabulary(asked.audience).weigh(connection, terms)


def _chance(ranked: Sequence[Fused]) -> float:
    """Of the first hit among all ranked: the learned model's, or what it would start from."""
    first = ranked[0]
    if "learned" in first.ranks:
        return first.score
    return 1.0 / sum(math.exp(SHARPNESS * (fused.score - first.score)) for fused in ranked)


def _share(weights: Mapping[str, float], stems: frozenset[str]) -> float:
    total = sum(weights.values())
    held = sum(weight for term, weight in weights.items() if _holds(stems, term))
    return held / total if total > 0 else 0.0


def _holds(stems: frozenset[str], term: str) -> bool:
    return all(lexical.stem(part) in stems for part in lexical.split_term(term))


def _agreement(semantic: Mapping[str, float], by_words: Mapping[str, float]) -> float:
    if not semantic or not by_words:
        return 0.0
    first = min(semantic, key=lambda key: (-semantic[key], key))
    rank = rank_scores(by_words).get(first)
    return 1.0 / rank if rank else 0.0
