"""Keys known for counting: a new one soon, an ended one no longer, none without the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.keys import revoke_key
from api.limits.known_keys import FRESH_SECONDS, RETRY_SECONDS, KnownKey, KnownKeys
from api.wiring import Application
from kb.database import Database
from tests.api.factories import NOW, make_key


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def known(application: Application, watch: Watch) -> Iterator[KnownKeys]:
    with ThreadPoolExecutor(1) as executor:
        yield KnownKeys(application, executor, watch)


def find(known: KnownKeys, key: str) -> KnownKey | None:
    return asyncio.run(known.find(f"Bearer {key}"))


def test_a_key_is_known_with_its_own_limit(application: Application, known: KnownKeys) -> None:
    key, other = make_key(application, per_minute=7), make_key(application)
    assert find(known, key) == KnownKey(f"key_{key.split('_')[1]}", 7)
    found = find(known, other)
    assert found is not None and found.per_minute is None


def test_a_key_made_later_is_known_within_a_second(
    application: Application, known: KnownKeys, watch: Watch
) -> None:
    find(known, make_key(application))
    key = make_key(application)
    assert find(known, key) is None
    watch.now += RETRY_SECONDS + 0.1
    assert find(known, key) is not None


def test_an_ended_key_is_forgotten_within_seconds(
    application: Application, known: KnownKeys, watch: Watch
) -> None:
    key = make_key(application)
    assert find(known, key) is not None
    with application.database.write() as connection:
        revoke_key(connection, f"key_{key.split('_')[1]}", now=NOW, actor="t")
    watch.now += FRESH_SECONDS + 0.1
    assert find(known, key) is None


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Basic x", "Bearer \udc80", "Bearer kb_"]
)
def test_what_names_no_key_is_nobody_s(known: KnownKeys, said: str) -> None:
    assert asyncio.run(known.find(said)) is None


def test_without_the_database_known_keys_stay_known(
    application: Application, known: KnownKeys, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(application)
    assert find(known, key) is not None
    monkeypatch.setattr(application, "database", Database("sqlite:////nowhere/at/all.db"))
    watch.now += FRESH_SECONDS + 0.1
    assert find(known, key) is not None
