"""A notice is written once, sent at least once, and given up in sight."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

from kb import outbox
from kb.database import Database
from kb.outbox import CLAIM, MAX_ATTEMPTS, Notice
from tests.kb.factories import NOW


def write(database: Database, key: str = "k", *, now=NOW) -> bool:  # type: ignore[no-untyped-def]
    with database.write() as connection:
        return outbox.write_notice(
            connection, kind="digest", recipient="ana", subject="S", body="B",
            payload={"a": 1}, dedupe_key=key, now=now,
        )  # fmt: skip


def claim(database: Database, *, now=NOW) -> Notice | None:  # type: ignore[no-untyped-def]
    with database.write() as connection:
        return outbox.claim_notice(connection, now=now)


def read(database: Database) -> list[Notice]:
    with database.read() as connection:
        return outbox.read_notices(connection)


def test_what_has_one_key_is_written_once(database: Database) -> None:
    assert [write(database) for _ in range(3)] == [True, False, False]
    assert write(database, "other")
    assert len(read(database)) == 2


def test_a_notice_goes_with_the_change_it_tells_of(database: Database) -> None:
    try:
        with database.write() as connection:
            outbox.write_notice(
                connection, kind="digest", recipient="ana", subject="S", body="B", payload={},
                dedupe_key="k", now=NOW,
            )  # fmt: skip
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert read(database) == []


def test_a_claimed_notice_is_nobody_elses_until_the_claim_runs_out(database: Database) -> None:
    write(database)
    first = claim(database)
    assert first is not None and first.attempts == 1
    assert claim(database, now=NOW + CLAIM - timedelta(seconds=1)) is None
    again = claim(database, now=NOW + CLAIM)
    assert again is not None and (again.notice_id, again.attempts) == (first.notice_id, 2)


def test_of_many_that_claim_at_once_each_gets_another(database: Database) -> None:
    for number in range(4):
        write(database, f"k{number}")
    got: list[Notice | None] = []
    threads = [threading.Thread(target=lambda: got.append(claim(database))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = [notice.notice_id for notice in got if notice is not None]
    assert len(claimed) == len(set(claimed)) == 4


def test_what_was_sent_is_not_claimed_again(database: Database) -> None:
    write(database)
    notice = claim(database)
    assert notice is not None
    with database.write() as connection:
        outbox.write_sent(connection, notice.notice_id, now=NOW)
    assert claim(database, now=NOW + timedelta(days=400)) is None
    assert read(database)[0].status == "sent"


def test_what_fails_is_tried_later_and_later_and_given_up_in_sight(database: Database) -> None:
    write(database)
    now, tried = NOW, []
    while (notice := claim(database, now=now)) is not None:
        tried.append(now)
        with database.write() as connection:
            outbox.write_failed(connection, notice, "away", now=now)
        now = max(now, read(database)[0].not_before)
    assert len(tried) == MAX_ATTEMPTS
    waits = [b - a for a, b in pairwise(tried)]
    assert waits == sorted(waits) and waits[0] == timedelta(minutes=1)
    assert timedelta(days=3) < tried[-1] - tried[0] < timedelta(days=4)
    kept = read(database)[0]
    assert (kept.status, kept.last_error) == ("given up", "away")
    with database.write() as connection:
        assert outbox.write_again(connection, now=now) == 1
    assert claim(database, now=now) is not None


def test_a_receiver_may_ask_for_more_time(database: Database) -> None:
    write(database)
    notice = claim(database)
    assert notice is not None
    with database.write() as connection:
        outbox.write_failed(connection, notice, "busy", now=NOW, wait=timedelta(hours=2))
    assert read(database)[0].not_before == NOW + timedelta(hours=2)
