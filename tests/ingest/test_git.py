"""The git connector on real bare repositories: reading, writing, and what it must never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.sources.git import GitSource
from ingest.sources.git_command import GitCommand, GitFailedError, hide_secrets, protocol_of
from ingest.sources.port import DeliveryState, SourceChange, check_path
from kb.errors import InvalidInputError, StaleError, UnavailableError
from tests.ingest.repositories import Remote, article, git, make_remote, make_source

OLD, NEW = article("Reset", "Hold the button."), article("Reset", "Press the green lever.")
AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(
        tmp_path, {"faq/reset.md": OLD, "faq/deep/gift.md": article("Gift", "In the shop."),
                   "README.md": "# Not an article\n\nWords.\n", "faq/.hidden.md": OLD},
    )  # fmt: skip


@pytest.fixture
def source(remote: Remote, tmp_path: Path) -> GitSource:
    return make_source(remote, tmp_path / "data" / "wiki.git", folder="faq")


def make_change(content: str | None = NEW, base: str | None = OLD, **said: Any) -> SourceChange:
    basics: dict[str, Any] = {
        "path": "reset.md", "content": content.encode() if content is not None else None,
        "base": base.encode() if base is not None else None, "subject": "Change “Reset”",
        "why": "9 tickets show a gap", "draft_id": "dr_1", "gap_id": "gap_1",
        "evidence_url": "https://kb.example.org/drafts/dr_1", "author_name": "Ana Silva",
        "author_email": "ana@example.org", "at": AT,
    }  # fmt: skip
    return SourceChange(**{**basics, **said})


def paths_of(source: GitSource) -> list[str]:
    return [parsed.path for parsed in source.read_documents().documents]


def test_articles_are_listed_at_the_branchs_commit(source: GitSource, remote: Remote) -> None:
    listing = source.read_documents()
    assert [d.document_id for d in listing.documents] == ["deep/gift", "reset"]
    assert listing.documents[1].markdown == "Hold the button."
    assert listing.complete and listing.refused == []
    remote.change("faq/reset.md", NEW)
    assert source.read_documents().documents[1].markdown == "Press the green lever."
    remote.change("faq/reset.md", None)
    assert paths_of(source) == ["deep/gift.md"]


def test_another_branch_is_read_where_it_is_named(source: GitSource, remote: Remote) -> None:
    git(remote.clone, "push", "--quiet", "origin", "HEAD:draft/next")
    remote.change("faq/reset.md", NEW)
    assert replace(source, branch="draft/next").read_present("reset.md") == OLD.encode()
    with pytest.raises(InvalidInputError, match="find remote ref"):
        replace(source, branch="gone").read_documents()
    with pytest.raises(InvalidInputError, match="no folder"):
        replace(source, folder="nowhere").read_documents()


def test_links_are_followed_within_the_folder_and_refused_out_of_it(
    source: GitSource, remote: Remote, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(article("Secret", "Canary words."), encoding="utf-8")
    faq = remote.clone / "faq"
    for name, target in {
        "same": "deep/gift.md", "out": "../README.md", "abs": str(secret), "gone": "nothing.md",
        "chain": "same.md",
    }.items():  # fmt: skip
        (faq / f"{name}.md").symlink_to(target)
    (faq / "loop").symlink_to(".")
    remote.change("faq/extra.md", article("Extra", "More."))
    listing = source.read_documents()
    assert [d.path for d in listing.documents] == [
        "deep/gift.md", "extra.md", "reset.md", "same.md",
    ]  # fmt: skip
    assert {path: error.reason for path, error in listing.refused} == {
        "abs.md": "a link that leads out of the folder",
        "out.md": "a link that leads out of the folder",
        "gone.md": "a link that leads nowhere",
        "chain.md": "a link that leads nowhere",
    }


def test_submodules_and_hooks_never_run(source: GitSource, remote: Remote, tmp_path: Path) -> None:
    inner = make_remote(tmp_path / "inner", {"inside.md": OLD})
    git(
        remote.clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add",
        str(inner.bare), "faq/module",
    )  # fmt: skip
    remote.change("faq/extra.md", article("Extra", "More."))
    source.read_documents()
    for name in ("reference-transaction", "post-update", "pre-push", "post-checkout"):
        hook = source.mirror / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
        hook.chmod(0o755)
    remote.change("faq/extra.md", article("Extra", "Still more."))
    assert "module/inside.md" not in paths_of(source)
    source.write(make_change())
    assert not (tmp_path / "ran").exists()


def test_a_bad_article_does_not_hide_the_others(source: GitSource, remote: Remote) -> None:
    remote.change("faq/bad.md", "---\ntitle: [\n---\n\nx\n")
    remote.change("faq/twice.md", "---\nid: reset\ntitle: Twice\n---\n\nx\n")
    listing = source.read_documents()
    assert [d.path for d in listing.documents] == ["deep/gift.md", "reset.md"]
    assert sorted(path for path, _ in listing.refused) == ["bad.md", "twice.md"]


def test_a_change_is_one_commit_with_author_reason_and_evidence(
    source: GitSource, remote: Remote
) -> None:
    before = remote.count()
    found = source.write(make_change())
    assert found.state is DeliveryState.WRITTEN and found.branch == "main"
    assert found.commit == remote.head() and remote.count() == before + 1
    assert remote.read("faq/reset.md") == NEW
    assert remote.read("README.md").startswith("# Not an article")
    said = git(remote.bare, "log", "-1", "--format=%an <%ae>%n%cn%n%aI%n%B", "main")
    assert said.splitlines() == [
        "Ana Silva <ana@example.org>", "kbops", "2026-11-21T09:00:00+00:00", "Change “Reset”", "",
        "9 tickets show a gap", "", "Gap: gap_1", "Draft: dr_1",
        "Evidence: https://kb.example.org/drafts/dr_1", "",
    ]  # fmt: skip


def test_said_again_nothing_is_committed(source: GitSource, remote: Remote) -> None:
    source.write(make_change())
    commits = remote.count()
    assert source.write(make_change()).state is DeliveryState.WRITTEN
    assert remote.count() == commits


def test_a_new_article_and_a_deletion(source: GitSource, remote: Remote) -> None:
    source.write(make_change(base=None, path="new/lever.md"))
    assert remote.read("faq/new/lever.md") == NEW
    source.write(make_change(None, NEW, path="new/lever.md"))
    assert "new/lever.md" not in paths_of(source)
    assert source.write(make_change(None, None, path="new/lever.md")).commit == remote.head()


def test_a_title_cannot_forge_lines_of_the_message(source: GitSource, remote: Remote) -> None:
    source.write(make_change(subject="Innocent\n\nDraft: dr_evil\n"))
    lines = git(remote.bare, "log", "-1", "--format=%B", "main").splitlines()
    assert lines[0] == "Innocent Draft: dr_evil"
    assert [line for line in lines if line.startswith("Draft:")] == ["Draft: dr_1"]


def test_a_remote_that_moved_elsewhere_keeps_both_changes(
    source: GitSource, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pushes another file between our fetch and our push."""
    commit = GitSource._commit
    moved: list[str] = []

    def meanwhile(self: GitSource, head: str, change: SourceChange) -> str:
        made = commit(self, head, change)
        if not moved:
            moved.append(remote.change("faq/other.md", article("Other", "New words.")))
        return made

    monkeypatch.setattr(GitSource, "_commit", meanwhile)
    assert source.write(make_change()).state is DeliveryState.WRITTEN
    assert remote.read("faq/reset.md") == NEW
    assert "New words." in remote.read("faq/other.md")
    assert git(remote.bare, "rev-parse", "main^").strip() == moved[0]


