"""People: what is kept of them, who is let in, and that every change is in the audit log."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.cli.main import main
from api.passwords import hash_password, verify_password
from api.people import (
    SETUP_LIFE,
    add_person,
    caller_of,
    change_person,
    disable_person,
    find_person,
    read_by_setup,
    read_people,
    read_person,
    reset_person,
    set_password,
    sign_in_federated,
)
from kb.audit import read_entries, verify_chain
from kb.database import Database
from kb.errors import ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError
from kb.tables import people
from kb.types import Role
from tests.api.factories import NOW, write_installation

GOOD = "harbour lamp seven"


def add(database: Database, name: str = "ines", **said: Any) -> str:
    asked: dict[str, Any] = {"role": Role.OWNER, "owner": "ines", "actor": "t", "now": NOW, **said}
    with database.write() as connection:
        return add_person(connection, name, **asked)


def actions(database: Database) -> list[str]:
    with database.read() as connection:
        verify_chain(connection)
        return [entry.action for entry in reversed(read_entries(connection))]


def test_a_name_is_one_person_however_it_is_written(database: Database) -> None:
    add(database)
    with pytest.raises(ConflictError):
        add(database, " INES ")
    with database.read() as connection:
        assert read_person(connection, "Ines").name == "ines"


@pytest.mark.parametrize(
    "name", ["", "a b", "ines@example.org", "-x", "x" * 81, "kbops (rule)", "é"]
)
def test_what_is_no_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidInputError):
        add(database, name)


def test_role_and_owner_must_go_together(database: Database) -> None:
    with pytest.raises(InvalidInputError, match="key"):
        add(database, role=Role.AGENT)
    with pytest.raises(InvalidInputError, match="owner"):
        add(database, owner=None)
    add(database, "eda", role=Role.EDITOR, owner=None)


def test_a_person_is_named_by_themself_and_acts_for_their_owner(database: Database) -> None:
    add(database, "i.silva", owner="it-desk")
    with database.read() as connection:
        caller = caller_of(read_person(connection, "i.silva"))
    assert (caller.name, caller.owner, caller.role) == ("i.silva", "it-desk", Role.OWNER)


def test_a_disabled_person_is_nobody(database: Database) -> None:
    add(database)
    with database.write() as connection:
        disable_person(connection, "ines", now=NOW, actor="t")
        with pytest.raises(UnauthenticatedError):
            caller_of(read_person(connection, "ines"))
        with pytest.raises(NotFoundError):
            disable_person(connection, "ines", now=NOW, actor="t")


def test_a_setup_link_counts_once_and_for_two_days(database: Database) -> None:
    person_id = add(database)
    with database.write() as connection:
        token = reset_person(connection, "ines", now=NOW, actor="t")
        assert token not in str(connection.execute(select(people)).all())
        assert read_by_setup(connection, token, NOW + SETUP_LIFE / 2).person_id == person_id
        for wrong in ("", token[:-1], token + "x"):
            with pytest.raises(UnauthenticatedError):
                read_by_setup(connection, wrong, NOW)
        with pytest.raises(UnauthenticatedError):
            read_by_setup(connection, token, NOW + SETUP_LIFE)
        set_password(connection, person_id, hash_password(GOOD), now=NOW, actor="ines")
        with pytest.raises(UnauthenticatedError):
            read_by_setup(connection, token, NOW)


def test_a_new_link_ends_the_one_before_and_disabling_ends_all(database: Database) -> None:
    add(database)
    with database.write() as connection:
        first = reset_person(connection, "ines", now=NOW, actor="t")
        second = reset_person(connection, "ines", now=NOW, actor="t")
        with pytest.raises(UnauthenticatedError):
            read_by_setup(connection, first, NOW)
        disable_person(connection, "ines", now=NOW, actor="t")
        with pytest.raises(UnauthenticatedError):
            read_by_setup(connection, second, NOW)


def test_every_change_is_audited_without_a_secret(database: Database) -> None:
    person_id = add(database, password_hash=hash_password(GOOD))
    with database.write() as connection:
        change_person(connection, "ines", role=Role.EDITOR, owner="ines", now=NOW, actor="t")
        change_person(connection, "ines", role=Role.EDITOR, owner="ines", now=NOW, actor="t")
        token = reset_person(connection, "ines", now=NOW, actor="t")
        set_password(connection, person_id, hash_password(GOOD), now=NOW, actor="ines")
        disable_person(connection, "ines", now=NOW, actor="t")
        said = str(read_entries(connection)) + str(read_people(connection))
    assert actions(database) == [
        "person.add", "person.change", "person.reset", "person.password", "person.disable",
    ]  # fmt: skip
    assert "argon2" not in said and token not in said


def federate(database: Database, **said: Any) -> Any:
    asked: dict[str, Any] = {
        "issuer": "https://login.example", "subject": "s-1", "name": "ines@example.org",
        "role": Role.OWNER, "owner": "ines", "now": NOW, **said,
    }  # fmt: skip
    with database.write() as connection:
        return sign_in_federated(connection, **asked)


def test_a_federated_person_is_who_the_issuer_says_by_subject(database: Database) -> None:
    first = federate(database)
    again = federate(database, name="i.silva@example.org")
    assert again.person_id == first.person_id
    assert again.name == "ines@example.org"
    other = federate(database, issuer="https://other.example", name="x@other.example")
    assert other.person_id != first.person_id


def test_role_and_owner_follow_what_the_provider_says_now(database: Database) -> None:
    federate(database)
    assert federate(database, role=Role.EDITOR, owner=None).role is Role.EDITOR
    assert actions(database) == ["person.add", "person.change"]


def test_an_address_given_to_somebody_else_lets_nobody_in(database: Database) -> None:
    federate(database)
    with pytest.raises(UnauthenticatedError):
        federate(database, subject="s-2")
    with database.write() as connection:
        reset_person(connection, "ines@example.org", now=NOW, actor="t")
    assert federate(database, subject="s-2").name == "ines@example.org"
    with pytest.raises(UnauthenticatedError):
        federate(database, subject="s-1")


def test_a_disabled_federated_person_stays_out(database: Database) -> None:
    federate(database)
    with database.write() as connection:
        disable_person(connection, "ines@example.org", now=NOW, actor="t")
    with pytest.raises(UnauthenticatedError):
        federate(database)


@pytest.fixture
def kb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    config = write_installation(tmp_path / "kb")

    def run(*words: str) -> Any:
        try:
            main([*words, "--config", str(config), "--now", NOW.isoformat()])
        except SystemExit as ended:
            if ended.code:
                raise
        said = capsys.readouterr().out
        return json.loads(said) if "--json" in words else said

    return run


def test_the_command_makes_a_person_with_a_link(kb: Any) -> None:
    said = kb("people", "add", "eda", "--role", "editor", "--json")
    assert "/sign-in/setup?token=" in said["link"]
    (row,) = kb("people", "list", "--json")["people"]
    assert (row["name"], row["role"], row["signs_in_with"]) == ("eda", "editor", "setup link")


def test_the_command_takes_a_password_from_standard_input(
    kb: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
    assert "link" not in kb("people", "add", "eda", "--role", "admin", "--password", "--json")
    database = Database(f"sqlite:///{tmp_path / 'kb' / '.kb' / 'kb.db'}")
    with database.read() as connection:
        person = find_person(connection, "eda")
    assert person is not None and verify_password(person.password_hash, GOOD)
    database.close()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["add", "eda", "--role", "owner"], "owner"),
        (["add", "eda", "--role", "agent"], "key"),
        (["add", "eda", "--role", "editor", "--owner", "nobody"], "unknown owner"),
        (["disable", "nobody"], "no person"),
        (["reset", "nobody"], "no person"),
        (["change", "nobody", "--role", "admin"], "no person"),
    ],
)
def test_a_wrong_command_says_why_in_one_line(
    kb: Any, capsys: pytest.CaptureFixture[str], words: list[str], part: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        kb("people", *words)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert part in said and said.count("\n") == 1


def test_disable_and_reset_by_command(kb: Any) -> None:
    kb("people", "add", "eda", "--role", "editor")
    kb("people", "disable", "eda")
    assert kb("people", "list", "--json")["people"][0]["disabled_at"] is not None
    kb("people", "reset", "eda")
    assert kb("people", "list", "--json")["people"][0]["disabled_at"] is None


def test_life_of_a_link_is_short() -> None:
    assert timedelta(hours=1) <= SETUP_LIFE <= timedelta(days=3)
