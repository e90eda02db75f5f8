"""Reads what triage needs: documents, disputes, twins, and what the retriever says to a topic."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from gaps.finding.coverage import (
    Searcher,
    measure_coverage,
    ranked_documents,
    search_documents,
)
from gaps.grouping.answers import answered_by_hand, helped_by_article
from gaps.grouping.likeness import CLEARLY_ALIKE
from gaps.triage.facts import (
    ASKED_PER_TOPIC,
    Dispute,
    DocumentFacts,
    TicketFacts,
    TopicFacts,
    Twins,
)
from gaps.types import Coverage, Ticket
from kb import articles, lexical, vectors
from kb.ports import Vectors
from kb.tables import chunks, conflicts, versions
from kb.types import Audience, Document

TWIN_SIMILARITY = 0.75
"""Of two articles' mean passages. On the made-up company its planted twins lie at 0.78 and 0.75,
and 0.78 too what merely adjoins: that people ask the same of both decides (gaps/finding/twins.py).
"""
FEWEST_RESOLUTIONS = 3
SAMPLED_RESOLUTIONS = 300
CLEAR_AGREEMENT = 3.0
LEAST_SPREAD = 0.01
MOST_USUAL_COVERAGE = 0.9
FEWEST_SAMPLED = 30
"""Below this the usual likeness of resolutions is not known, and no topic is held against it."""


@dataclass(frozen=True, slots=True)
class Library:
    """The live documents as one run sees them."""

    documents: Mapping[str, DocumentFacts]
    disputes: tuple[Dispute, ...]
    directions: Mapping[str, Vectors]
    """Mean passage vector of each document, length 1."""


def read_library(connection: Connection, recipe: str, authorities: Sequence[str]) -> Library:
    found = articles.read_documents(connection)
    texts = _read_texts(connection, found)
    return Library(
        documents={
            d.document_id: _to_facts(d, texts.get(d.document_id, ""), authorities) for d in found
        },
        disputes=_read_disputes(connection, {d.document_id: d for d in found}),
        directions=_read_directions(connection, recipe),
    )


def _read_texts(connection: Connection, found: Sequence[Document]) -> dict[str, str]:
    current = {d.document_id: d.version for d in found}
    rows = connection.execute(
        select(versions.c.document_id, versions.c.version, versions.c.markdown)
    )
    return {r.document_id: r.markdown for r in rows if current.get(r.document_id) == r.version}


def _to_facts(document: Document, text: str, authorities: Sequence[str]) -> DocumentFacts:
    said, names = document.metadata, list(authorities)
    return DocumentFacts(
        document_id=document.document_id,
        title=said.title,
        audience=said.audience,
        owner=said.owner,
        strength=names.index(said.authority) if said.authority in names else len(names),
        text=text,
        verified_at=said.last_verified_at,
        effective_from=said.effective_from,
    )


def _read_disputes(connection: Connection, current: Mapping[str, Document]) -> tuple[Dispute, ...]:
    """Conflicts between the versions that are served now."""
    rows = connection.execute(
        select(conflicts).order_by(conflicts.c.winner_id, conflicts.c.similarity.desc())
    )
    return tuple(
        Dispute(row.winner_id, row.loser_id, row.winner_statement, row.loser_statement)
        for row in rows
        if row.winner_id in current
        and row.loser_id in current
        and current[row.winner_id].version == row.winner_version
        and current[row.loser_id].version == row.loser_version
    )


def _read_directions(connection: Connection, recipe: str) -> dict[str, Vectors]:
    rows = connection.execute(
        select(chunks.c.document_id, chunks.c.content_hash).where(chunks.c.live)
    ).all()
    stored = vectors.read_embeddings(connection, recipe, [row.content_hash for row in rows])
    sums: dict[str, Vectors] = {}
    for row in rows:
        if row.content_hash in stored:
            sums[row.document_id] = sums.get(row.document_id, 0) + stored[row.content_hash]
    return {
        key: np.asarray(total / max(float(np.linalg.norm(total)), 1e-9), np.float32)
        for key, total in sorted(sums.items())
    }


def find_twins(library: Library, linked: Collection[str]) -> tuple[Twins, ...]:
    """Pairs of one audience and authority, both linked, whose passages mean nearly the same."""
    keys = sorted(key for key in set(linked) if key in library.directions)
    found = []
    for place, left in enumerate(keys):
        for right in keys[place + 1 :]:
            one, two = library.documents[left], library.documents[right]
            if (one.audience, one.strength) != (two.audience, two.strength):
                continue
            similarity = float(library.directions[left] @ library.directions[right])
            if similarity >= TWIN_SIMILARITY:
                found.append(Twins(left, right, round(similarity, 4)))
    return tuple(found)


def read_unknown_terms(
    connection: Connection, terms: Collection[str], audience: Audience
) -> set[str]:
    """Terms of which a part stands in no document the audience may read."""
    unheard = "qzxjvkwq"
    weights = lexical.weigh_terms(connection, [*sorted(terms), unheard], audience)
    return {term for term in terms if weights[term] >= weights[unheard]}


def gather_facts(
    retriever: Searcher,
    library: Library,
    tickets: Sequence[Ticket],
    coverage: Mapping[str, Coverage],
    served: Sequence[Ticket],
    unknown_terms: Mapping[str, tuple[str, ...]],
    answers: Mapping[str, Vectors],
    habits: Habits,
) -> TopicFacts:
    """Ask the retriever about a topic's most central tickets.

    Args:
        retriever: As in `measure_coverage`.
        library: The live documents.
        tickets: The topic's, most central first.
        coverage: By ticket id, at least of the topic's tickets.
        served: Tickets as near to the topic that an article answered.
        unknown_terms: Ticket ids by term.
        answers: Vectors of what solved the tickets, by ticket id.
        habits: Of the whole window's agents.
    """
    trusted = _ask_trusted(retriever, tickets, library)
    encoded = _encode_resolutions(retriever, tickets)
    said = _ask_resolutions(retriever, tickets, encoded)
    by_hand = [t for t in tickets if answered_by_hand(t, coverage[t.ticket_id])]
    alike = [answers[t.ticket_id] for t in by_hand if t.ticket_id in answers]
    found = tuple(
        TicketFacts(
            ticket,
            coverage[ticket.ticket_id],
            trusted.get(ticket.ticket_id),
            said.get(ticket.ticket_id),
        )
        for ticket in tickets
    )
    linked = Counter(key for ticket in (*tickets, *served) for key in ticket.linked_articles)
    return TopicFacts(
        tickets=found,
        served=tuple(served),
        documents=library.documents,
        disputes=library.disputes,
        twins=find_twins(library, linked),
        unknown_terms=dict(unknown_terms),
        agreement=habits.agreement_of(alike[:ASKED_PER_TOPIC]),
        link_rate=habits.link_rate,
        usual_coverage=habits.coverage,
    )


def _ask_trusted(
    retriever: Searcher, tickets: Sequence[Ticket], library: Library
) -> dict[str, Coverage]:
    asked = [t for t in tickets if t.audience is not Audience.INTERNAL][:ASKED_PER_TOPIC]
    measured = measure_coverage(
        retriever, asked, set(library.documents), audience=Audience.INTERNAL
    )
    return {found.ticket_id: found for found in measured}


def _encode_resolutions(retriever: Searcher, tickets: Sequence[Ticket]) -> dict[str, Vectors]:
    """Vectors of the most central tickets' resolutions by ticket id."""
    solved = [t for t in tickets if (t.resolution or "").strip()][:ASKED_PER_TOPIC]
    encoded = retriever.encode([ticket.resolution or "" for ticket in solved])
    return {ticket.ticket_id: vector for ticket, vector in zip(solved, encoded, strict=True)}


