"""Reviews, publications and rollbacks, wired to the sources that keep the articles."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from api.delivery import Delivery
from api.keys import Caller
from gaps.drafting import drafts, publications, rollback
from gaps.drafting.lessons import Lesson
from gaps.drafting.publish import (
    ArticleChange,
    PreparedArticle,
    check_file,
    publication_to_json,
    publish_approved,
)
from gaps.drafting.review import check_permission, review_draft
from gaps.drafting.workflow import APPROVING, Decision
from gaps.types import Draft, DraftState, Publication
from ingest.chunking import chunk_document
from ingest.rendering import render_changed_article, render_new_article, verified_instant
from kb import articles, audit, intake
from kb.clock import format_instant
from kb.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    KbError,
    NotFoundError,
    StaleError,
)
from kb.types import Audience, ConfidenceState, Document, Metadata, Role
from kb.vectors import embed_texts

if TYPE_CHECKING:
    from api.wiring import Application
    from ingest.sources.port import ReadableSource

log = logging.getLogger("kb.publishing")
UNREADABLE = "unreadable"
"""Stands for the content hash of a file that does not parse: no stored version has it."""


class Publishing:
    """What follows from an owner's decision."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def review(
        self,
        draft_id: str,
        decision: str,
        *,
        caller: Caller,
        draft_hash: str,
        reason: str | None = None,
        markdown: str | None = None,
        state: str | None = None,
        evidence_hash: str | None = None,
        lesson: Lesson | None = None,
    ) -> dict[str, Any]:
        """Take a decision; an approval that suffices publishes at once.

        Args:
            draft_id: The draft.
            decision: A `Decision`.
            caller: Who decides.
            draft_hash: Of the text that was read.
            reason: Why, for a rejection and for changes.
            markdown: An edit's text.
            state: The draft's state that was read.
            evidence_hash: Evidence known to have changed since the draft was checked.
            lesson: What a rejection teaches.

        Returns:
            The draft's id and state, and the publication where there is one.
        """
        application = self._application
        if Decision(decision) in APPROVING:
            self._check_dial()
        approved = self._find_approved(draft_id, decision, draft_hash, markdown, caller)
        draft = approved or review_draft(
            application.database,
            draft_id,
            decision=Decision(decision),
            reviewer=caller.name,
            role=caller.role,
            now=application.clock.now(),
            expected_hash=draft_hash,
            markdown=markdown,
            reason=reason,
            recheck=application.desk.check_draft,
            ask_second=application.notices.ask_second,
            acts_for=caller.owner,
            expected_state=DraftState(state) if state is not None else None,
            evidence_hash=evidence_hash,
            lesson=lesson,
        )
        answer: dict[str, Any] = {"draft_id": draft_id, "state": draft.state.value}
        if draft.state in (DraftState.APPROVED, DraftState.PUBLISHED):
            answer |= self._publish(draft, caller)
        return answer

    def _check_dial(self) -> None:
        """Raises ForbiddenError where kb.toml lets nobody publish from here."""
        if self._application.settings.actions.publish_article == "forbidden":
            raise ForbiddenError("kb.toml says publish_article is forbidden")

    def _find_approved(
        self, draft_id: str, decision: str, draft_hash: str, markdown: str | None, caller: Caller
    ) -> Draft | None:
        """The draft, where this caller has approved exactly this text before.

        Said again it means what it meant: a process that was killed between approval and
        publication leaves an approved draft, and the same command publishes it.
        """
        if Decision(decision) not in APPROVING:
            return None
        wanted = None if Decision(decision) is Decision.APPROVE else f"{(markdown or '').strip()}\n"
        with self._application.database.read() as connection:
            draft = drafts.read_draft(connection, draft_id)
            reviews = drafts.read_reviews(connection, draft_id)
        same = draft.draft_hash == draft_hash and wanted in (None, draft.markdown)
        by_caller = any(
            review.reviewer == caller.name
            and review.draft_hash == draft_hash
            and Decision(review.decision) in APPROVING
            for review in reviews
        )
        decided = draft.state in (DraftState.APPROVED, DraftState.PUBLISHED)
        return draft if same and by_caller and decided else None

    def _publish(self, draft: Draft, caller: Caller) -> dict[str, Any]:
        self._check_dial()
        application = self._application
        delivery = Delivery(application, self.prepare, draft.draft_id)
        try:
            publication = publish_approved(
                application.database,
                draft.draft_id,
                reviewer=caller.name,
                role=caller.role,
                now=application.clock.now(),
                prepare=delivery.prepare,
                write_file=delivery.write,
                measure_before=application.weekly.measure_before,
                acts_for=caller.owner,
            )
        except ConflictError as error:
            # Another process may have finished it while this one measured.
            with application.database.read() as connection:
                found = publications.read_publication_of(connection, draft.draft_id)
            if found is None or found.rolled_back_at is not None:
                if isinstance(error, StaleError):
                    delivery.note_held(draft.draft_id, error)
                raise
            publication = found
        with application.database.read() as connection:
            publication = publications.read_publication(connection, publication.publication_id)
        return publication_to_json(publication) | {"state": DraftState.PUBLISHED.value}

    def rollback_draft(
        self, draft_id: str, caller: Caller, reason: str = "rolled back"
    ) -> dict[str, Any]:
        """Take a published draft back; what was served before is served again."""
        with self._application.database.read() as connection:
            publication = publications.read_publication_of(connection, draft_id)
        if publication is None:
            raise NotFoundError("publication of draft", draft_id)
        return self._roll_back(publication, caller, reason)

    def rollback_article(
        self,
        document_id: str,
        version: int | None,
        caller: Caller,
        *,
        expected: int | None = None,
    ) -> dict[str, Any]:
        """Serve an earlier text of a document again.

        Args:
            document_id: The document.
            version: Whose text to serve; the version before the present one where None.
            caller: Who decides it.
            expected: The version they saw being served; whatever is served where None.

        Raises:
            StaleError: Another version is served by now, or its file was changed in the folder.
            ConflictError: That version is served already.
        """
        database = self._application.database
        with database.read() as connection:
            document = articles.read_document(connection, document_id, caller.audience)
            check_permission(document.metadata.owner, caller.name, caller.role, caller.owner)
            _check_served(document, expected)
            known = [v.version for v in articles.read_versions(connection, document_id)]
            publication = publications.read_publication_of_version(
                connection, document_id, document.version
            )
        if publication is not None and version in (None, publication.previous_version):
            return self._roll_back(publication, caller, f"back to version {version or 'before'}")
        earlier = [v for v in known if v < document.version]
        wanted = version if version is not None else max(earlier, default=None)
        if wanted is None or wanted not in known:
            raise NotFoundError("earlier version", f"{document_id}@{version or 'before'}")
        if wanted == document.version:
            raise ConflictError(f"{document_id} serves version {wanted} already")
        return self._serve_again(document_id, wanted, caller)

    def _roll_back(self, publication: Publication, caller: Caller, reason: str) -> dict[str, Any]:
        application = self._application
        delivery = Delivery(application, self.prepare, publication.draft_id, actor=caller.name)
        done = rollback.rollback_publication(
            application.database,
            publication.publication_id,
            reviewer=caller.name,
            role=caller.role,
            reason=reason,
            now=application.clock.now(),
            prepare=delivery.prepare,
            write_file=delivery.write,
            delete_file=delivery.delete,
            acts_for=caller.owner,
        )
        served = (
            f"the text of version {done.previous_version}"
            if done.previous_version is not None
            else "nothing: the document did not exist before"
        )
        return publication_to_json(done) | {"served": served}

    def _serve_again(self, document_id: str, wanted: int, caller: Caller) -> dict[str, Any]:
        """A new version with an old text.

        The file is written before the database: should the process die in between, the next sync
        reads the old text from the file and ends in the same state.
        """
        application = self._application
        now = application.clock.now()
        with application.database.read() as connection:
            document = articles.read_document(connection, document_id, caller.audience)
            text = articles.read_version(connection, document_id, wanted)
        delivery = Delivery(application, self.prepare, None, actor=caller.name)
        prepared = delivery.prepare(
            ArticleChange(
                document_id=document_id,
                source=document.source,
                title=text.title,
                markdown=text.markdown,
                audience=document.metadata.audience,
                owner=document.metadata.owner,
                base=document,
                verified_at=None,
            )
        )
        check_file(prepared, document)
        with application.database.write() as connection:
            _check_served(articles.read_document(connection, document_id), document.version)
            if prepared.file is not None:
                delivery.write(prepared.file, prepared.file_text)
            version = intake.write_version(
                connection,
                prepared.parsed,
                prepared.chunks,
                now=now,
                author=caller.name,
                reason=f"rollback to version {wanted}",
            )
            audit.write_entry(
                connection,
                at=now,
                actor=caller.name,
                action="article.rollback",
                subject=document_id,
                details={"to": wanted, "version": version},
            )
        return {
            "document_id": document_id,
            "version": version,
            "published_at": format_instant(now),
            "served": f"the text of version {wanted}",
        }

    def finish(self) -> list[str]:
        """Do what a killed process left undone: approved drafts unpublished, files unwritten.

        Runs when a server starts and before every sync, which would otherwise take the missing
        file for a deletion. A draft that cannot be published any more stays approved.

        Returns:
            Ids of the publications that were finished.
        """
        application = self._application
        now = application.clock.now()
        finished: list[str] = []
        try:
            finished += rollback.finish_publications(
                application.database,
                prepare=self.prepare,
                now=now,
                writers_of=lambda found: (
                    Delivery(application, self.prepare, found.draft_id).writers
                ),
            )
        except (KbError, OSError) as error:
            log.warning("files of publications are not written: %s", error)
        with application.database.read() as connection:
            waiting = [
                (draft, drafts.read_reviews(connection, draft.draft_id)[-1].reviewer)
                for draft in drafts.read_drafts(connection, states=[DraftState.APPROVED])
            ]
        for draft, approver in waiting:
            caller = Caller("kbops", Role.OWNER, Audience.INTERNAL, draft.owner, approver)
            try:
                finished.append(self._publish(draft, caller)["publication_id"])
            except KbError as error:
                log.warning("draft %s is approved and not published: %s", draft.draft_id, error)
        return finished

    def prepare(self, change: ArticleChange) -> PreparedArticle:
        """The change as its source will state it: rendered, read back, chunked and embedded."""
        prepared = self.render(change, fresh=True)
        embed_texts(
            self._application.database,
            self._application.encoder,
            {chunk.content_hash: chunk.embedded for chunk in prepared.chunks},
        )
        return prepared

    def render(self, change: ArticleChange, *, fresh: bool = False) -> PreparedArticle:
        """The change as its source will state it, chunked; writes nothing anywhere.

        Args:
            change: What to render.
            fresh: Ask the source for its present text, wherever it is.
        """
        source = self._application.find_source(change.source)
        folder = self._application.open_source(source)
        path = change.base.path if change.base is not None else f"{change.document_id}.md"
        found = folder.read_present(path, fresh=fresh)
        current = _decode(found, path) if found is not None else None
        present: str | None = None
        if found is not None:
            try:
                present = folder.parse(found, path).content_hash
            except InvalidInputError:
                present = UNREADABLE
        text = _render(change, current, source.audience.value, source.owner)
        if current is not None and _read_title(folder, text, path) != change.title:
            text = render_changed_article(
                current, change.markdown, title=change.title, verified_at=change.verified_at
            )
        parsed = folder.parse(text.encode(), path)
        if parsed.document_id != change.document_id:
            raise ConflictError(f"{path} is the file of {parsed.document_id}")
        file = folder.locate(path)
        return PreparedArticle(parsed, tuple(chunk_document(parsed)), file, text, present, found)


def _check_served(document: Document, expected: int | None) -> None:
    if expected is not None and document.version != expected:
        raise StaleError(
            f"version {document.version} is served by now, not version {expected}",
            document_id=document.document_id,
            version=document.version,
        )


def _decode(raw: bytes, path: str) -> str:
    """The text as `Path.read_text` would give it."""
    try:
        return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConflictError(f"{path} cannot be read: {error}") from error


def _read_title(folder: ReadableSource, text: str, path: str) -> str | None:
    try:
        return folder.parse(text.encode(), path).metadata.title
    except InvalidInputError:
        return None


def _render(change: ArticleChange, current: str | None, audience: str, owner: str) -> str:
    base = change.base.metadata if change.base is not None else None
    if current is not None:
        return render_changed_article(current, change.markdown, verified_at=change.verified_at)
    metadata = Metadata(
        title=change.title,
        audience=change.audience,
        authority=base.authority if base is not None else "",
        owner=change.owner,
        confidence_state=ConfidenceState.VALIDATED,
        last_verified_at=verified_instant(change.verified_at) if change.verified_at else None,
        products=base.products if base is not None else (),
    )
    return render_new_article(
        change.document_id,
        metadata,
        change.markdown,
        source_audience=audience,
        source_owner=owner,
    )
