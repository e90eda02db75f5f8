"""Why a query does not count as answerable: what was nearest, and why it was not enough.

Of hits the caller is served and of the caller's own words, so nothing else can show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from kb.confidence import Calibration
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.features import READ_DOCUMENTS, find_missing_terms
from kb.retrieval.inquiry import Inquiry
from kb.types import Hit, WhyNot

NOTHING_FOUND = "nothing that the caller may read matches the question"


def explain_refusal(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    hits: Sequence[Hit],
    similarities: Mapping[str, float],
    features: Mapping[str, float],
    calibration: Calibration | None,
    confidence: float,
    threshold: float,
) -> WhyNot:
    """Say it of the hits.

    Args:
        connection: The search's snapshot.
        catalogue: What is known of documents.
        asked: The query.
        hits: What is served.
        similarities: Cosine of each document's best passage; empty without an encoder.
        features: What the confidence was computed from.
        calibration: What it was computed with, None where words alone decided.
        confidence: What was stated.
        threshold: What it would have taken.
    """
    if not hits:
        return WhyNot(NOTHING_FOUND, None, None, None, ())
    documents = list({h.chunk.document.document_id: h.chunk.document for h in hits}.values())
    nearest = max(documents, key=lambda d: similarities.get(d.document_id, -1.0))
    missing = find_missing_terms(connection, catalogue, asked, documents[:READ_DOCUMENTS])
    doubts = calibration.find_doubts(features) if calibration is not None else []
    if missing:
        doubts.append(f"the first hits do not say {', '.join(missing)}")
    stated = f"confidence {confidence:.2f} is under the threshold of {threshold:.2f}"
    return WhyNot(
        f"{stated}: {'; '.join(doubts)}" if doubts else stated,
        nearest.document_id,
        nearest.metadata.title,
        similarities.get(nearest.document_id),
        missing,
    )
