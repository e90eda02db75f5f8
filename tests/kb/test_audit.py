"""The chain: whatever is changed, removed from the middle or reordered is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from kb.audit import GENESIS, read_entries, verify_chain, write_entry
from kb.database import Database
from kb.errors import IntegrityError
from kb.tables import audit
from tests.kb.factories import NOW

COUNT = 6
OTHER: dict[str, Any] = {
    "seq": 99,
    "at": NOW + timedelta(microseconds=1),
    "actor": "eve",
    "action": "draft.reject",
    "subject": "draft:x",
    "details": {"n": 77},
    "previous_hash": "1" * 64,
    "hash": "2" * 64,
}


def write_chain(connection: Connection, count: int = COUNT) -> None:
    for number in range(count):
        write_entry(
            connection,
            at=NOW + timedelta(minutes=number),
            actor="ana",
            action="draft.approve",
            subject=f"draft:{number}",
            details={"n": number, "when": NOW, "names": ["ä", "b"]},
        )


def test_an_untouched_chain_verifies_and_names_its_head(database: Database) -> None:
    with database.read() as connection:
        assert verify_chain(connection) == (0, GENESIS)
    with database.write() as connection:
        write_chain(connection)
    with database.read() as connection:
        newest = read_entries(connection, limit=1)[0]
        assert verify_chain(connection) == (COUNT, newest.hash)


def test_the_columns_tried_below_are_all_there_are() -> None:
    assert set(OTHER) == {column.name for column in audit.columns}


@pytest.mark.parametrize("column", sorted(OTHER))
@pytest.mark.parametrize("seq", range(1, COUNT + 1))
def test_a_change_of_any_field_of_any_row_is_found(
    database: Database, seq: int, column: str
) -> None:
    with database.write() as connection:
        write_chain(connection)
        connection.execute(update(audit).where(audit.c.seq == seq).values({column: OTHER[column]}))
    with database.read() as connection, pytest.raises(IntegrityError, match="audit entry"):
        verify_chain(connection)


def swap(connection: Connection) -> None:
    pair = select(audit).where(audit.c.seq.in_([3, 4])).order_by(audit.c.seq)
    rows = connection.execute(pair).all()
    connection.execute(delete(audit).where(audit.c.seq.in_([3, 4])))
    for row, seq in zip(rows, (4, 3), strict=True):
        connection.execute(insert(audit).values(**dict(row._mapping) | {"seq": seq}))


def forge(connection: Connection) -> None:
    """A row rewritten with a digest of its own that fits its new content."""
    connection.execute(delete(audit).where(audit.c.seq == 4))
    last = connection.execute(select(audit).where(audit.c.seq == 5)).one()
    connection.execute(delete(audit).where(audit.c.seq >= 5))
    write_entry(connection, at=NOW, actor="eve", action="a", subject="s")
    connection.execute(insert(audit).values(**last._mapping))


MISDEEDS: dict[str, Callable[[Connection], Any]] = {
    "first deleted": lambda c: c.execute(delete(audit).where(audit.c.seq == 1)),
    "one deleted in the middle": lambda c: c.execute(delete(audit).where(audit.c.seq == 3)),
    "one deleted and the rest renumbered": lambda c: (
        c.execute(delete(audit).where(audit.c.seq == 3)),
        [c.execute(update(audit).where(audit.c.seq == n).values(seq=n - 1)) for n in (4, 5, 6)],
    ),
    "two swapped": swap,
    "one forged with a fitting digest": forge,
    "one detail dropped": lambda c: c.execute(
        update(audit).where(audit.c.seq == 2).values(details={"n": 1})
    ),
}


@pytest.mark.parametrize("misdeed", list(MISDEEDS.values()), ids=list(MISDEEDS))
def test_what_is_removed_reordered_or_forged_is_found(
    database: Database, misdeed: Callable[[Connection], Any]
) -> None:
    with database.write() as connection:
        write_chain(connection)
        misdeed(connection)
    with database.read() as connection, pytest.raises(IntegrityError):
        verify_chain(connection)


def test_a_cut_off_end_shows_in_the_head_that_was_kept_elsewhere(database: Database) -> None:
    with database.write() as connection:
        write_chain(connection)
        kept = verify_chain(connection)
        connection.execute(delete(audit).where(audit.c.seq == COUNT))
        assert verify_chain(connection) != kept


def test_an_entry_falls_with_the_transaction_it_tells_of(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        write_chain(connection, 1)
        raise RuntimeError
    with database.read() as connection:
        assert verify_chain(connection)[0] == 0


def test_entries_are_read_newest_first_by_subject_and_by_page(database: Database) -> None:
    with database.write() as connection:
        write_chain(connection)
        assert [e.seq for e in read_entries(connection, limit=2, offset=1)] == [5, 4]
        assert [e.seq for e in read_entries(connection, subject="draft:2")] == [3]
