"""The two kinds of transaction, and the settings that make a commit survive."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from kb.database import Database
from kb.errors import UnavailableError
from kb.tables import sources

SOURCE = {
    "kind": "markdown", "location": "a", "authority": "policy", "audience": "public", "owner": "o",
}  # fmt: skip


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(sources.c.name).order_by(sources.c.name)).scalars())


def test_every_connection_is_durable_checked_and_patient(database: Database) -> None:
    with database.read() as connection:
        said = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "busy_timeout",
                "secure_delete",
            )
        }
    assert said == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "secure_delete": 1,
    }


def test_a_write_takes_the_lock_before_its_first_statement(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "kb.db", timeout=0, isolation_level=None)
    with database.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    with database.read():
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()


def test_an_impatient_write_gives_up_at_once_and_patience_is_back_afterwards(
    database: Database,
) -> None:
    with (
        database.write(),
        pytest.raises(UnavailableError, match="locked"),
        database.write(patience_ms=0),
    ):
        pass
    with database.write(patience_ms=0) as connection:
        connection.execute(insert(sources).values(name="new", **SOURCE))
    for _ in range(3):
        with database.read() as connection:
            assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
    assert names(database) == ["new"]


def test_a_read_sees_one_state_while_others_write(database: Database) -> None:
    with database.read() as reader:
        assert not reader.execute(select(sources)).all()
        with database.write() as writer:
            writer.execute(insert(sources).values(name="new", **SOURCE))
        assert not reader.execute(select(sources)).all()
    assert names(database) == ["new"]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute(insert(sources).values(name="new", **SOURCE))
        raise RuntimeError
    assert names(database) == []


def test_writers_wait_for_each_other_and_none_is_lost(database: Database) -> None:
    def write(number: int) -> None:
        with database.write() as connection:
            held = len(connection.execute(select(sources)).all())
            connection.execute(insert(sources).values(name=f"s{number}-{held}", **SOURCE))

    threads = [threading.Thread(target=write, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(name.split("-")[1]) for name in names(database)) == list(range(12))


def test_foreign_keys_are_enforced(database: Database) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            text("INSERT INTO versions VALUES ('nobody', 1, 't', 'm', 'h', '2026-01-01', 'a', 'r')")
        )


def test_migrating_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    before = sqlite3.connect(tmp_path / "kb.db").execute("SELECT * FROM sqlite_master").fetchall()
    database.migrate()
    after = sqlite3.connect(tmp_path / "kb.db").execute("SELECT * FROM sqlite_master").fetchall()
    assert before == after


def test_several_processes_may_start_at_once_on_an_empty_folder(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            Database(f"sqlite:///{tmp_path / 'new.db'}").migrate()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_file_that_is_no_database_is_said_to_be_unavailable(tmp_path: Path) -> None:
    (tmp_path / "kb.db").write_bytes(b"this is not a database, " * 200)
    with pytest.raises(UnavailableError, match="not a database"):
        Database(f"sqlite:///{tmp_path / 'kb.db'}").migrate()


def test_a_damaged_database_is_unavailable_and_waiting_does_not_help(tmp_path: Path) -> None:
    path = tmp_path / "kb.db"
    first = Database(f"sqlite:///{path}")
    first.migrate()
    first.close()
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(path.read_bytes())
    raw[100:2_000] = b"\xff" * 1_900
    path.write_bytes(raw)
    with pytest.raises(UnavailableError) as caught:
        Database(f"sqlite:///{path}").migrate()
    assert caught.value.retryable is False


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="unable to open"):
        Database(f"sqlite:///{tmp_path / 'no' / 'kb.db'}").check()
    with pytest.raises(UnavailableError, match="unable to open"):
        Database(f"sqlite:///{tmp_path / 'no' / 'kb.db'}").migrate()


def test_a_database_of_a_later_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="9999"):
        database.migrate()


def test_a_copy_holds_everything_and_keeps_its_changes_to_itself(
    database: Database, tmp_path: Path
) -> None:
    with database.write() as connection:
        connection.execute(insert(sources).values(name="kept", **SOURCE))
    files = sorted(tmp_path.iterdir())
    with database.copy() as copy:
        assert names(copy) == ["kept"]
        with copy.write() as connection:
            connection.execute(insert(sources).values(name="tried", **SOURCE))
        with pytest.raises(RuntimeError), copy.write() as connection:
            connection.execute(insert(sources).values(name="undone", **SOURCE))
            raise RuntimeError
        assert names(copy) == ["kept", "tried"]
        with database.write() as connection:
            connection.execute(insert(sources).values(name="later", **SOURCE))
        assert sorted(tmp_path.iterdir()) == files
    assert names(database) == ["kept", "later"]


def test_only_sqlite_is_copied(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "is_sqlite", False)
    with pytest.raises(UnavailableError, match="only SQLite"), database.copy():
        pass
