"""One publication brought back to where its article lives: a folder's file, or a commit."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaps import repository
from gaps.drafting import drafts, publications
from gaps.drafting.article_file import delete_article_file, write_article_file
from gaps.drafting.publish import ArticleChange, PrepareArticle, PreparedArticle
from gaps.drafting.rollback import Writers
from gaps.types import Publication
from ingest.sources.port import DeliveryState, SourceChange
from kb import articles, audit
from kb.errors import ConflictError, InvalidInputError, StaleError

if TYPE_CHECKING:
    from api.wiring import Application
    from ingest.sources.git import GitSource

log = logging.getLogger("kb.publishing")
HELD = "held"


@dataclass
class Delivery:
    """Prepares one article and brings it to its source, remembering what it was made from."""

    application: Application
    prepare_article: PrepareArticle
    draft_id: str | None
    """None for an old text that is served again without any draft."""
    actor: str | None = None
    """Who decided it; who published the draft unless given."""
    bases: dict[Path, bytes | None] = field(default_factory=dict)

    @property
    def writers(self) -> Writers:
        return self.write, self.delete

    def prepare(self, change: ArticleChange) -> PreparedArticle:
        """The change as its source will state it."""
        prepared = self.prepare_article(change)
        if prepared.file is not None:
            self.bases[prepared.file] = prepared.present
        return prepared

    def write(self, file: Path, text: str) -> bool:
        """Whether the source says it now; a proposal or a conflict is kept with the publication."""
        found = self._find_repository(file)
        if found is None:
            write_article_file(file, text)
            return True
        source, path = found
        raw = text.encode()
        # What was not prepared here, as after a kill, was made from the source's own text too.
        base = self.bases[file] if file in self.bases else source.read_present(path)
        return self._deliver(source, path, raw, base)

    def delete(self, file: Path) -> bool:
        """Whether the source has it no more; what somebody changed there meanwhile stays."""
        found = self._find_repository(file)
        if found is None:
            delete_article_file(file)
            return True
        source, path = found
        base = source.read_present(path)
        if base is not None and not self._is_ours(source, path, base):
            self._keep({"state": HELD, "why": f"{path} was changed in its repository and stays"})
            return True
        return self._deliver(source, path, None, base)

    def note_held(self, draft_id: str, error: StaleError) -> None:
        """Put on record that an approved draft waits, because its article has changed since."""
        with self.application.database.write() as connection:
            audit.write_entry(
                connection, at=self.application.clock.now(), actor="kbops",
                action="publication.held", subject=draft_id, details={"why": error.message},
            )  # fmt: skip

    def _deliver(
        self, source: GitSource, path: str, content: bytes | None, base: bytes | None
    ) -> bool:
        if self.draft_id is None and source.proposes:
            raise ConflictError(
                f"source {source.name} takes proposals only; go back to the old text there"
            )
        publication = self._read_publication()
        change = self._describe(path, content, base, publication)
        try:
            done = source.write(change)
        except StaleError as error:
            if publication is None:
                raise
            # The version is served already; the next sync decides what to make of both texts.
            log.warning("publication %s is held: %s", publication.publication_id, error)
            self._keep({"state": HELD, "why": error.message})
            self.note_held(publication.draft_id, error)
            return False
        self._keep({"state": done.state.value, "branch": done.branch, "commit": done.commit})
        return done.state is not DeliveryState.PROPOSED

    def _describe(
        self,
        path: str,
        content: bytes | None,
        base: bytes | None,
        publication: Publication | None,
    ) -> SourceChange:
        application, gap_id, draft_id = self.application, "none", f"restored-{Path(path).stem}"
        subject = f"Go back to an earlier text of {path}"
        why, at, before = "decided by hand", application.clock.now(), None
        if publication is not None:
            with application.database.read() as connection:
                draft = drafts.read_draft(connection, publication.draft_id)
                gap = repository.read_gap(connection, draft.gap_id)
            gap_id, draft_id = gap.gap_id, draft.draft_id
            at = publication.rolled_back_at or publication.published_at
            verb = "Change" if publication.previous_version is not None else "Add"
            subject = f"{verb} “{draft.title}”"
            why = f"{len(gap.ticket_ids)} ticket(s) show a gap ({gap.kind.value}): {gap.title}"
            if publication.rolled_back_at is not None:
                draft_id, subject = f"{draft_id}-rollback", f"Take back “{draft.title}”"
            before = publication.delivery
        name = self.actor or (publication.published_by if publication else "kbops")
        proposed = before is not None and before.get("state") == DeliveryState.PROPOSED.value
        return SourceChange(
            path=path, content=content, base=base, subject=subject,
            why=f"{why}. Approved by {name}.", draft_id=draft_id, gap_id=gap_id,
            evidence_url=f"{application.settings.git.evidence_url.rstrip('/')}/review/"
            f"{draft_id.removesuffix('-rollback')}" if publication else "none",
            author_name=name, author_email=self._email_of(name), at=at,
            proposed_on=before.get("branch") if proposed and before is not None else None,
        )  # fmt: skip

    def _email_of(self, name: str) -> str:
        try:
            email = self.application.find_owner(name).email
        except InvalidInputError:
            email = None
        return email or f"{name}@localhost"

    def _read_publication(self) -> Publication | None:
        if self.draft_id is None:
            return None
        with self.application.database.read() as connection:
            return publications.read_publication_of(connection, self.draft_id)

    def _keep(self, delivery: dict[str, Any]) -> None:
        publication = self._read_publication()
        if publication is not None and publication.delivery != delivery:
            with self.application.database.write() as connection:
                publications.write_delivery(connection, publication.publication_id, delivery)

    def _is_ours(self, source: GitSource, path: str, raw: bytes) -> bool:
        try:
            parsed = source.parse(raw, path)
        except InvalidInputError:
            return False
        with self.application.database.read() as connection:
            versions = articles.read_versions(connection, parsed.document_id)
        return parsed.content_hash in {version.content_hash for version in versions}

    def _find_repository(self, file: Path) -> tuple[GitSource, str] | None:
        """The git source a file's name stands for, and the path in it; None of a folder's file."""
        for settings in self.application.settings.sources:
            if settings.kind == "git":
                source = self.application.git_source(settings)
                top = source.mirror / source.folder
                if file.is_relative_to(top):
                    return source, file.relative_to(top).as_posix()
        return None
