"""A sync against a real database: all of a plan or nothing, and nothing for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text

from ingest.chunking import chunk_document
from ingest.integrity import check_integrity
from ingest.sources.port import SourceListing
from ingest.sync import SourceReport, sync_source
from kb import articles, intake, lexical
from kb.audit import read_entries, verify_chain
from kb.clock import FixedClock
from kb.database import Database
from kb.encoding.hashing import HashingEncoder
from kb.errors import ConflictError, InvalidInputError, NotFoundError
from kb.tables import chunks, documents, embeddings, versions
from kb.tables import sources as source_rows
from kb.types import Audience, Document
from kb.vectors import embed_texts
from tests.ingest.factories import make_document, make_folder, write_article

DERIVED = ("embeddings",)
"""What a stopped sync may leave behind: true whatever happens next."""


@pytest.fixture
def sync(
    database: Database, encoder: HashingEncoder, clock: FixedClock, folder: Path
) -> Iterator[Any]:
    def run(name: str = "help", location: Path = folder, **options: Any) -> SourceReport:
        source = make_folder(location, name)
        return sync_source(database, encoder, source, clock=clock, **options)

    yield run
    assert check_integrity(database, encoder.recipe) == []
    with database.read() as connection:
        verify_chain(connection)


def counts(report: SourceReport) -> dict[str, int]:
    said = report.to_json()
    keys = ("new", "changed", "metadata_only", "deleted", "unchanged")
    return {key: said[key] for key in keys if said[key]}


def stored(database: Database, document_id: str) -> Document:
    with database.read() as connection:
        return articles.read_document(connection, document_id)


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the derived ones."""
    with database.read() as connection:
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ).scalars()
        return {
            name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))]
            for name in names.all()
            if name not in DERIVED and not name.endswith("_terms")
        }


