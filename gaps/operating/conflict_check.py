"""Which documents state different facts about the same thing, statement by statement.

Embeddings align, symbols decide (`kb.statements`). The thresholds were set on content/ (155
documents, 473 sentences with values, MiniLM): they find its four planted conflicts with one false
pair. Aligned sentences of two authors lie at 0.56 to 0.78 there, far below the 0.97 of an edited
copy, so the cosine alone cannot separate them: how near the *documents* are, and how many telling
words the sentences share, decide with it. Precise before exhaustive: a false conflict costs an
owner's time and takes a true passage out of answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np
from sqlalchemy import Connection, delete, insert

from kb import articles, audit, vectors
from kb.database import Database
from kb.hierarchy import find_superseded, invalid_reason, rule_between
from kb.ports import Encoder, Vectors
from kb.quantities import extract_slots
from kb.statements import content_words, find_disagreement, mask_values, split_sentences
from kb.tables import conflicts
from kb.types import Audience, Document, Ruling

RELATED_DOCUMENTS = 0.60
"""Cosine of two documents' mean sentence below which their sentences are not compared."""
SAME_SENTENCE = 0.80
"""Masked cosine from which on two sentences of related documents are one statement."""
SAME_TOPIC_DOCUMENTS, SAME_TOPIC_SENTENCE = 0.70, 0.62
"""Together, with shared telling words: two authors on one rule."""
TWIN_DOCUMENTS, TWIN_SENTENCE = 0.85, 0.50
"""Documents that tell the same thing throughout: their aligned values need no shared words."""
MIN_SHARED_WORDS = 2
IGNORED_UNITS = frozenset({"date"})
"""Dates differ between documents because their documents do; only values are compared."""


@dataclass(frozen=True, slots=True)
class FoundConflict:
    """Two statements that cannot both be true."""

    left: Document
    right: Document
    left_statement: str
    right_statement: str
    left_value: str
    right_value: str
    similarity: float
    ruling: Ruling | None
    """None on a tie: nobody wins."""


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    vector: Vectors
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Stated:
    document: Document
    centre: Vectors
    sentences: tuple[_Said, ...]
    """Only those that state a value."""


def check_conflicts(
    database: Database, encoder: Encoder, *, now: datetime, authorities: Sequence[str]
) -> list[FoundConflict]:
    """Compare every two documents one reader may see together; replaces the stored conflicts.

    Args:
        database: Holds documents; sentence vectors are kept there by content hash.
        encoder: Aligns sentences.
        now: Only documents valid at this moment are compared.
        authorities: Strongest first.

    Returns:
        Conflicts, by document ids.

    Raises:
        UnavailableError: The encoder or the database is away.
    """
    with database.read() as connection:
        texts = _read_valid(connection, now)
    stated = _embed(database, encoder, texts)
    replaced_for = _read_replaced([document for document, _ in texts], now)
    found = []
    for left, right in combinations(stated, 2):
        if _is_replaced(left.document, right.document, replaced_for):
            continue
        conflict = find_conflict(left, right, authorities)
        if conflict is not None:
            found.append(conflict)
    with database.write() as connection:
        _replace_rows(connection, found, now)
        audit.write_entry(
            connection, at=now, actor="kbops", action="conflicts.check", subject="documents",
            details={"compared": len(stated), "found": len(found)},
        )  # fmt: skip
    return found


def _read_valid(connection: Connection, now: datetime) -> list[tuple[Document, str]]:
    return [
        (d, articles.read_version(connection, d.document_id, d.version).markdown)
        for d in articles.read_documents(connection, Audience.INTERNAL)
        # A fact about one customer contradicts no rule.
        if d.metadata.customer is None and invalid_reason(d, now) is None
    ]


def _read_replaced(documents: Sequence[Document], now: datetime) -> dict[str, Audience]:
    """The least trusted audience for which a document is superseded, by document id."""
    audiences = {d.document_id: d.metadata.audience for d in documents}
    return {
        old: min((audiences[new] for new in by), key=lambda audience: audience.rank)
        for old, by in find_superseded(documents, now).items()
    }


def _is_replaced(left: Document, right: Document, replaced_for: Mapping[str, Audience]) -> bool:
    """Whether readers of both see one of them superseded.

    A replacement they may not know of hides nothing from them, so the two still disagree for them.
    """
    reader = max(left.metadata.audience, right.metadata.audience, key=lambda a: a.rank)
    found = (replaced_for.get(d.document_id) for d in (left, right))
    return any(audience is not None and reader.may_read(audience) for audience in found)


def _embed(
    database: Database, encoder: Encoder, documents: Sequence[tuple[Document, str]]
) -> list[_Stated]:
    split: list[tuple[Document, list[str]]] = []
    wanted: dict[str, str] = {}
    for document, markdown in documents:
        # A table row names its subject in other cells than its value.
        sentences = [s.text for s in split_sentences(markdown) if not s.text.startswith("|")]
        split.append((document, sentences))
        for text in [document.metadata.title, *map(mask_values, sentences)]:
            wanted[vectors.hash_text(text)] = text
    found, _ = vectors.embed_texts(database, encoder, wanted)

    def vector(text: str) -> Vectors:
        return found[vectors.hash_text(text)]

    stated = []
    for document, sentences in split:
        if not sentences:
            continue
        centre = np.mean([vector(mask_values(s)) for s in sentences], axis=0)
        centre = centre + 0.5 * vector(document.metadata.title)
        said = tuple(
            _Said(text, vector(mask_values(text)), frozenset(telling_words(text)))
            for text in sentences
            if any(slot.unit not in IGNORED_UNITS for slot in extract_slots(text))
        )
        stated.append(_Stated(document, centre / np.linalg.norm(centre), said))
    return stated


