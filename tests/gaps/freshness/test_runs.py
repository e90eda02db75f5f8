"""Runs after runs: only what is new is read, only what changed is kept, deletion deletes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from gaps import repository
from gaps.freshness.check import check_freshness
from gaps.freshness.facts import Release
from gaps.freshness.history import read_history
from gaps.freshness.outside import Edits, Outside
from gaps.reading.tickets import hash_ticket
from gaps.tables import freshness_terms, freshness_tickets, freshness_uses
from gaps.types import Ticket, TicketStatus
from kb.tables import links, outcomes, searches
from tests.gaps.drafting.factories import AUTHORITIES, NOW, Desk, make_ticket

FRESH = "last_verified_at: 2026-11-01\n"
WEEK = timedelta(days=7)


def run(desk: Desk, now: datetime = NOW, **told: Any) -> dict[str, Any]:
    return check_freshness(
        desk.database, now=now, authorities=AUTHORITIES, recipe=desk.encoder.recipe, **told
    )


def put(desk: Desk, tickets: Sequence[Ticket]) -> None:
    with desk.database.write() as connection:
        known = repository.read_ticket_hashes(connection, [t.ticket_id for t in tickets])
        for ticket in tickets:
            repository.write_ticket(
                connection, ticket, hash_ticket(ticket), exists=ticket.ticket_id in known, now=NOW
            )


def of(report: dict[str, Any], document_id: str) -> dict[str, Any]:
    return next(d for d in report["documents"] if d["document_id"] == document_id)


def signals(document: dict[str, Any]) -> set[str]:
    return {reason["signal"] for reason in document["reasons"]}


def put_search(desk: Desk, number: int, document_id: str, **said: Any) -> None:
    with desk.database.write() as connection:
        connection.execute(
            insert(searches).values(
                id=f"s{number}", at=NOW - timedelta(days=5), audience="public", query="q",
                request={}, calibration="x", answerable=True, confidence=1.0, degraded=[],
                took_ms=1.0, hits=[{"document_id": document_id}], **said,
            )
        )  # fmt: skip


def test_a_second_run_reads_nothing_and_keeps_no_history(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    put(desk, [make_ticket(n, "Press it.", linked_articles=("a",)) for n in range(3)])
    first, second = run(desk), run(desk)
    assert first["read"] == {"texts": 1, "tickets": 3, "compared": 3}
    assert second["read"] == {"texts": 0, "tickets": 0, "compared": 0}
    assert (first["changed"], second["changed"]) == (1, 0)
    assert first["documents"] == second["documents"]


def test_a_changed_ticket_is_read_again_and_counts_once(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    tickets = [make_ticket(n, linked_articles=("a",)) for n in range(6)]
    put(desk, tickets)
    assert "tickets" not in signals(of(run(desk), "a"))
    put(desk, [make_ticket(n, linked_articles=("a",), reopened=True) for n in range(6)])
    again = run(desk)
    assert again["read"]["tickets"] == 6
    assert of(again, "a")["reasons"][0]["text"].startswith("6 of 6 ")


def test_a_changed_article_is_compared_again_with_later_tickets_only(desk: Desk) -> None:
    told = "You can return the parcel within 30 days of delivery."
    desk.add_article("a", "Return the parcel within 14 days of delivery.", front=FRESH)
    put(desk, [make_ticket(n, told, linked_articles=("a",)) for n in range(2)])
    assert "resolution_value" in signals(of(run(desk), "a"))
    desk.add_article("a", told, front=FRESH, now=NOW - timedelta(days=1))
    after = run(desk)
    assert after["read"] == {"texts": 1, "tickets": 0, "compared": 0}
    assert signals(of(after, "a")) == set()


def test_history_has_a_row_for_each_change_newest_first(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    run(desk)
    run(desk, NOW + WEEK)
    put(desk, [make_ticket(n, linked_articles=("a",), reopened=True) for n in range(12)])
    run(desk, NOW + 2 * WEEK)
    with desk.database.read() as connection:
        rows = read_history(connection, "a")
    assert [row["verdict"] for row in rows] == ["stale", "fresh"]
    assert rows[0]["period"] == "2026-W48" and rows[0]["reasons"][0]["signal"] == "tickets"


def test_nothing_later_than_the_day_is_seen(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    put(desk, [make_ticket(n, linked_articles=("a",), reopened=True,
                           created_at=NOW + timedelta(hours=1 + n)) for n in range(9)])  # fmt: skip
    assert signals(of(run(desk), "a")) == set()
    assert "tickets" in signals(of(run(desk, NOW + WEEK), "a"))


def test_a_deleted_ticket_leaves_nothing_that_was_read_of_it(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    put(desk, [make_ticket(1, "Open **Home settings**.", linked_articles=("a",))])
    run(desk)
    with desk.database.write() as connection:
        repository.delete_ticket(connection, "T-1", actor="t", now=NOW)
    with desk.database.read() as connection:
        for table in (freshness_uses, freshness_terms, freshness_tickets):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_readers_who_name_the_article_count_once_each(desk: Desk) -> None:
    desk.add_article("hub-offline", "Press the pin.", front=FRESH)
    body = "I followed hub-offline and it did not work."
    put(desk, [make_ticket(n, body=body, requester="ana" if n < 3 else "ben",
                           status=TicketStatus.OPEN) for n in range(4)])  # fmt: skip
    found = of(run(desk), "hub-offline")
    followed = next(r for r in found["reasons"] if r["signal"] == "followed")
    assert followed["evidence"] == ["T-0", "T-3"]


def test_answers_marked_wrong_and_searches_that_ended_in_tickets(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    put(desk, [make_ticket(1)])
    put_search(desk, 1, "a", conversation_id="c1")
    put_search(desk, 2, "a", conversation_id="T-1")
    with desk.database.write() as connection:
        connection.execute(
            insert(outcomes).values(
                id="o1", search_id="s1", outcome="wrong", document_ids=["a"], ticket_id="T-9",
                at=NOW - timedelta(days=4),
            )
        )  # fmt: skip
    by_signal = {r["signal"]: r for r in of(run(desk), "a")["reasons"]}
    assert by_signal["marked_wrong"]["evidence"] == ["s1"]
    assert set(by_signal["shown_in_vain"]["evidence"]) == {"T-9", "T-1"}


def test_links_of_the_present_version_only(desk: Desk) -> None:
    desk.add_article("a", "See https://x.example.", front=FRESH)
    with desk.database.write() as connection:
        for version, url in ((1, "https://x.example"), (7, "https://old.example")):
            connection.execute(
                insert(links).values(
                    document_id="a", version=version, url=url, verdict="dead", checked_at=NOW
                )
            )
    found = of(run(desk), "a")
    assert found["verdict"] == "dead link"
    assert found["reasons"][0]["evidence"] == ["https://x.example"]


def test_releases_and_logged_edits_reach_the_verdict(desk: Desk) -> None:
    desk.add_article("a", "Open **Home settings**.", front=FRESH)
    release = Release("Hub", "12", NOW - timedelta(days=2), notes='Renamed "Home settings".')
    edits = {"a": Edits((NOW - timedelta(days=300), NOW - timedelta(days=4)))}
    report = run(desk, outside=Outside((release,), edits))
    assert "release" in signals(of(report, "a"))


def test_a_name_that_left_all_tickets_is_said(desk: Desk) -> None:
    desk.add_article("a", "Open **Home settings**.", front=FRESH)
    long_ago = NOW - timedelta(days=200)
    put(desk, [make_ticket(n, created_at=long_ago, body="In Menu > Home settings it fails.")
               for n in range(40)])  # fmt: skip
    put(desk, [make_ticket(100 + n, body="It fails.") for n in range(40)])
    assert "vanished" in signals(of(run(desk), "a"))
    put(desk, [make_ticket(200 + n, body="In Menu > Home settings it fails.") for n in range(20)])
    assert "vanished" not in signals(of(run(desk), "a"))
