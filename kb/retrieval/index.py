"""What search reads: one sealed generation, the exact fresh delta beside it, and title vectors.

A view is immutable and kept until the index sequence moves; a request holds one view throughout.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from kb import vectors
from kb.database import Database
from kb.errors import IntegrityError, UnavailableError
from kb.generation import ChromaVectorIndex, GenerationStore
from kb.learning.serving import Learned, read_learned
from kb.ports import Encoder, Vectors
from kb.retrieval.catalogue import Catalogue, read_catalogue
from kb.tables import chunks, documents, index_state
from kb.types import Audience

SEARCH_PATIENCE_MS = 250
"""How long a search waits for another writer before it goes on without writing."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the database says is served; two equal states serve the same."""

    generation: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class ExactVectors:
    """Vectors searched exactly, with the audience that may read each."""

    keys: tuple[str, ...]
    audiences: tuple[str, ...]
    matrix: Vectors
    _readable: dict[tuple[str, ...], tuple[Any, Vectors]] = field(default_factory=dict)
    """Places and rows by the audiences read: rows in one product share its rounding, so a hidden
    row beside others would turn the order of equals."""

    def nearest(
        self, vector: Vectors, readable: Sequence[str], limit: int
    ) -> list[tuple[str, float]]:
        """Keys with cosine similarity, best first, ties by key."""
        if not self.keys:
            return []
        places, matrix = self._rows_for(tuple(readable))
        similarities = matrix @ vector
        kept = np.arange(len(places))
        if len(places) > limit:
            kept = np.argpartition(-similarities, limit - 1)[:limit]
        found = [(self.keys[places[row]], float(similarities[row])) for row in kept]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _rows_for(self, readable: tuple[str, ...]) -> tuple[Any, Vectors]:
        held = self._readable.get(readable)
        if held is None:
            places = np.nonzero(np.isin(np.asarray(self.audiences), readable))[0]
            rows = self.matrix if len(places) == len(self.keys) else self.matrix[places]
            held = self._readable[readable] = (places, rows)
        return held


@dataclass(frozen=True, slots=True)
class IndexView:
    state: IndexState
    sealed: ChromaVectorIndex | None
    delta: ExactVectors
    titles: ExactVectors
    catalogue: Catalogue
    learned: Learned | None
    degraded: tuple[str, ...]

    def nearest_chunks(
        self, vector: Vectors, audience: Audience, limit: int
    ) -> list[tuple[str, float]]:
        """Chunk ids with cosine similarity, best first; some may be retired: check before serving.

        Fewer than the limit come back only where there are no more.
        """
        readable = [a.value for a in audience.readable()]
        best: dict[str, float] = {}
        if self.sealed is not None:
            # An audience change can leave a chunk in a collection this caller does not read,
            # never the other way round: what is served is checked against the database.
            best.update(self.sealed.nearest(vector, readable, limit))
        best.update(self.delta.nearest(vector, readable, limit))
        return sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]


