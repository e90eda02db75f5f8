"""Keys: only a hash is kept, a wrong one is refused for any fault alike, an ended one at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from api.keys import create_key, read_caller, read_caller_by_id, read_keys, revoke_key
from kb.audit import read_entries
from kb.database import Database
from kb.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from kb.tables import api_keys
from kb.types import Audience, Role
from tests.api.factories import NOW


def make(database: Database, **said: object) -> tuple[str, str]:
    asked = {"role": Role.AGENT, "audience": Audience.CUSTOMER, "owner": None, **said}
    with database.write() as connection:
        return create_key(connection, now=NOW, actor="t", **asked)  # type: ignore[arg-type]


def refuse(database: Database, key: str, now=NOW) -> str:  # type: ignore[no-untyped-def]
    with database.read() as connection, pytest.raises(UnauthenticatedError) as caught:
        read_caller(connection, key, now)
    return caught.value.message


def test_a_key_proves_its_role_and_audience(database: Database) -> None:
    key_id, key = make(database, role=Role.OWNER, owner="ana")
    assert re.fullmatch(r"kb_[0-9a-f]{12}_[0-9a-f]{48}_[0-9a-f]{8}", key)
    with database.read() as connection:
        caller = read_caller(connection, key, NOW)
    assert (caller.key_id, caller.role, caller.audience, caller.name) == (
        key_id, Role.OWNER, Audience.CUSTOMER, "ana",
    )  # fmt: skip


def test_nothing_stored_or_listed_or_audited_holds_the_key(database: Database) -> None:
    key_id, key = make(database)
    secret = key.split("_")[2]
    with database.read() as connection:
        rows = str(connection.execute(select(api_keys)).all())
        rows += str(read_keys(connection)) + str(read_entries(connection))
    assert key_id in rows
    assert secret not in rows and key not in rows
    assert "key_hash" not in str(read_keys_of(database))


def read_keys_of(database: Database) -> object:
    with database.read() as connection:
        return read_keys(connection)


def test_every_changed_character_is_refused_with_the_same_words(database: Database) -> None:
    _, key = make(database)
    said = {refuse(database, key[:place] + ("0" if key[place] != "0" else "1") + key[place + 1:])
            for place in range(len(key))}  # fmt: skip
    assert said == {"not a valid key"}


@pytest.mark.parametrize(
    "key", ["", "kb", "kb_", "kb__", "_" * 9, "x" * 9_999, "kb_a_b_00000000", "ä"]
)
def test_what_is_no_key_is_refused_with_the_same_words(database: Database, key: str) -> None:
    assert refuse(database, key) == "not a valid key"


def test_a_well_formed_key_of_nobody_is_refused_with_the_same_words(database: Database) -> None:
    key_id, key = make(database)
    with database.write() as connection:
        connection.execute(api_keys.delete().where(api_keys.c.id == key_id))
    assert refuse(database, key) == "not a valid key"


def test_a_revoked_key_ends_at_once_and_is_revoked_once(database: Database) -> None:
    key_id, key = make(database)
    with database.write() as connection:
        revoke_key(connection, key_id, now=NOW, actor="t")
    assert refuse(database, key) == "not a valid key"
    with database.read() as connection, pytest.raises(UnauthenticatedError):
        read_caller_by_id(connection, key_id, NOW)
    with pytest.raises(NotFoundError), database.write() as connection:
        revoke_key(connection, key_id, now=NOW, actor="t")
    with database.read() as connection:
        assert [e.action for e in read_entries(connection)] == ["key.revoke", "key.create"]


def test_a_key_ends_at_its_instant(database: Database) -> None:
    end = NOW + timedelta(hours=1)
    _, key = make(database, expires_at=end)
    with database.read() as connection:
        read_caller(connection, key, end - timedelta(microseconds=1))
    assert refuse(database, key, end) == "not a valid key"


def test_an_owner_s_key_names_the_owner(database: Database) -> None:
    with pytest.raises(InvalidInputError, match="needs --owner"):
        make(database, role=Role.OWNER)