def test_a_newer_text_in_the_repository_is_never_written_over(
    source: GitSource, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file changes: before we look, and between our fetch and our push."""
    theirs = article("Reset", "Somebody's newer words.")
    remote.change("faq/reset.md", theirs)
    with pytest.raises(StaleError):
        source.write(make_change())
    commit = GitSource._commit
    newest = article("Reset", "Newer still.")

    def meanwhile(self: GitSource, head: str, change: SourceChange) -> str:
        made = commit(self, head, change)
        if newest not in remote.read("faq/reset.md"):
            remote.change("faq/reset.md", newest)
        return made

    monkeypatch.setattr(GitSource, "_commit", meanwhile)
    with pytest.raises(StaleError, match="sync the source first"):
        source.write(make_change(base=theirs))
    assert remote.read("faq/reset.md") == newest


def test_a_remote_that_keeps_moving_is_given_up_on(
    source: GitSource, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = GitSource._commit
    number = iter(range(100))

    def meanwhile(self: GitSource, head: str, change: SourceChange) -> str:
        made = commit(self, head, change)
        remote.change("faq/other.md", article("Other", f"Change {next(number)}."))
        return made

    monkeypatch.setattr(GitSource, "_commit", meanwhile)
    with pytest.raises(UnavailableError, match="keeps moving"):
        source.write(make_change())
    assert remote.read("faq/reset.md") == OLD


def test_a_proposal_lies_on_a_branch_of_its_own_until_it_is_merged(
    source: GitSource, remote: Remote
) -> None:
    source = replace(source, branch="kbops/{draft}")
    found = source.write(make_change())
    assert found.state is DeliveryState.PROPOSED and found.branch == "kbops/dr_1"
    assert remote.read("faq/reset.md", "kbops/dr_1") == NEW and remote.read("faq/reset.md") == OLD
    again = source.write(make_change(proposed_on="kbops/dr_1"))
    assert again == found
    git(remote.clone, "fetch", "--quiet", "origin", "kbops/dr_1")
    git(remote.clone, "merge", "--quiet", "FETCH_HEAD")
    git(remote.clone, "push", "--quiet", "origin", "HEAD:main", ":kbops/dr_1")
    assert source.write(make_change(proposed_on="kbops/dr_1")).state is DeliveryState.WRITTEN


def test_a_proposal_taken_away_is_not_made_again(source: GitSource, remote: Remote) -> None:
    source = replace(source, branch="kbops/{draft}")
    source.write(make_change())
    git(remote.bare, "branch", "-D", "kbops/dr_1")
    found = source.write(make_change(proposed_on="kbops/dr_1"))
    assert found.state is DeliveryState.DECLINED
    assert remote.branches() == ["main"]


@pytest.mark.parametrize(
    "path",
    ["../out.md", "/etc/passwd", "a/../../b.md", ".git/config", "a/.hidden.md", "a\\b.md", "",
     "a//b.md", "a\nb.md", "a\0b.md"],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_is_refused(
    source: GitSource, remote: Remote, path: str
) -> None:
    before = remote.head()
    for act in (
        lambda: check_path(path),
        lambda: source.locate(path),
        lambda: source.read_present(path),
        lambda: source.write(make_change(base=None, path=path)),
    ):
        with pytest.raises(InvalidInputError):
            act()
    assert remote.head() == before


@pytest.mark.parametrize(
    ("location", "protocol"),
    [
        ("https://git.example.org/a.git", "https"),
        ("ssh://git@git.example.org/a.git", "ssh"),
        ("git@git.example.org:a/b.git", "ssh"),
        ("file:///srv/a.git", "file"),
        ("../articles.git", "file"),
        ("/srv/with:colon", "file"),
    ],
)
def test_protocols(location: str, protocol: str) -> None:
    assert protocol_of(location) == protocol


@pytest.mark.parametrize(
    "location",
    ["ext::sh -c touch% x", "--upload-pack=touch x", "http://git.example.org/a.git",
     "ssh://-oProxyCommand=touch/a", "ssh://u@-oProxyCommand=touch/a", "ftp://a/b", "a\nb",
     "fd::17"],
)  # fmt: skip
def test_locations_that_could_run_something_are_refused(location: str) -> None:
    with pytest.raises(InvalidInputError):
        protocol_of(location)


def test_a_protocol_that_is_not_allowed_reaches_nothing(source: GitSource) -> None:
    with pytest.raises(InvalidInputError, match="file is not among"):
        replace(source, protocols=("https",)).read_documents()
    source.read_documents()
    # git itself refuses too, whoever asks it.
    strict = GitCommand(source.mirror, ("https",))
    with pytest.raises(GitFailedError, match="not allowed"):
        strict.run("ls-remote", source.location)


def test_credentials_are_never_told(source: GitSource) -> None:
    secret = replace(source, location="https://ana:hunter2@git.invalid/a.git")
    assert secret.facts.location == "https://git.invalid/a.git"
    assert hide_secrets("fatal: https://u:p@h/x failed") == "fatal: https://h/x failed"


def test_a_remote_that_is_away_is_unavailable_and_takes_a_bounded_time(
    source: GitSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((UnavailableError, InvalidInputError)):
        replace(source, location=str(tmp_path / "nowhere.git")).read_documents()
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:/usr/bin:/bin")
    with pytest.raises(UnavailableError, match="longer than 1 seconds"):
        replace(source, timeout_seconds=1).read_documents()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UnavailableError, match="not installed"):
        source.read_documents()