class SearchIndex:
    """Keeps the current view; opens a generation once and drops it when another serves."""

    def __init__(self, database: Database, store: GenerationStore, encoder: Encoder) -> None:
        self._database = database
        self._store = store
        self._encoder = encoder
        self._lock = threading.Lock()
        self._view: IndexView | None = None
        self._distrusted: str | None = None

    def distrust(self, generation: str) -> None:
        """Read this generation no more: from the next view on the database answers exactly."""
        with self._lock:
            self._distrusted = generation
            self._view = None

    def beside(self, copy: Database) -> SearchIndex:
        """An index over a copy of the database, reading this one's generation and, while the copy
        is unchanged, its view; whoever made the copy lets it go, this one closes what was opened.
        """
        other = SearchIndex(copy, self._store, self._encoder)
        other._view = self.view()
        return other

    @property
    def held(self) -> IndexView | None:
        """The last view, which may be behind: compare its state before use."""
        return self._view

    def view(self) -> IndexView:
        """The view of what is served now."""
        with self._database.read() as connection:
            state = read_state(connection)
        view = self._view
        if view is not None and view.state == state:
            return view
        with self._lock:
            if self._view is None or self._view.state != state:
                self._view = self._read_view()
            return self._view

    def _read_view(self) -> IndexView:
        titles = self._encode_titles()
        with self._database.read() as connection:
            state = read_state(connection)
            sealed, watermark, degraded = self._open_sealed(state.generation)
            catalogue = read_catalogue(connection)
            return IndexView(
                state=state,
                sealed=sealed,
                delta=self._read_delta(connection, watermark),
                titles=self._read_titles(connection, titles),
                catalogue=catalogue,
                learned=read_learned(
                    connection, self._encoder.recipe, catalogue.documents, self._held_vectors()
                ),
                degraded=degraded,
            )

    def _held_vectors(self) -> Mapping[str, Vectors]:
        """Vectors of precedents that the view before this one has read."""
        view = self._view
        return view.learned.vectors if view is not None and view.learned is not None else {}

    def _open_sealed(
        self, generation_id: str | None
    ) -> tuple[ChromaVectorIndex | None, int, tuple[str, ...]]:
        """The generation, or everything as delta where it cannot be trusted.

        A damaged generation is never served: the database's own vectors answer exactly, slower.
        """
        if generation_id is None:
            return None, 0, ()
        if generation_id == self._distrusted:
            return None, 0, ("generation",)
        try:
            generation = self._store.read(generation_id)
            if generation.recipe != self._encoder.recipe:
                raise IntegrityError(f"{generation_id} was built with another encoder")
            held = self._view.sealed if self._view is not None else None
            if held is not None and held.generation == generation_id:
                return held, generation.watermark_seq, ()
            return self._store.open(generation), generation.watermark_seq, ()
        except (IntegrityError, UnavailableError, OSError):
            return None, 0, ("generation",)

    def _read_delta(self, connection: Connection, watermark: int) -> ExactVectors:
        rows = connection.execute(
            select(chunks.c.id, chunks.c.content_hash, documents.c.audience)
            .join(documents, documents.c.id == chunks.c.document_id)
            .where(chunks.c.live, documents.c.deleted_at.is_(None), chunks.c.index_seq > watermark)
            .order_by(chunks.c.id)
        ).all()
        stored = vectors.read_embeddings(
            connection, self._encoder.recipe, [row.content_hash for row in rows]
        )
        return _exact([(row.id, row.audience, row.content_hash) for row in rows], stored)

    def _read_titles(self, connection: Connection, encoded: dict[str, Vectors]) -> ExactVectors:
        rows = connection.execute(
            select(documents.c.id, documents.c.title, documents.c.audience)
            .where(documents.c.deleted_at.is_(None))
            .order_by(documents.c.id)
        ).all()
        hashed = [(row.id, row.audience, vectors.hash_text(row.title)) for row in rows]
        stored = vectors.read_embeddings(
            connection, self._encoder.recipe, [key for _, _, key in hashed]
        )
        return _exact(hashed, encoded | stored)

    def _encode_titles(self) -> dict[str, Vectors]:
        """Titles are embedded by whoever first searches them, never by a sync.

        A search does not wait for others to finish writing: what cannot be kept is used unkept.
        """
        with self._database.read() as connection:
            titles = connection.execute(
                select(documents.c.title).where(documents.c.deleted_at.is_(None))
            ).scalars()
            texts = {vectors.hash_text(title): title for title in titles}
        try:
            found, _ = vectors.embed_texts(
                self._database, self._encoder, texts, patience_ms=SEARCH_PATIENCE_MS
            )
        except UnavailableError:
            return {}
        return found

    def close(self) -> None:
        with self._lock:
            if self._view is not None and self._view.sealed is not None:
                self._view.sealed.close()
            self._view = None


def read_state(connection: Connection) -> IndexState:
    row = connection.execute(
        select(index_state.c.active_generation, index_state.c.last_seq)
    ).first()
    return IndexState(None, 0) if row is None else IndexState(row.active_generation, row.last_seq)


def _exact(rows: Sequence[tuple[str, str, str]], stored: dict[str, Vectors]) -> ExactVectors:
    held = [(key, audience, stored[h]) for key, audience, h in rows if h in stored]
    matrix = np.stack([vector for _, _, vector in held]) if held else np.zeros((0, 1), np.float32)
    return ExactVectors(tuple(k for k, _, _ in held), tuple(a for _, a, _ in held), matrix)
