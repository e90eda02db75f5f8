"""What must hold after every kill, whatever it hit; each check returns what is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from soak_world import World
from sqlalchemy import select

from api.wiring import Application
from gaps.drafting.publications import read_publication_of, read_unwritten
from gaps.types import Draft, DraftState
from ingest.integrity import check_integrity
from kb import articles
from kb.audit import verify_chain
from kb.errors import KbError, NotFoundError
from kb.retrieval.index import read_state
from kb.tables import audit
from kb.types import Audience, SearchRequest, SearchResponse

ASKED_MARKERS = 4


@dataclass(slots=True)
class AuditHead:
    """How far the audit log was known to reach."""

    count: int = 0
    digest: str = ""


def check_storage(application: Application) -> Iterator[str]:
    """The file is sound, references hold, and index rows agree with the documents."""
    path = Path(str(application.database.engine.url.database))
    with closing(sqlite3.connect(path)) as connection:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            yield f"integrity_check: {verdict}"
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            yield "foreign_key_check found a dangling reference"
    yield from check_integrity(application.database, application.encoder.recipe)


def check_audit(application: Application, head: AuditHead) -> Iterator[str]:
    """The chain verifies, and what it held at the last look it still holds."""
    with application.database.read() as connection:
        try:
            count, digest = verify_chain(connection)
        except KbError as error:
            yield error.message
            return
        if head.count:
            kept = connection.execute(
                select(audit.c.hash).where(audit.c.seq == head.count)
            ).scalar()
            if kept != head.digest:
                yield f"audit entry {head.count} was acknowledged and is not there any more"
    head.count, head.digest = count, digest


def check_sources(
    before: dict[str, dict[str, str]],
    attempted: dict[str, dict[str, str]],
    stored: dict[str, dict[str, str]],
    acknowledged: set[str],
) -> Iterator[str]:
    """Each source is wholly as before or wholly as attempted; the latter where it was said."""
    for name, documents in stored.items():
        if name in acknowledged and documents != attempted[name]:
            yield f"source {name} was acknowledged: {_difference(attempted[name], documents)}"
        elif documents not in (before[name], attempted[name]):
            yield f"source {name} is in between: {_difference(before[name], documents)}"


def _difference(wanted: dict[str, str], found: dict[str, str]) -> str:
    lost = sorted(set(wanted) - set(found))
    extra = sorted(set(found) - set(wanted))
    other = sorted(key for key in set(wanted) & set(found) if wanted[key] != found[key])
    return f"missing {lost[:5]}, unexpected {extra[:5]}, other text {other[:5]}"


def check_search(application: Application, world: World) -> Iterator[str]:
    """Search answers from the generation the database names, undegraded, with the stored texts."""
    with application.database.read() as connection:
        state = read_state(connection)
    if state.generation is not None:
        try:
            application.generations.verify(application.generations.read(state.generation))
        except KbError as error:
            yield f"the serving generation is damaged: {error.message}"
    known = sorted(world.markers)
    for document_id in world.rng.sample(known, min(ASKED_MARKERS, len(known))):
        marker = world.markers[document_id]
        answer = _ask(application, f"{marker} about {document_id}", Audience.INTERNAL)
        if answer.generation != state.generation or answer.degraded:
            yield f"search served {answer.generation} with {answer.degraded}"
        if not _holds(answer, marker, document_id):
            yield f"{marker} of {document_id} is stored and not found"
    for marker in world.rng.sample(world.gone, min(2, len(world.gone))):
        if _holds(_ask(application, marker, Audience.INTERNAL), marker):
            yield f"{marker} was replaced or deleted and is still served"


def _ask(application: Application, query: str, audience: Audience) -> SearchResponse:
    request = SearchRequest(query, top_k=50, group_by="chunk")
    return application.retriever.search(request, audience)


def _holds(answer: SearchResponse, marker: str, document_id: str | None = None) -> bool:
    return any(
        marker in hit.chunk.text and document_id in (None, hit.chunk.document.document_id)
        for hit in answer.hits
    )


def check_publication(application: Application, draft: Draft, acknowledged: bool) -> Iterator[str]:
    """A draft is published with its version served, or not at all; never half, never twice."""
    with application.database.read() as connection:
        publication = read_publication_of(connection, draft.draft_id)
        try:
            document = articles.read_document(connection, str(draft.document_id))
        except NotFoundError:
            document = None
        unwritten = {p.draft_id for p in read_unwritten(connection)}
        if (publication is not None) != (draft.state is DraftState.PUBLISHED):
            yield f"draft {draft.state} with publication {publication}"
        if publication is None:
            if acknowledged:
                yield f"the publication of {draft.draft_id} was acknowledged and is not there"
            if document is not None and document.version != draft.base_version:
                yield f"{draft.document_id} changed without a publication"
            return
        if document is None or document.version != publication.version:
            yield f"{draft.document_id} does not serve version {publication.version}"
            return
        text = articles.read_version(connection, document.document_id, document.version)
    if text.markdown.strip() != draft.markdown.strip():
        yield f"{draft.document_id} serves another text than the draft's"
    marker = draft.markdown.split(maxsplit=1)[0]
    answer = _ask(application, f"{marker} {draft.title}", Audience.PUBLIC)
    if not _holds(answer, marker, draft.document_id):
        yield f"{marker} is published and not found"
    file = Path(str(publication.path))
    written = file.exists() and draft.markdown.strip() in file.read_text(encoding="utf-8")
    if not written and draft.draft_id not in unwritten:
        yield f"{file.name} is said to be written and is not"
