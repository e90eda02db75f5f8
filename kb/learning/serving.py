"""What was learned, as searches use it: one object for one state of the index.

For each audience only what it may see counts: its own judgements and less trusted ones, links to
documents it may read, and weights fitted on no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection

from kb import vectors
from kb.learning.judgements import StoredJudgement, hashes_of, read_judgements
from kb.learning.models import LearnedModel, read_active, read_passed_over
from kb.learning.precedents import Precedent, Precedents, choose_precedents
from kb.learning.ranker import Ranker
from kb.ports import Vectors
from kb.types import Audience, Document

MOST_PRECEDENTS = 20_000
"""Of each audience; exact search over them costs about what one over as many passages costs."""


class Learned:
    """A model with its precedents; those of an audience are gathered when it first asks."""

    def __init__(
        self,
        model: LearnedModel,
        found: Sequence[StoredJudgement],
        stored: Mapping[str, Vectors],
        documents: Mapping[str, Document],
        passed: Mapping[Audience, AbstractSet[str]],
    ) -> None:
        self.model = model
        self.vectors = stored
        """By content hash; a later state of the index takes them over."""
        self._found = found
        self._documents = documents
        self._passed = passed
        self._precedents: dict[Audience, Precedents] = {}

    @property
    def model_id(self) -> str:
        return self.model.model_id

    def ranker(self, audience: Audience) -> Ranker | None:
        return self.model.rankers.get(audience)

    def precedents(self, audience: Audience) -> Precedents:
        held = self._precedents.get(audience)
        if held is None:
            held = gather_precedents(self._found, self.vectors, self._documents, audience)
            self._precedents[audience] = held
        return held

    def passed_over(self, audience: Audience) -> AbstractSet[str]:
        return self._passed.get(audience, frozenset())


def gather_precedents(
    found: Sequence[StoredJudgement],
    stored: Mapping[str, Vectors],
    documents: Mapping[str, Document],
    audience: Audience,
) -> Precedents:
    """The judgements an audience may learn from, reduced to documents it may read."""
    chosen = []
    for judgement in found:
        if not audience.may_read(judgement.audience):
            continue
        keys = tuple(
            key
            for key in judgement.document_ids
            if key in documents and audience.may_read(documents[key].metadata.audience)
        )
        if keys:
            precedent = Precedent(judgement.ref, judgement.requester, keys)
            chosen.append((precedent, judgement.content_hash))
    return choose_precedents(chosen, stored)


def read_learned(
    connection: Connection,
    recipe: str,
    documents: Mapping[str, Document],
    held: Mapping[str, Vectors],
) -> Learned | None:
    """What is in force, or None where nothing is, or it was fitted with another encoder.

    Args:
        connection: A snapshot.
        recipe: The encoder's.
        documents: Live documents by id.
        held: Vectors read before, by content hash.
    """
    model = read_active(connection)
    if model is None or model.recipe != recipe:
        return None
    found = read_judgements(connection, model.until, MOST_PRECEDENTS)
    wanted = hashes_of(found)
    missing = [key for key in wanted if key not in held]
    fresh = vectors.read_embeddings(connection, recipe, missing)
    stored = {key: held[key] for key in wanted if key in held} | fresh
    return Learned(model, found, stored, documents, read_passed_over(connection, model.model_id))
