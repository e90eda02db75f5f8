"""Publishing back to a git repository: never lost, never twice, never over somebody's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import delivery, publishing
from api.wiring import Application
from gaps.drafting import publications
from gaps.drafting.drafts import read_draft
from gaps.types import Draft, DraftState
from ingest.sources.git import GitSource
from kb import articles, audit
from kb.clock import FixedClock
from kb.errors import ConflictError, InvalidInputError, StaleError, UnavailableError
from kb.types import Audience
from tests.api.factories import NOW, make_draft, sync
from tests.ingest.repositories import Remote, article, git, make_remote

CONFIG = """\
[encoder]
kind = "hashing"

[git]
evidence_url = "https://kb.example.org/"

[[owners]]
name = "ana"
email = "ana@example.org"

[[sources]]
name = "help"
kind = "git"
location = "remote.git"
folder = "faq"
authority = "help_article"
audience = "public"
owner = "ana"
"""
OLD = article("Help 1", "Hold the button.")


class KilledError(BaseException):
    """Stands in for the kill: nothing in the product catches it."""


def open_application(folder: Path, config: str = CONFIG) -> Application:
    path = folder / "kb.toml"
    path.write_text(config, encoding="utf-8")
    return Application.open(path, FixedClock(NOW))


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(
        tmp_path, {"faq/help-1.md": OLD, "faq/help-2.md": article("Help 2", "Other words.")}
    )


@pytest.fixture
def application(remote: Remote, tmp_path: Path) -> Iterator[Application]:
    application = open_application(tmp_path)
    sync(application)
    yield application
    application.close()


@pytest.fixture
def proposing(remote: Remote, tmp_path: Path) -> Iterator[Application]:
    config = CONFIG.replace('folder = "faq"', 'folder = "faq"\nbranch = "kbops/{draft}"')
    application = open_application(tmp_path, config)
    sync(application)
    yield application
    application.close()


@pytest.fixture(params=[False, True], ids=["new article", "changed article"])
def draft(application: Application, request: pytest.FixtureRequest) -> Draft:
    name = "help-1" if request.param else "wanted"
    return make_draft(application, name, changes=request.param)


def approve(application: Application, draft: Draft) -> dict[str, Any]:
    return application.publishing.review(
        draft.draft_id, "approve", caller=application.local_caller("ana"),
        draft_hash=draft.draft_hash,
    )  # fmt: skip


def served(application: Application, document_id: str) -> str:
    with application.database.read() as connection:
        document = articles.read_document(connection, document_id, Audience.PUBLIC)
        text = articles.read_version(connection, document_id, document.version)
    return text.markdown.strip()


def texts(application: Application, document_id: str) -> list[str]:
    """Of all versions, oldest first."""
    with application.database.read() as connection:
        known = sorted(v.version for v in articles.read_versions(connection, document_id))
        return [articles.read_version(connection, document_id, n).markdown.strip() for n in known]


def state_of(application: Application, draft: Draft) -> DraftState:
    with application.database.read() as connection:
        return read_draft(connection, draft.draft_id).state


def delivery_of(application: Application, draft: Draft) -> dict[str, Any] | None:
    with application.database.read() as connection:
        found = publications.read_publication_of(connection, draft.draft_id)
    assert found is not None
    return found.delivery


def actions(application: Application) -> list[str]:
    with application.database.read() as connection:
        return [entry.action for entry in audit.read_entries(connection, limit=100)]


def settled(application: Application) -> bool:
    keys = ("new", "changed", "metadata_only", "deleted")
    return all(report[key] == 0 for report in sync(application) for key in keys)


def waiting(application: Application) -> int:
    with application.database.read() as connection:
        return len(publications.read_unwritten(connection))


def test_an_approval_becomes_a_commit_of_its_approver(
    application: Application, remote: Remote, draft: Draft
) -> None:
    answer = approve(application, draft)
    assert answer["delivery"] == {"state": "written", "branch": "main", "commit": remote.head()}
    assert draft.markdown.strip() in remote.read(f"faq/{draft.document_id}.md")
    said = git(remote.bare, "log", "-1", "--format=%an <%ae>%n%B", "main").splitlines()
    assert said[0] == "Ana <ana@example.org>".replace("Ana", "ana")
    assert f"Draft: {draft.draft_id}" in said and f"Gap: {draft.gap_id}" in said
    assert f"Evidence: https://kb.example.org/review/{draft.draft_id}" in said
    assert settled(application) and remote.count() == 2


@pytest.mark.parametrize("moment", ["before the push", "after the push"])
def test_a_kill_around_the_push_loses_nothing_and_commits_once(
    application: Application, remote: Remote, draft: Draft, monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:  # fmt: skip
    push = GitSource._push

    def die(self: GitSource, *said: Any) -> bool:
        if moment == "after the push":
            push(self, *said)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(GitSource, "_push", die)
        with pytest.raises(KilledError):
            approve(application, draft)
    assert served(application, str(draft.document_id)) == draft.markdown.strip()
    assert waiting(application) == 1
    assert settled(application) and waiting(application) == 0
    assert remote.count() == 2
    assert draft.markdown.strip() in remote.read(f"faq/{draft.document_id}.md")
    assert approve(application, draft)["state"] == "published"
    assert settled(application) and remote.count() == 2


def test_a_kill_between_approval_and_publication_is_made_good_by_the_next_sync(
    application: Application, remote: Remote, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            publishing, "publish_approved", lambda *_, **__: (_ for _ in ()).throw(KilledError)
        )
        with pytest.raises(KilledError):
            approve(application, draft)
    assert state_of(application, draft) is DraftState.APPROVED and remote.count() == 1
    sync(application)
    assert state_of(application, draft) is DraftState.PUBLISHED and remote.count() == 2
    assert settled(application) and remote.count() == 2


def test_a_remote_that_is_away_publishes_later(
    application: Application, remote: Remote, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: GitSource, *_: Any) -> bool:
        raise UnavailableError("the line is cut")

    with monkeypatch.context() as patch:
        patch.setattr(GitSource, "_push", away)
        with pytest.raises(UnavailableError):
            approve(application, draft)
        assert state_of(application, draft) is DraftState.PUBLISHED
        sync(application)
        assert waiting(application) == 1
        assert served(application, str(draft.document_id)) == draft.markdown.strip()
    assert settled(application) and waiting(application) == 0 and remote.count() == 2


def test_a_newer_text_in_the_repository_holds_the_draft_back(
    application: Application, remote: Remote
) -> None:
    draft = make_draft(application, "help-1", changes=True)
    theirs = article("Help 1", "Somebody's newer words.")
    remote.change("faq/help-1.md", theirs)
    with pytest.raises(StaleError, match="changed in its"):
        approve(application, draft)
    assert state_of(application, draft) is DraftState.APPROVED
    assert "publication.held" in actions(application)
    assert remote.read("faq/help-1.md") == theirs
    sync(application)
    assert served(application, "help-1") == "Somebody's newer words."
    with application.database.read() as connection:
        assert read_draft(connection, draft.draft_id).markdown == draft.markdown
    assert remote.count() == 2


def test_a_newer_text_pushed_while_we_publish_stands_and_both_texts_are_kept(
    application: Application, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft(application, "help-1", changes=True)
    commit = GitSource._commit
    theirs = article("Help 1", "Somebody's newer words.")

    def meanwhile(self: GitSource, head: str, change: Any) -> str:
        made = commit(self, head, change)
        if remote.count() == 1:
            remote.change("faq/help-1.md", theirs)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(GitSource, "_commit", meanwhile)
        answer = approve(application, draft)
    assert answer["delivery"]["state"] == "held" and "changed in its" in answer["delivery"]["why"]
    assert "publication.held" in actions(application)
    assert remote.read("faq/help-1.md") == theirs
    sync(application)
    assert waiting(application) == 0
    assert remote.read("faq/help-1.md") == theirs and remote.count() == 2
    assert served(application, "help-1") == "Somebody's newer words."
    assert texts(application, "help-1") == [
        "Hold the button.", draft.markdown.strip(), "Somebody's newer words.",
    ]  # fmt: skip
    assert settled(application)


def test_a_change_elsewhere_in_the_repository_is_no_conflict(
    application: Application, remote: Remote
) -> None:
    draft = make_draft(application, "help-1", changes=True)
    remote.change("faq/help-2.md", article("Help 2", "Newer words."))
    approve(application, draft)
    assert "Newer words." in remote.read("faq/help-2.md")
    assert draft.markdown.strip() in remote.read("faq/help-1.md")
    sync(application)
    assert served(application, "help-2") == "Newer words."


def test_rolling_back_is_a_commit_too(
    application: Application, remote: Remote, draft: Draft
) -> None:
    approve(application, draft)
    application.publishing.rollback_draft(draft.draft_id, application.local_caller("ana"))
    assert remote.count() == 3
    subject = git(remote.bare, "log", "-1", "--format=%s", "main")
    assert subject.startswith("Take back")
    if draft.document_id == "help-1":
        assert "Hold the button." in remote.read("faq/help-1.md")
    else:
        assert "wanted" not in git(remote.bare, "ls-tree", "-r", "--name-only", "main")
    assert settled(application) and remote.count() == 3


def test_taking_back_leaves_what_somebody_wrote_since(
    application: Application, remote: Remote
) -> None:
    draft = make_draft(application, "wanted")
    approve(application, draft)
    theirs = article("About wanted", "Somebody's own words.")
    remote.change("faq/wanted.md", theirs)
    application.publishing.rollback_draft(draft.draft_id, application.local_caller("ana"))
    assert remote.read("faq/wanted.md") == theirs
    assert delivery_of(application, draft) == {
        "state": "held", "why": "wanted.md was changed in its repository and stays",
    }  # fmt: skip
    sync(application)
    assert served(application, "wanted") == "Somebody's own words."


def test_an_earlier_version_is_served_again_by_a_commit(
    application: Application, remote: Remote
) -> None:
    remote.change("faq/help-1.md", article("Help 1", "Second words."))
    sync(application)
    application.publishing.rollback_article("help-1", 1, application.local_caller("ana"))
    assert "Hold the button." in remote.read("faq/help-1.md")
    assert settled(application)


def test_a_proposal_is_served_and_kept_until_it_is_merged(
    proposing: Application, remote: Remote
) -> None:
    draft = make_draft(proposing, "help-1", changes=True)
    branch = f"kbops/{draft.draft_id}"
    answer = approve(proposing, draft)
    assert answer["delivery"]["state"] == "proposed" and answer["delivery"]["branch"] == branch
    assert remote.read("faq/help-1.md") == OLD
    assert settled(proposing) and settled(proposing)
    assert served(proposing, "help-1") == draft.markdown.strip()
    assert remote.count(branch) == 2 and waiting(proposing) == 1
    git(remote.clone, "fetch", "--quiet", "origin", branch)
    git(remote.clone, "merge", "--quiet", "FETCH_HEAD")
    git(remote.clone, "push", "--quiet", "origin", "HEAD:main", f":{branch}")
    assert settled(proposing) and waiting(proposing) == 0
    assert delivery_of(proposing, draft) == {
        "state": "written", "branch": None, "commit": remote.head(),
    }  # fmt: skip
    assert remote.branches() == ["main"]


def test_a_proposal_taken_away_gives_the_repositorys_text_back(
    proposing: Application, remote: Remote
) -> None:
    draft = make_draft(proposing, "help-1", changes=True)
    approve(proposing, draft)
    git(remote.bare, "branch", "-D", f"kbops/{draft.draft_id}")
    sync(proposing)
    found = delivery_of(proposing, draft)
    assert found is not None and found["state"] == "declined"
    assert served(proposing, "help-1") == "Hold the button."
    assert remote.branches() == ["main"] and settled(proposing)


def test_a_kill_after_a_proposal_was_pushed_makes_no_second_one(
    proposing: Application, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft(proposing, "wanted")
    with monkeypatch.context() as patch:
        patch.setattr(delivery.Delivery, "_keep", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            approve(proposing, draft)
    branch = f"kbops/{draft.draft_id}"
    at = remote.head(branch)
    assert settled(proposing)
    assert remote.head(branch) == at
    found = delivery_of(proposing, draft)
    assert found is not None and found["state"] == "proposed"


def test_going_back_by_hand_is_refused_where_changes_are_only_proposed(
    proposing: Application, remote: Remote
) -> None:
    remote.change("faq/help-1.md", article("Help 1", "Second words."))
    sync(proposing)
    with pytest.raises(ConflictError, match="proposals only"):
        proposing.publishing.rollback_article("help-1", 1, proposing.local_caller("ana"))
    assert served(proposing, "help-1") == "Second words."


@pytest.mark.parametrize("document_id", ["../escape", "a/../../escape", ".git/hooks/x"])
def test_an_article_id_that_climbs_out_publishes_nothing(
    application: Application, remote: Remote, document_id: str
) -> None:
    draft = make_draft(application, document_id)
    with pytest.raises(InvalidInputError):
        approve(application, draft)
    assert remote.count() == 1 and state_of(application, draft) is DraftState.APPROVED


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('location = "ext::sh -c x"', "location"),
        ('location = "http://git.example.org/a"', "not reached by"),
        ('location = "remote.git"\nbranch = "--force"', "not a plain branch name"),
        ('location = "remote.git"\nbranch = "a/../b"', "not a plain branch name"),
    ],
)
def test_kb_toml_refuses_what_git_could_misread(tmp_path: Path, line: str, said: str) -> None:
    config = CONFIG.replace('location = "remote.git"', line)
    with pytest.raises(InvalidInputError, match=said):
        open_application(tmp_path, config)


def test_a_protocol_not_allowed_stops_the_start(tmp_path: Path) -> None:
    config = CONFIG.replace("[git]\n", '[git]\nprotocols = ["https"]\n')
    with pytest.raises(InvalidInputError, match="file is not allowed"):
        open_application(tmp_path, config)