def _ask_resolutions(
    retriever: Searcher, tickets: Sequence[Ticket], encoded: Mapping[str, Vectors]
) -> dict[str, tuple[tuple[str, float], ...]]:
    return {
        ticket.ticket_id: ranked_documents(
            search_documents(
                retriever, ticket.resolution or "", ticket.audience, encoded[ticket.ticket_id]
            )
        )
        for ticket in tickets
        if ticket.ticket_id in encoded
    }


@dataclass(frozen=True, slots=True)
class Habits:
    """What is usual among all answered tickets of a window, to set one topic against."""

    link_rate: float
    """Share that an article answered."""
    coverage: float
    """Mean coverage of tickets that an article answered although the record leaves them open: the
    retriever's confidence in what is there. 0.5 where they are few."""
    middle: float
    """Median cosine between two answers."""
    spread: float
    """Median minus 16th percentile."""

    def agreement_of(self, encoded: Sequence[Vectors]) -> float | None:
        """How much more alike these resolutions are than any two, in spreads; None if unknown.

        Clearly alike ones agree even where one topic makes up most of the window.
        """
        if len(encoded) < FEWEST_RESOLUTIONS or self.spread < LEAST_SPREAD:
            return None
        likeness = float(np.mean(_pairs(np.stack(encoded))))
        agreement = (likeness - self.middle) / self.spread
        return max(agreement, CLEAR_AGREEMENT) if likeness >= CLEARLY_ALIKE else agreement


def measure_habits(
    answers: Mapping[str, Vectors],
    tickets: Mapping[str, Ticket],
    coverage: Mapping[str, Coverage],
) -> Habits:
    """Read off all tickets of a window and a sample of the answers, drawn by ticket id.

    Args:
        answers: Vectors of what solved the tickets, by ticket id.
        tickets: All of the window.
        coverage: Of those the knowledge base did not resolve.
    """
    helped = [found for found in coverage.values() if helped_by_article(found)]
    by_hand = sum(answered_by_hand(tickets[key], found) for key, found in coverage.items())
    helped_count = len(tickets) - len(coverage) + len(helped)
    rate = helped_count / max(1, helped_count + by_hand)
    known = 0.5
    if len(helped) >= FEWEST_SAMPLED:
        mean = sum(found.probability for found in helped) / len(helped)
        known = min(MOST_USUAL_COVERAGE, max(known, mean))
    sample = sorted(answers, key=lambda key: hashlib.sha256(key.encode()).digest())
    encoded = [answers[key] for key in sample[:SAMPLED_RESOLUTIONS]]
    if len(encoded) < FEWEST_SAMPLED:
        return Habits(rate, known, 0.0, 0.0)
    low, middle = np.quantile(_pairs(np.stack(encoded)), [0.16, 0.5])
    return Habits(rate, known, float(middle), float(middle - low))


def _pairs(matrix: Vectors) -> Vectors:
    """Cosines of all pairs of rows."""
    return np.asarray((matrix @ matrix.T)[np.triu_indices(len(matrix), 1)], np.float32)
