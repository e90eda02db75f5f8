"""Backup and restore: a consistent copy back, never under a running server, nothing thrown away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from api import backup
from api.backup import restore_backup, write_backup
from api.server import hold_data_folder
from api.wiring import Application
from kb import articles, intake
from kb.audit import verify_chain
from kb.clock import FixedClock
from kb.errors import ConflictError, InvalidInputError, UnavailableError
from kb.retrieval.index import read_state
from kb.types import Audience, SearchRequest
from tests.api.factories import NOW, sync, write_article


def titles(application: Application) -> list[str]:
    with application.database.read() as connection:
        return [d.metadata.title for d in articles.read_documents(connection)]


def reopen(application: Application) -> Application:
    application.close()
    return Application.open(application.root / "kb.toml", FixedClock(NOW))


def test_a_restored_backup_is_what_was_backed_up(application: Application, tmp_path: Path) -> None:
    sync(application)
    before = titles(application)
    assert write_backup(application, tmp_path / "b.db") > 0
    write_article(application.root / "articles" / "later.md", "Later.", title="Later")
    sync(application)
    kept = restore_backup(application, tmp_path / "b.db")
    assert kept is not None and kept.exists()
    application = reopen(application)
    assert titles(application) == before
    with application.database.read() as connection:
        verify_chain(connection)
        # The index belongs to the database that was replaced: searched exactly until it is built.
        assert read_state(connection).generation is None
    found = application.retriever.search(SearchRequest("reset the router"), Audience.PUBLIC)
    assert len(found.hits) == 3 and found.degraded == ()
    application.close()


def test_the_replaced_database_is_kept_whole(application: Application, tmp_path: Path) -> None:
    sync(application)
    write_backup(application, tmp_path / "b.db")
    write_article(application.root / "articles" / "later.md", "Later.", title="Later")
    sync(application)
    kept = restore_backup(application, tmp_path / "b.db")
    with closing(sqlite3.connect(str(kept))) as former:
        assert former.execute("SELECT count(*) FROM documents").fetchone() == (5,)
        assert former.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_restore_under_a_running_server_is_refused_and_changes_nothing(
    application: Application, tmp_path: Path
) -> None:
    sync(application)
    write_backup(application, tmp_path / "b.db")
    write_article(application.root / "articles" / "later.md", "Later.", title="Later")
    sync(application)
    before = titles(application)
    with (
        hold_data_folder(application.data_folder),
        pytest.raises(ConflictError, match="served by another process already \\(pid"),
    ):
        restore_backup(application, tmp_path / "b.db")
    assert titles(application) == before


def test_a_restore_under_another_command_is_refused_and_changes_nothing(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(application)
    write_backup(application, tmp_path / "b.db")
    with closing(sqlite3.connect(application.data_folder / "kb.db")) as other:
        other.execute("SELECT * FROM documents").fetchone()
        connect = sqlite3.connect
        monkeypatch.setattr(backup.sqlite3, "connect",
                            lambda *a, **k: connect(*a, **k | {"timeout": 0.05}))  # fmt: skip
        with pytest.raises(ConflictError, match="in use by another command"):
            restore_backup(application, tmp_path / "b.db")
    assert len(titles(application)) == 4


def test_a_backup_while_others_write_is_consistent(
    application: Application, tmp_path: Path
) -> None:
    sync(application)
    with application.database.write() as connection:
        intake.delete_document(connection, "help-0", now=NOW)
        write_backup(application, tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "b.db")) as copy:
        live = copy.execute("SELECT count(*) FROM documents WHERE deleted_at IS NULL").fetchone()
        assert live == (4,)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_existing_target_is_not_overwritten(application: Application, tmp_path: Path) -> None:
    target = tmp_path / "b.db"
    target.write_text("somebody's file")
    with pytest.raises(InvalidInputError, match="is there already"):
        write_backup(application, target)
    assert target.read_text() == "somebody's file"


def test_a_backup_that_cannot_be_written_leaves_nothing(
    application: Application, tmp_path: Path
) -> None:
    with pytest.raises(UnavailableError, match="backup to"):
        write_backup(application, tmp_path / "nowhere" / "b.db")
    assert not list(tmp_path.glob("*.partial"))


def damaged(path: Path) -> bytes:
    raw = bytearray(path.read_bytes())
    raw[4_096 * 3 : 4_096 * 5] = b"\xff" * 8_192
    return bytes(raw)


@pytest.mark.parametrize(
    "fault", ["missing", "empty", "text", "other database", "damaged", "folder"]
)
def test_what_is_no_sound_backup_is_refused_and_changes_nothing(
    application: Application, tmp_path: Path, fault: str
) -> None:
    sync(application)
    before = titles(application)
    source = tmp_path / "b.db"
    if fault == "empty":
        source.write_bytes(b"")
    elif fault == "text":
        source.write_text("not a database at all, " * 99)
    elif fault == "other database":
        with closing(sqlite3.connect(source)) as other:
            other.execute("CREATE TABLE t (x)")
    elif fault == "damaged":
        write_backup(application, source)
        source.write_bytes(damaged(source))
    elif fault == "folder":
        source.mkdir()
    with pytest.raises(InvalidInputError, match="b.db"):
        restore_backup(application, source)
    assert titles(application) == before
    assert not list(application.data_folder.glob("restore.partial*"))


@pytest.mark.parametrize("moment", ["rename", "replace", "link"])
def test_a_restore_killed_at_any_step_leaves_a_database(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    sync(application)
    write_backup(application, tmp_path / "b.db")

    class KilledError(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(backup.Path if moment != "link" else backup.os, moment, die)
        try:
            restore_backup(application, tmp_path / "b.db")
        except KilledError:
            pass
    assert (application.data_folder / "kb.db").exists()
    application = reopen(application)
    assert len(titles(application)) == 4
    application.close()
