"""What every adapter makes of the answer of `POST /v1/search`: scores and metadata; pure.

No adapter ranks: each gives the hits it was given, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = Mapping[str, Any]
"""As `api.schemas.search_json` gives it, over HTTP or in this process."""
MOST_ATTRIBUTES = 16
ATTRIBUTE_CHARACTERS = 512
"""What OpenAI allows a file: so many attributes, and so much text in one."""


def score_hits(answer: Answer) -> list[float]:
    """A score for each hit, 0 to 1, never rising from one to the next.

    The best hit scores the confidence that the question is answered at all, the others their share
    of it by their score. So a threshold means the same for every question, and a question that the
    knowledge base does not answer gives low scores only; hits' own scores are relative within one
    answer, and tools that sort again by score must not undo the order.
    """
    scores: list[float] = []
    best = 0.0
    for hit in answer["hits"]:
        score = max(0.0, float(hit["score"]))
        best = best or score
        share = min(1.0, score / best) if best else 1.0
        scores.append(min(answer["confidence"] * share, scores[-1] if scores else 1.0))
    return scores


def hit_metadata(answer: Answer, hit: Mapping[str, Any]) -> dict[str, Any]:
    """Verdicts and origin of a hit, flat but for what has several parts; never a null."""
    freshness = hit["freshness"]
    said = {
        "document_id": hit["document_id"],
        "chunk_id": hit["chunk_id"],
        "version": hit["version"],
        "title": hit["title"],
        "heading_path": hit["heading_path"],
        "url": hit["url"],
        "source": hit["source"],
        "authority": hit["authority"],
        "audience": hit["audience"],
        "owner": hit["owner"],
        "confidence_state": hit["confidence_state"],
        "freshness": freshness["verdict"],
        "freshness_reasons": freshness["reasons"],
        "last_verified_at": freshness["last_verified_at"],
        "age_days": freshness["age_days"],
        "action_class": hit["action_class"],
        "overrules": hit["overrules"],
        "overruled_by": hit["overruled_by"],
        "unverified": hit["unverified"],
        "answerable": answer["answerable"],
        "confidence": answer["confidence"],
        "degraded": answer["degraded"],
        "search_id": answer["search_id"],
    }
    return {key: value for key, value in said.items() if value is not None}


def hit_attributes(answer: Answer, hit: Mapping[str, Any]) -> dict[str, str | float | bool]:
    """The same as OpenAI's attributes: at most 16, text, numbers or booleans."""
    said = hit_metadata(answer, hit)
    said["overrules"] = " ".join(ruling["document_id"] for ruling in hit["overrules"]) or None
    chosen = (
        "version", "url", "source", "authority", "audience", "owner", "confidence_state",
        "freshness", "last_verified_at", "age_days", "action_class", "overrules", "unverified",
        "answerable", "confidence", "search_id",
    )  # fmt: skip
    kept = [(key, said.get(key)) for key in chosen]
    return {
        key: value[:ATTRIBUTE_CHARACTERS] if isinstance(value, str) else value
        for key, value in kept[:MOST_ATTRIBUTES]
        if value is not None
    }
