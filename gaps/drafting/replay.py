"""Real questions asked on a private copy of the database, without a draft and with it published.

The served database, its index and the article's file are read and never written. The copy is
served as a publication would be at once: the draft's passages as fresh delta beside the sealed
generation, everything else as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gaps import repository
from gaps.drafting.publish import PrepareArticle, PreparedArticle, change_of
from gaps.drafting.regression import QUESTION, TICKET, Answer, AskedTwice
from gaps.drafting.review import check_base
from gaps.types import Draft, Ticket
from kb import intake, live_chunks
from kb.database import Database
from kb.evaluation import DEPTH, Question
from kb.ports import Encoder, Vectors
from kb.retrieval.retriever import Retriever
from kb.types import Audience, SearchRequest
from kb.vectors import embed_texts, embedded_text, hash_text, read_embeddings

MOST_ASKED = 100
"""Frozen questions, and tickets; a reviewer waits for the answer."""
MOST_READ = 1_000
"""Frozen questions the nearest are chosen from: those never asked before have to be embedded."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question before it is asked."""

    kind: str
    id: str
    text: str
    audience: Audience
    right: frozenset[str]
    leave_out: str | None
    """A solved ticket does not teach the ranking its own answer."""


def replay_draft(
    database: Database,
    retriever: Retriever,
    encoder: Encoder,
    draft: Draft,
    *,
    questions: Sequence[Question],
    tickets: Sequence[Ticket],
    now: datetime,
    prepare: PrepareArticle,
) -> list[AskedTwice]:
    """Ask as if the draft were published now, and as things are; write nothing.

    Args:
        database: What is served.
        retriever: Serves it.
        encoder: Reads the draft's passages.
        draft: What is proposed.
        questions: The frozen set. Of more than 100 those are asked that the article is to answer,
            then those nearest to its passages, as they are and as proposed: a text can only
            displace, or be missed, where it is found.
        tickets: The gap's; of more than 100 a part chosen by the digest of their ids.
        now: The moment of publication.
        prepare: Chunks the article as its source would state it; embeds and writes nothing.

    Returns:
        Both answers to each question, asked as its own audience; questions first, each by id.

    Raises:
        StaleError: The article has moved on, or its id was taken.
        ConflictError: The draft cannot be published as it is.
        UnavailableError: The encoder is away, or the database cannot be copied.
    """
    with database.read() as connection:
        base = check_base(connection, draft)
    prepared = prepare(change_of(draft, base, now))
    document_id = prepared.parsed.document_id
    with database.copy() as copy:
        trial = retriever.beside(copy)
        passages = _embed(copy, encoder, prepared) + _read_passages(copy, encoder, document_id)
        asking = [
            *_choose_questions(trial, questions, passages, document_id),
            *(_ask_ticket(ticket, document_id) for ticket in _choose_tickets(tickets)),
        ]
        vectors = trial.encode([one.text for one in asking])
        before = _ask(trial, asking, vectors)
        with copy.write() as connection:
            intake.write_version(
                connection, prepared.parsed, prepared.chunks, now=now, author="kbops",
                reason="replay",
            )  # fmt: skip
            intake.write_verification(connection, document_id, by=draft.owner, now=(
                prepared.parsed.metadata.last_verified_at or now
            ))  # fmt: skip
        after = _ask(trial, asking, vectors)
    return [
        AskedTwice(
            one.kind, one.id, one.text if one.kind == QUESTION else "", one.audience, one.right,
            was, now_is,
        )
        for one, was, now_is in zip(asking, before, after, strict=True)
    ]  # fmt: skip


def _embed(copy: Database, encoder: Encoder, prepared: PreparedArticle) -> list[Vectors]:
    """Vectors of the draft's passages; its title's are made too, which a search would do without
    where the encoder is away."""
    texts = {chunk.content_hash: chunk.embedded for chunk in prepared.chunks}
    title = prepared.parsed.metadata.title
    found, _ = embed_texts(copy, encoder, texts | {hash_text(title): title})
    return [found[key] for key in texts]


def _read_passages(copy: Database, encoder: Encoder, document_id: str) -> list[Vectors]:
    """Vectors of the article's passages as they are served; none of a new one."""
    with copy.read() as connection:
        found = live_chunks.read_chunks_of(connection, [document_id], Audience.INTERNAL)
        hashes = [
            hash_text(embedded_text(c.document.metadata.title, c.heading_path, c.text))
            for c in found
        ]
        return list(read_embeddings(connection, encoder.recipe, hashes).values())


def _choose_questions(
    retriever: Retriever,
    questions: Sequence[Question],
    passages: Sequence[Vectors],
    document_id: str,
) -> list[_Asking]:
    chosen = sorted(
        questions,
        key=lambda q: (document_id not in q.relevant, _digest(q.question_id), q.question_id),
    )[:MOST_READ]
    if len(chosen) > MOST_ASKED and passages:
        near = np.stack(retriever.encode([q.text for q in chosen])) @ np.stack(passages).T
        nearest = np.max(near, axis=1)
        # Rounded, because a product's last digits depend on the order of its rows.
        order = sorted(
            range(len(chosen)),
            key=lambda row: (
                document_id not in chosen[row].relevant,
                -round(float(nearest[row]), 5),
                chosen[row].question_id,
            ),
        )
        chosen = [chosen[row] for row in order]
    return [
        _Asking(QUESTION, q.question_id, q.text, q.audience, frozenset(q.relevant), None)
        for q in sorted(chosen[:MOST_ASKED], key=lambda q: q.question_id)
    ]


def _choose_tickets(tickets: Sequence[Ticket]) -> list[Ticket]:
    asked = [t for t in tickets if t.question]
    asked.sort(key=lambda t: (_digest(t.ticket_id), t.ticket_id))
    return sorted(asked[:MOST_ASKED], key=lambda t: t.ticket_id)


def _ask_ticket(ticket: Ticket, document_id: str) -> _Asking:
    return _Asking(
        TICKET, ticket.ticket_id, ticket.question, ticket.audience, frozenset({document_id}),
        repository.judgement_ref(ticket.ticket_id),
    )  # fmt: skip


def _digest(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()


def _ask(
    retriever: Retriever, asking: Sequence[_Asking], vectors: Sequence[Vectors]
) -> list[Answer]:
    found = []
    for one, vector in zip(asking, vectors, strict=True):
        answer = retriever.search(
            SearchRequest(one.text, top_k=DEPTH), one.audience, vector=vector,
            leave_out=one.leave_out,
        )  # fmt: skip
        documents = tuple(hit.chunk.document.document_id for hit in answer.hits)
        found.append(Answer(documents, answer.answerable))
    return found
