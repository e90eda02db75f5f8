"""Which passwords are taken, and that a stored one is slow to guess and as slow to miss."""

from __future__ import annotations

import statistics
import time

import pytest
from argon2 import PasswordHasher

from api import passwords
from api.passwords import (
    AT_ONCE,
    MAX_CHARACTERS,
    check_password,
    find_fault,
    hash_password,
    needs_rehash,
    verify_password,
)
from kb.errors import InvalidInputError

GOOD = "harbour lamp seven"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "zwölf lange Bücher",
        "aaaabbbbccccdddde",
        "ines likes harbours",
        "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧",
    ],
)
def test_long_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    check_password(password, "ines")


@pytest.mark.parametrize(
    "password",
    ["", "harbourlamp", "a" * 11, "x" * (MAX_CHARACTERS + 1), "aaaaaaaaaaaaaaaa", "ababababababab",
     "password1234", "PassWord1234", "qwertyuiopas", "catharina.berg", "Catharina.Berg1!",
     "catharina.bergcatharina.berg"],
)  # fmt: skip
def test_short_long_named_and_common_ones_are_refused(password: str) -> None:
    with pytest.raises(InvalidInputError):
        check_password(password, "catharina.berg")


def test_the_two_fields_must_agree() -> None:
    assert find_fault(GOOD, GOOD, "ines") == ""
    assert "not the same" in find_fault(GOOD, GOOD + "x", "ines")
    assert find_fault("short", "short", "ines").startswith("A password needs")


def test_only_the_password_itself_fits_its_hash() -> None:
    kept = hash_password(GOOD)
    assert kept.startswith("$argon2id$") and GOOD not in kept
    assert verify_password(kept, GOOD)
    assert not verify_password(kept, GOOD + " ")
    assert not verify_password(kept, GOOD.title())
    assert hash_password(GOOD) != kept


def test_a_keyboard_may_compose_letters_either_way() -> None:
    kept = hash_password("zwo\u0308lf lange Bu\u0308cher")
    assert verify_password(kept, "zw\u00f6lf lange B\u00fccher")


@pytest.mark.parametrize("stored", [None, "", "nonsense", "$argon2id$v=19$broken"])
def test_nothing_stored_is_never_right(stored: str | None) -> None:
    assert not verify_password(stored, "")
    assert not verify_password(stored, GOOD)


def test_an_endless_password_is_wrong_and_not_hashed() -> None:
    assert not verify_password(hash_password("x"), "x" * 5_000_000)


def test_moved_parameters_ask_for_a_new_hash() -> None:
    assert not needs_rehash(hash_password(GOOD))
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    assert verify_password(weak, GOOD)
    assert needs_rehash(weak)


def test_the_hash_for_nobody_costs_what_a_real_one_costs() -> None:
    assert not needs_rehash(passwords._DUMMY)
    kept = hash_password(GOOD)

    def median(stored: str | None) -> float:
        taken = []
        for _ in range(7):
            begun = time.process_time()
            verify_password(stored, "another password")
            taken.append(time.process_time() - begun)
        return statistics.median(taken)

    known, unknown = median(kept), median(None)
    assert unknown > known / 2, (known, unknown)


def test_few_are_computed_at_once() -> None:
    for _ in range(AT_ONCE):
        assert passwords._turns.acquire(blocking=False)
    try:
        assert not passwords._turns.acquire(blocking=False)
    finally:
        passwords._turns.release(AT_ONCE)
    with pytest.raises(ValueError, match="released too many"):
        passwords._turns.release()
