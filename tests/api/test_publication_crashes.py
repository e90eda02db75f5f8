"""A publication that a kill cut in two, or a sync met halfway, is neither lost nor half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gaps.drafting.article_file
from api import publishing
from api.wiring import Application
from gaps.drafting.drafts import read_draft
from gaps.types import Draft, DraftState
from ingest.sources.markdown import MarkdownFolder
from kb import articles
from kb.errors import ConflictError
from kb.types import Audience, SearchRequest
from tests.api.factories import make_draft, sync, write_article


class KilledError(BaseException):
    """Stands in for the kill: nothing in the product catches it."""


def approve(application: Application, draft: Draft) -> dict[str, Any]:
    return application.publishing.review(
        draft.draft_id, "approve", caller=application.local_caller("ana"),
        draft_hash=draft.draft_hash,
    )  # fmt: skip


def served(application: Application, document_id: str) -> tuple[int, str]:
    with application.database.read() as connection:
        document = articles.read_document(connection, document_id, Audience.PUBLIC)
        text = articles.read_version(connection, document_id, document.version)
    return document.version, text.markdown.strip()


def file_of(application: Application, document_id: str) -> Path:
    return application.root / "articles" / f"{document_id}.md"


def state_of(application: Application, draft: Draft) -> DraftState:
    with application.database.read() as connection:
        return read_draft(connection, draft.draft_id).state


def kill_before_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    monkeypatch.setattr(gaps.drafting.article_file.tempfile, "mkstemp", die)


@pytest.fixture(params=[False, True], ids=["new article", "changed article"])
def draft(application: Application, request: pytest.FixtureRequest) -> Draft:
    sync(application)
    name = "help-1" if request.param else "wanted"
    return make_draft(application, name, changes=request.param)


def settled(application: Application) -> bool:
    """Whether a sync finds nothing to do."""
    keys = ("new", "changed", "metadata_only", "deleted")
    return all(report[key] == 0 for report in sync(application) for key in keys)


def test_a_publication_killed_before_its_file_survives_the_next_sync(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_before_file(patch)
        with pytest.raises(KilledError):
            approve(application, draft)
    version, text = served(application, str(draft.document_id))
    assert text == draft.markdown.strip()
    assert settled(application)
    assert served(application, str(draft.document_id)) == (version, text)
    assert draft.markdown.strip() in file_of(application, str(draft.document_id)).read_text()


@pytest.mark.parametrize("front", ["", "---\nlabels: [a]\n---\n\n"], ids=["bare", "no title key"])
def test_an_article_titled_by_its_heading_can_be_published_to(
    application: Application, front: str
) -> None:
    file_of(application, "plain").write_text(f"{front}# By heading\n\nSome text.\n")
    sync(application)
    draft = make_draft(application, "plain", changes=True)
    approve(application, draft)
    assert settled(application)
    assert served(application, "plain")[1] == draft.markdown.strip()


def test_an_approval_killed_before_its_publication_is_published_when_said_again(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            publishing, "publish_approved", lambda *_, **__: (_ for _ in ()).throw(KilledError)
        )
        with pytest.raises(KilledError):
            approve(application, draft)
    assert state_of(application, draft) is DraftState.APPROVED
    first = approve(application, draft)
    assert first["state"] == "published"
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
    assert approve(application, draft) == first
    assert settled(application)


def test_an_approval_killed_before_its_publication_is_published_by_the_next_sync_or_server(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            publishing, "publish_approved", lambda *_, **__: (_ for _ in ()).throw(KilledError)
        )
        with pytest.raises(KilledError):
            approve(application, draft)
    sync(application)
    assert state_of(application, draft) is DraftState.PUBLISHED
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
    assert settled(application)


def test_somebody_who_has_not_approved_a_published_draft_cannot_say_it_again(
    application: Application, draft: Draft
) -> None:
    approve(application, draft)
    caller = application.operator
    with pytest.raises(ConflictError):
        application.publishing.review(
            draft.draft_id, "approve", caller=caller, draft_hash=draft.draft_hash
        )


def test_an_approved_draft_that_cannot_be_published_stops_no_sync(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            publishing, "publish_approved", lambda *_, **__: (_ for _ in ()).throw(KilledError)
        )
        with pytest.raises(KilledError):
            approve(application, draft)
    write_article(file_of(application, str(draft.document_id)), "Somebody's own words.", title="T")
    sync(application)
    assert served(application, str(draft.document_id))[1] == "Somebody's own words."
    assert state_of(application, draft) is DraftState.APPROVED


@pytest.mark.parametrize("moment", ["before the listing", "after the listing"])
def test_a_publication_that_lands_while_a_sync_reads_the_folder_is_kept(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    read_documents = MarkdownFolder.read_documents
    done: list[object] = []

    def meanwhile(self: MarkdownFolder) -> Any:
        early = read_documents(self)
        if self.name == "help" and not done:
            done.append(approve(application, draft))
        return read_documents(self) if moment == "before the listing" else early

    # Another file changes too, so that the sync has something to write.
    write_article(file_of(application, "help-0"), "Another way to reset.", title="Reset")
    with monkeypatch.context() as patch:
        patch.setattr(MarkdownFolder, "read_documents", meanwhile)
        sync(application)
    assert done
    assert served(application, "help-0")[1] == "Another way to reset."
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
    assert settled(application)
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
    found = application.retriever.search(SearchRequest("green lever twice"), Audience.PUBLIC)
    assert found.hits[0].chunk.document.document_id == draft.document_id


def test_a_publication_whose_file_is_still_being_written_is_not_taken_for_a_deletion(
    application: Application, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is committed while a sync lists; the file comes only after that sync."""
    read_documents = MarkdownFolder.read_documents
    done: list[object] = []

    def meanwhile(self: MarkdownFolder) -> Any:
        if self.name == "help" and not done:
            done.append(None)
            with monkeypatch.context() as patch:
                kill_before_file(patch)
                with pytest.raises(KilledError):
                    approve(application, draft)
        return read_documents(self)

    with monkeypatch.context() as patch:
        patch.setattr(MarkdownFolder, "read_documents", meanwhile)
        sync(application)
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
    assert settled(application)
    assert served(application, str(draft.document_id))[1] == draft.markdown.strip()