@contextmanager
def writes_counted(database: Database, stop_at: int | None = None) -> Iterator[list[str]]:
    """Statements that write, as they run; raises after number `stop_at`, counted from 1."""
    seen: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            seen.append(statement)
            if len(seen) == stop_at:
                raise InterruptedError(f"stopped after write {stop_at}")

    event.listen(database.engine, "after_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(database.engine, "after_cursor_execute", count)


def test_a_new_folder_is_stored_embedded_and_searchable(
    sync: Any, database: Database, encoder: HashingEncoder, folder: Path
) -> None:
    write_article(folder, "reset.md", "Press the blue button.", audience="internal")
    write_article(folder, "pay.md")
    report = sync()
    assert (report.listed, counts(report), report.refused) == (2, {"new": 2}, ())
    assert report.embedded == encoder.encoded_count == 2
    with database.read() as connection:
        assert lexical.search(connection, ["blue"], Audience.INTERNAL, 5)
        assert not lexical.search(connection, ["blue"], Audience.PARTNER, 5)
        (entry,) = read_entries(connection, subject="source:help")
        (row,) = articles.read_sources(connection)
    assert (entry.actor, entry.action, entry.details["new"]) == ("sync", "sync", 2)
    assert row["synced_at"] is not None


def test_an_unchanged_folder_writes_and_encodes_nothing(
    sync: Any, database: Database, encoder: HashingEncoder, folder: Path, tmp_path: Path
) -> None:
    for i in range(3):
        write_article(folder, f"{i}.md")
    write_article(folder, "bad.md", audience="staff")
    sync()
    encoded = encoder.encoded_count
    before = {file.name: file.read_bytes() for file in tmp_path.glob("kb.sqlite*")}
    with writes_counted(database) as seen:
        report = sync()
    assert counts(report) == {"unchanged": 3}
    assert (seen, report.embedded, encoder.encoded_count) == ([], 0, encoded)
    after = {file.name: file.read_bytes() for file in tmp_path.glob("kb.sqlite*")}
    for suffix in ("", "-wal"):
        assert after[f"kb.sqlite{suffix}"] == before[f"kb.sqlite{suffix}"]


def test_changed_text_makes_a_version_and_embeds_only_what_is_new(
    sync: Any, database: Database, folder: Path
) -> None:
    kept = "## Kept\n\n" + "same word " * 15
    write_article(folder, "a.md", f"{kept}\n\n## Changed\n\n{'old word ' * 15}")
    sync()
    write_article(folder, "a.md", f"{kept}\n\n## Changed\n\n{'new word ' * 15}")
    report = sync()
    assert (counts(report), report.embedded) == ({"changed": 1}, 1)
    assert stored(database, "a").version == 2
    with database.read() as connection:
        live = connection.execute(select(chunks.c.version, chunks.c.text).where(chunks.c.live))
        assert [(row.version, row.text.split()[0]) for row in live] == [(2, "same"), (2, "new")]
        history = [v.markdown.count("old") for v in articles.read_versions(connection, "a")]
    assert history == [0, 15]


def test_a_changed_title_is_a_new_version_and_leaves_the_old_title_in_no_index(
    sync: Any, database: Database, folder: Path
) -> None:
    write_article(folder, "a.md", title="Before")
    sync()
    write_article(folder, "a.md", title="Afterwards")
    assert counts(sync()) == {"changed": 1}
    document = stored(database, "a")
    assert (document.metadata.title, document.version) == ("Afterwards", 2)
    with database.read() as connection:
        assert lexical.search(connection, ["afterwards"], Audience.PUBLIC, 5)
        assert not lexical.search(connection, ["before"], Audience.PUBLIC, 5)


def test_a_narrowed_audience_leaves_the_wider_ones_index_at_once(
    sync: Any, database: Database, folder: Path
) -> None:
    write_article(folder, "a.md", "Secret handshake.")
    sync()
    write_article(folder, "a.md", "Secret handshake.", audience="internal")
    assert counts(sync()) == {"metadata_only": 1}
    with database.read() as connection:
        assert not lexical.search(connection, ["handshake"], Audience.PARTNER, 5)
        with pytest.raises(NotFoundError):
            articles.read_document(connection, "a", Audience.PUBLIC)


def test_a_deleted_file_is_gone_and_comes_back_as_a_new_version(
    sync: Any, database: Database, encoder: HashingEncoder, folder: Path
) -> None:
    file = write_article(folder, "a.md", "Press.")
    write_article(folder, "b.md")
    sync()
    file.unlink()
    assert counts(sync()) == {"deleted": 1, "unchanged": 1}
    with pytest.raises(NotFoundError):
        stored(database, "a")
    with database.read() as connection:
        assert not lexical.search(connection, ["press"], Audience.INTERNAL, 5)[1:]
        assert len(articles.read_versions(connection, "a")) == 1
        assert read_entries(connection)[0].details["deleted"] == ["a"]
    encoded = encoder.encoded_count
    write_article(folder, "a.md", "Press.")
    assert counts(sync()) == {"changed": 1, "unchanged": 1}
    assert (stored(database, "a").version, encoder.encoded_count) == (2, encoded)


def test_a_moved_file_with_its_id_keeps_its_version(
    sync: Any, database: Database, folder: Path
) -> None:
    file = write_article(folder, "a.md", id="kept", title="T")
    sync()
    (folder / "sub").mkdir()
    file.rename(folder / "sub" / "b.md")
    assert counts(sync()) == {"metadata_only": 1}
    assert (stored(database, "kept").path, stored(database, "kept").version) == ("sub/b.md", 1)


def test_a_file_become_malformed_keeps_its_last_good_version(
    sync: Any, database: Database, folder: Path
) -> None:
    write_article(folder, "a.md", "Good text.")
    sync()
    write_article(folder, "a.md", "Bad text.", audience="staff")
    report = sync()
    assert counts(report) == {}
    (entry,) = report.to_json()["refused"]
    assert (entry["path"], entry["line"]) == ("a.md", 3)
    assert "expected one of: public" in entry["reason"]
    with database.read() as connection:
        assert articles.read_version(connection, "a", 1).markdown == "Good text."
    assert stored(database, "a").version == 1


def test_a_missing_folder_deletes_nothing(
    sync: Any, database: Database, folder: Path, tmp_path: Path
) -> None:
    write_article(folder, "a.md")
    sync()
    folder.rename(tmp_path / "elsewhere")
    before = dump(database)
    with pytest.raises(InvalidInputError):
        sync()
    assert dump(database) == before


def test_two_sources_keep_to_their_own_documents(
    sync: Any, database: Database, folder: Path, tmp_path: Path
) -> None:
    write_article(folder, "a.md")
    other = tmp_path / "other"
    write_article(other, "a.md")
    write_article(other, "b.md")
    sync()
    report = sync("crm", other)
    assert counts(report) == {"new": 1}
    assert report.refused == (
        {"path": "a.md", "reason": "the id 'a' belongs to the source 'help'"},
    )
    (folder / "a.md").unlink()
    assert counts(sync()) == {"deleted": 1}
    assert stored(database, "b").source == "crm"
    assert counts(sync("crm", other)) == {"changed": 1, "unchanged": 1}
    assert stored(database, "a").source == "crm"


def test_a_sync_stopped_after_any_write_leaves_the_earlier_state_whole(
    sync: Any, database: Database, folder: Path
) -> None:
    write_article(folder, "changed.md", "One.")
    write_article(folder, "said.md", owner="ana")
    write_article(folder, "gone.md")
    sync()
    write_article(folder, "changed.md", "Two.")
    write_article(folder, "said.md", owner="ben")
    (folder / "gone.md").unlink()
    write_article(folder, "new.md")
    before = dump(database)
    stopped = 0
    while True:
        try:
            with writes_counted(database, stop_at=stopped + 1):
                report = sync()
            break
        except InterruptedError:
            stopped += 1
            assert dump(database) == before
    assert stopped > 30
    assert counts(report) == {"new": 1, "changed": 1, "metadata_only": 1, "deleted": 1}
    assert counts(sync()) == {"unchanged": 3}


def test_what_a_stopped_sync_embedded_is_not_embedded_again(
    sync: Any, database: Database, encoder: HashingEncoder, folder: Path, monkeypatch: Any
) -> None:
    write_article(folder, "a.md")

    def stop(*_arguments: object, **_options: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("ingest.sync.write_entry", stop)
        sync()
    report = sync()
    assert (counts(report), report.embedded, encoder.encoded_count) == ({"new": 1}, 0, 1)


def test_a_plan_made_stale_by_another_sync_is_made_anew(
    sync: Any, database: Database, folder: Path, monkeypatch: Any
) -> None:
    write_article(folder, "a.md", "One.")
    sync()
    write_article(folder, "a.md", "Two.")

    def interfere(done: int, total: int) -> None:
        monkeypatch.undo()
        if not interfered:
            interfered.append(total)
            sync()

    interfered: list[int] = []
    report = sync(progress=interfere)
    assert interfered == [1]
    assert counts(report) == {"unchanged": 1}
    assert stored(database, "a").version == 2


def test_a_source_that_others_never_stop_changing_is_given_up(
    sync: Any, database: Database, folder: Path, clock: FixedClock
) -> None:
    files = [write_article(folder, f"b{i}.md", f"Text {i}.") for i in range(8)]
    sync()
    for file in files:
        file.unlink()
    write_article(folder, "a.md")

    def interfere(done: int, total: int) -> None:
        with database.write() as connection:
            intake.delete_document(connection, f"b{len(gone)}", now=clock.now())
        gone.append(done)

    gone: list[int] = []
    with pytest.raises(ConflictError, match="try again"):
        sync(progress=interfere)
    with database.read() as connection:
        assert "a" not in articles.read_states(connection)
    assert counts(sync()) == {"new": 1, "deleted": 3}


def test_what_changes_in_the_database_while_the_folder_is_read_is_left_to_the_next_sync(
    sync: Any, database: Database, folder: Path, clock: FixedClock, encoder: HashingEncoder
) -> None:
    write_article(folder, "b.md", "As the file says.")
    sync()
    write_article(folder, "a.md")
    newer = make_document("b", "As somebody published it.")

    def interfere(done: int, total: int) -> None:
        if not written:
            parts = chunk_document(newer)
            embed_texts(
                database, encoder,
                {p.content_hash: p.embedded for p in parts},
            )  # fmt: skip
            with database.write() as connection:
                written.append(
                    intake.write_version(
                        connection, newer, parts, now=clock.now(), author="x", reason="x"
                    )
                )

    written: list[int] = []
    assert counts(sync(progress=interfere)) == {"new": 1, "unchanged": 1}
    assert stored(database, "b").version == written[0] == 2


def test_documents_held_by_somebody_else_are_neither_taken_nor_deleted(
    sync: Any, database: Database, folder: Path
) -> None:
    file = write_article(folder, "a.md", "One.")
    write_article(folder, "b.md", "Two.")
    sync()
    file.unlink()
    write_article(folder, "b.md", "Three.")
    assert counts(sync(held=lambda _connection: {"a", "b"})) == {"unchanged": 1}
    assert stored(database, "a").version == 1
    assert counts(sync()) == {"changed": 1, "deleted": 1}


def test_syncs_at_once_end_as_one(database: Database, clock: FixedClock, folder: Path) -> None:
    for i in range(8):
        write_article(folder, f"{i}.md", f"Text number {i}.")
    reports: list[SourceReport] = []

    def run() -> None:
        source = make_folder(folder)
        reports.append(sync_source(database, HashingEncoder(32), source, clock=clock))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.new for report in reports) == [0, 0, 8]
    with database.read() as connection:
        assert len(connection.execute(select(versions)).all()) == 8
        assert verify_chain(connection)[0] == 1
    assert check_integrity(database, HashingEncoder(32).recipe) == []


def test_a_changed_setting_of_a_source_is_stored_without_touching_documents(
    sync: Any, database: Database, encoder: HashingEncoder, folder: Path, clock: FixedClock
) -> None:
    write_article(folder, "a.md")
    sync()
    with database.write() as connection:
        connection.execute(source_rows.update().values(owner="ben"))
    assert counts(sync()) == {"unchanged": 1}
    with database.read() as connection:
        assert articles.read_sources(connection)[0]["owner"] == "ana"


def test_progress_is_told_up_to_the_end(sync: Any, folder: Path) -> None:
    for i in range(3):
        write_article(folder, f"{i}.md", f"Text {i}.")
    told: list[tuple[int, int]] = []
    sync(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


def test_a_source_is_any_object_that_keeps_the_contract(
    database: Database, encoder: HashingEncoder, clock: FixedClock, folder: Path
) -> None:
    write_article(folder, "a.md")

    class Partial:
        name = "help"
        facts = make_folder(folder).facts

        def read_documents(self) -> SourceListing:
            return SourceListing([], [], complete=False)

    sync_source(database, encoder, make_folder(folder), clock=clock)
    report = sync_source(database, encoder, Partial(), clock=clock)
    assert (report.deleted, stored(database, "a").version) == (0, 1)


DAMAGE = {
    "UPDATE documents SET deleted_at = '2026-01-01 00:00:00' WHERE id = 'a'": "is deleted",
    "UPDATE documents SET version = 2 WHERE id = 'a'": "the current one is 2",
    "UPDATE chunks SET live = 0 WHERE document_id = 'a'": "document a has no live chunk",
    "DELETE FROM embeddings": "has no embedding under hashing/32/v1",
    "DELETE FROM lexical_partner": "document a is missing from the partner full-text index",
    "INSERT INTO lexical_public(rowid, title, body) VALUES (2, 't', 'b')": (
        "document b must not be in the public full-text index"
    ),
    "INSERT INTO lexical_public(rowid, title, body) VALUES (9, 't', 'b')": (
        "document number 9 must not be in the public full-text index"
    ),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.items())
def test_damage_is_named(
    database: Database, encoder: HashingEncoder, clock: FixedClock, folder: Path,
    damage: str, said: str,
) -> None:  # fmt: skip
    write_article(folder, "a.md")
    write_article(folder, "b.md", audience="internal")
    sync_source(database, encoder, make_folder(folder), clock=clock)
    assert check_integrity(database, encoder.recipe) == []
    with database.write() as connection:
        connection.execute(text(damage))
    assert any(said in problem for problem in check_integrity(database, encoder.recipe))


def test_every_live_document_has_rows_and_every_chunk_a_vector(
    sync: Any, database: Database, folder: Path
) -> None:
    write_article(folder, "a.md", "## A\n\n" + "word " * 300)
    sync()
    with database.read() as connection:
        hashes = set(connection.execute(select(chunks.c.content_hash)).scalars())
        assert hashes == set(connection.execute(select(embeddings.c.content_hash)).scalars())
        assert connection.execute(select(documents.c.id)).scalars().all() == ["a"]