_UNIT_WORDS = frozenset(
    "day week month year hour minute second working business euro eur gbp usd percent character"
    " time people unit least most within about up than more less one two three four five six seven"
    " eight nine ten twelve".split()
)


def telling_words(sentence: str) -> set[str]:
    """Content words that are neither a number nor a unit: what a value is about."""
    return {
        word
        for word in content_words(sentence)
        if word not in _UNIT_WORDS and word.rstrip("s") not in _UNIT_WORDS
    }


def find_conflict(
    left: _Stated, right: _Stated, authorities: Sequence[str]
) -> FoundConflict | None:
    """The clearest contradiction between two documents, or None."""
    if not _readable_together(left.document, right.document):
        return None
    if not _same_scope(left.document, right.document):
        return None
    related = float(left.centre @ right.centre)
    if related < RELATED_DOCUMENTS or not left.sentences or not right.sentences:
        return None
    similar = _comparable(left.sentences, right.sentences)
    best: FoundConflict | None = None
    for i, j in zip(*np.nonzero(similar > 0), strict=True):
        value = float(similar[i, j])
        # Only each other's nearest can be the same statement.
        if value < similar[i].max() or value < similar[:, j].max():
            continue
        ours, theirs = left.sentences[i], right.sentences[j]
        if not is_same_statement(related, value, len(ours.words & theirs.words)):
            continue
        found = find_disagreement(ours.text, theirs.text)
        if found is None or found.unit in IGNORED_UNITS:
            continue
        if best is None or value > best.similarity:
            ruling = rule_between(left.document, right.document, authorities)
            best = FoundConflict(
                left.document, right.document, ours.text, theirs.text, found.left, found.right,
                value, ruling,
            )  # fmt: skip
    return best


def is_same_statement(documents: float, sentences: float, shared_words: int) -> bool:
    """Whether two sentences of two documents speak of one thing.

    Args:
        documents: Cosine of the documents.
        sentences: Cosine of the sentences, values masked.
        shared_words: Telling words in common.
    """
    if documents >= TWIN_DOCUMENTS and sentences >= TWIN_SENTENCE:
        return True
    if shared_words < MIN_SHARED_WORDS:
        return False
    if documents >= RELATED_DOCUMENTS and sentences >= SAME_SENTENCE:
        return True
    return documents >= SAME_TOPIC_DOCUMENTS and sentences >= SAME_TOPIC_SENTENCE


def _comparable(left: Sequence[_Said], right: Sequence[_Said]) -> Vectors:
    """Masked cosines where both state a value of one unit, else 0."""
    similar = np.stack([s.vector for s in left]) @ np.stack([s.vector for s in right]).T
    units = [[{x.unit for x in extract_slots(s.text)} for s in side] for side in (left, right)]
    for i, ours in enumerate(units[0]):
        for j, theirs in enumerate(units[1]):
            if not ours & theirs - IGNORED_UNITS:
                similar[i, j] = 0.0
    return np.asarray(similar, np.float32)


def _readable_together(left: Document, right: Document) -> bool:
    """Audiences are nested: whoever reads the more trusted one reads both."""
    one, two = left.metadata.audience, right.metadata.audience
    return one.may_read(two) or two.may_read(one)


def _same_scope(left: Document, right: Document) -> bool:
    """Neither names a region, plan or product that the other's excludes."""
    one, two = left.metadata, right.metadata
    pairs = ((one.regions, two.regions), (one.plans, two.plans), (one.products, two.products))
    return all(not a or not b or set(a) & set(b) for a, b in pairs)


def _replace_rows(connection: Connection, found: Sequence[FoundConflict], now: datetime) -> None:
    articles.next_sequence(connection)
    connection.execute(delete(conflicts))
    rows: dict[tuple[str, str], Mapping[str, object]] = {}
    for conflict in found:
        swapped = (
            conflict.ruling is not None and conflict.ruling.winner == conflict.right.document_id
        )
        row = _row(conflict, swapped, now)
        rows[str(row["winner_id"]), str(row["loser_id"])] = row
        if conflict.ruling is None:
            other = _row(conflict, not swapped, now)
            rows[str(other["winner_id"]), str(other["loser_id"])] = other
    if rows:
        connection.execute(insert(conflicts), list(rows.values()))


def _row(conflict: FoundConflict, swapped: bool, now: datetime) -> dict[str, object]:
    sides = [
        (conflict.left, conflict.left_statement),
        (conflict.right, conflict.right_statement),
    ]
    (winner, winning), (loser, losing) = reversed(sides) if swapped else sides
    return {
        "winner_id": winner.document_id,
        "loser_id": loser.document_id,
        "winner_version": winner.version,
        "loser_version": loser.version,
        "winner_statement": winning,
        "loser_statement": losing,
        "similarity": conflict.similarity,
        "found_at": now,
    }
