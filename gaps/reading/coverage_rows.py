"""SQL that keeps what the knowledge base said to a ticket, so that a week asks for the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from gaps.tables import coverages
from gaps.types import Answer
from kb.vectors import hash_text

BATCH = 500


def hash_question(question: str, audience: str) -> str:
    """What of a ticket decides its answer."""
    return hash_text(f"{audience}\n{question}")


def read_answers(
    connection: Connection, hashes: Mapping[str, str], state: str
) -> dict[str, Answer]:
    """Answers by ticket id that still hold.

    Args:
        connection: Any.
        hashes: Question hash by ticket id.
        state: Of the documents and of all that ranks them; answers of another do not hold.
    """
    found: dict[str, Answer] = {}
    ids = sorted(hashes)
    for start in range(0, len(ids), BATCH):
        rows = connection.execute(
            select(coverages).where(
                coverages.c.ticket_id.in_(ids[start : start + BATCH]), coverages.c.state == state
            )
        )
        for row in rows:
            if row.content_hash == hashes[row.ticket_id]:
                best = tuple((key, float(cosine)) for key, cosine in row.best_documents)
                found[row.ticket_id] = (row.probability, best)
    return found


def write_answers(
    connection: Connection,
    answers: Mapping[str, Answer],
    hashes: Mapping[str, str],
    state: str,
) -> None:
    """Keep answers, in place of older ones of the same tickets."""
    ids: Sequence[str] = sorted(answers)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        connection.execute(delete(coverages).where(coverages.c.ticket_id.in_(batch)))
        connection.execute(
            insert(coverages),
            [
                {
                    "ticket_id": key, "content_hash": hashes[key], "state": state,
                    "probability": answers[key][0],
                    "best_documents": [list(pair) for pair in answers[key][1]],
                }
                for key in batch
            ],
        )  # fmt: skip
