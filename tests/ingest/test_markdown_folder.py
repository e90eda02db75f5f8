from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.sources.markdown import MarkdownFolder, derive_id
from ingest.sources.port import Source, SourceListing
from kb.errors import InvalidInputError, UnavailableError
from tests.ingest.factories import make_folder, write_article


def read(folder: Path) -> SourceListing:
    source: Source = make_folder(folder)
    return source.read_documents()


def ids(listing: SourceListing) -> list[str]:
    return [document.document_id for document in listing.documents]


def refused(listing: SourceListing) -> dict[str, str]:
    return {path: error.reason for path, error in listing.refused}


def test_markdown_files_are_listed_by_path_and_hidden_ones_passed_by(folder: Path) -> None:
    for path in ("b.md", "a/deep/c.md", "a.md", ".hidden.md", ".git/d.md", "note.txt"):
        write_article(folder, path)
    listing = read(folder)
    assert ids(listing) == ["a", "a/deep/c", "b"]
    assert (listing.refused, listing.complete) == ([], True)


def test_a_second_file_with_an_id_is_refused_naming_the_first(folder: Path) -> None:
    write_article(folder, "a.md", id="same")
    write_article(folder, "b.md", id="same")
    listing = read(folder)
    assert [document.path for document in listing.documents] == ["a.md"]
    assert refused(listing) == {"b.md": "the id 'same' is already that of a.md"}


def test_a_malformed_file_does_not_stop_the_others(folder: Path) -> None:
    write_article(folder, "a.md", audience="staff")
    write_article(folder, "b.md")
    (folder / "c.md").write_bytes(b"\xff\xfe")
    listing = read(folder)
    assert ids(listing) == ["b"]
    assert [path for path, _ in listing.refused] == ["a.md", "c.md"]
    assert [error.details["line"] for _, error in listing.refused] == [3, 1]


def test_links_out_of_the_folder_are_refused_and_loops_not_followed(
    folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    secret = write_article(outside, "secret.md")
    write_article(folder, "sub/a.md")
    (folder / "file.md").symlink_to(secret)
    (folder / "dir").symlink_to(outside)
    (folder / "up.md").symlink_to("../outside/secret.md")
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "lost.md").symlink_to(folder / "nothing.md")
    listing = read(folder)
    assert ids(listing) == ["sub/a"]
    out, nowhere = "a link that leads out of the folder", "a link that leads nowhere"
    assert refused(listing) == {
        "dir": out, "file.md": out, "up.md": out, "self.md": nowhere, "lost.md": nowhere
    }  # fmt: skip


def test_a_link_within_the_folder_is_a_document_of_its_own(folder: Path) -> None:
    write_article(folder, "a.md")
    (folder / "b.md").symlink_to(folder / "a.md")
    assert ids(read(folder)) == ["a", "b"]


def test_a_pipe_is_refused_without_waiting_for_a_writer(folder: Path) -> None:
    os.mkfifo(folder / "a.md")
    assert refused(read(folder)) == {"a.md": "not a regular file"}


def test_a_file_that_cannot_be_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_article(folder, "a.md")
    monkeypatch.setattr(Path, "open", _deny)
    assert refused(read(folder)) == {"a.md": "cannot be read: Permission denied"}


def test_a_part_that_cannot_be_listed_makes_the_listing_incomplete(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_article(folder, "a.md")
    write_article(folder, "closed/b.md")
    scandir = os.scandir

    def scan(path: Path) -> object:
        return _deny() if Path(path).name == "closed" else scandir(path)

    monkeypatch.setattr("ingest.sources.markdown.os.scandir", scan)
    listing = read(folder)
    assert (ids(listing), listing.complete) == (["a"], False)


def test_a_location_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"source help: .* is not a folder"):
        read(tmp_path / "missing")
    with pytest.raises(InvalidInputError):
        read(write_article(tmp_path, "a.md"))


def test_a_location_that_may_not_be_read_is_unavailable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.markdown.os.scandir", _deny)
    with pytest.raises(UnavailableError):
        read(folder)


def test_front_matter_may_widen_and_narrow_the_audience(folder: Path) -> None:
    write_article(folder, "a.md", audience="internal")
    write_article(folder, "b.md")
    assert [d.metadata.audience for d in read(folder).documents] == ["internal", "public"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.md", "a/b"),
        ("How to reset.md", "How-to-reset"),
        ("Été/café.md", "Ete/cafe"),
        ("v1.2_x.md", "v1.2_x"),
        ("重置.md", "重置"),
    ],
)
def test_an_id_is_derived_from_the_path(path: str, expected: str) -> None:
    assert derive_id(path) == expected


def test_a_name_that_gives_no_id_asks_for_one(folder: Path) -> None:
    write_article(folder, "重置.md")
    assert "name an `id`" in refused(read(folder))["重置.md"]


def test_without_known_names_only_the_sources_own_are_taken(folder: Path) -> None:
    write_article(folder, "a.md", owner="ana")
    write_article(folder, "b.md", owner="ben")
    source = make_folder(folder)
    alone = MarkdownFolder("help", folder, source.authority, source.audience, source.owner)
    assert ids(alone.read_documents()) == ["a"]


def _deny(*_arguments: object, **_options: object) -> object:
    raise PermissionError(13, "Permission denied")
