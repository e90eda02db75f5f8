"""What the knowledge base said to some tickets, and what that comes to; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """What the knowledge base answered one ticket."""

    ticket_id: str
    answerable: bool
    confidence: float
    documents: tuple[str, ...]
    """The first hits' documents, best first, at most ten."""

    def rank_of(self, document_id: str) -> int | None:
        """Place of a document, 1 first; None where it is not among the first ten."""
        if document_id in self.documents:
            return self.documents.index(document_id) + 1
        return None


def summarise(asked: Sequence[Asked], document_id: str) -> dict[str, Any]:
    """Shares (0 to 1) and the median rank; None where there is nothing to count."""
    if not asked:
        return {"tickets": 0, "answerable_share": None, "first_three_share": None,
                "median_rank": None, "mean_confidence": None}  # fmt: skip
    ranks = [a.rank_of(document_id) for a in asked]
    found = [rank for rank in ranks if rank is not None]
    count = len(asked)
    return {
        "tickets": count,
        "answerable_share": round(sum(a.answerable for a in asked) / count, 4),
        "first_three_share": round(sum(r is not None and r <= 3 for r in ranks) / count, 4),
        "median_rank": median(found) if found else None,
        "mean_confidence": round(sum(a.confidence for a in asked) / count, 4),
    }


def asked_to_json(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """As a baseline is stored; read back by `asked_from_json`."""
    return [
        {
            "ticket_id": a.ticket_id,
            "answerable": a.answerable,
            "confidence": round(a.confidence, 4),
            "documents": list(a.documents),
        }
        for a in asked
    ]


def asked_from_json(rows: Sequence[dict[str, Any]]) -> list[Asked]:
    """The inverse of `asked_to_json`, up to rounding of the confidence."""
    return [
        Asked(r["ticket_id"], r["answerable"], r["confidence"], tuple(r["documents"])) for r in rows
    ]
