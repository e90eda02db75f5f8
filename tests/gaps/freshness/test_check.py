from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select

from gaps.freshness import queue
from gaps.freshness.check import check_freshness
from gaps.freshness.history import write_verdicts
from gaps.operating.conflict_check import check_conflicts
from kb import intake
from kb.tables import freshness_verdicts, searches
from tests.gaps.drafting.factories import AUTHORITIES, NOW, Desk, make_ticket

FRESH = "last_verified_at: 2026-11-01\n"


def check(desk: Desk) -> dict[str, dict[str, Any]]:
    report = check_freshness(
        desk.database, now=NOW, authorities=AUTHORITIES, recipe=desk.encoder.recipe
    )
    assert [d["damage"] for d in report["documents"]] == sorted(
        (d["damage"] for d in report["documents"]), reverse=True
    )
    return {d["document_id"]: d for d in report["documents"]}


def signals(document: dict[str, Any]) -> set[str]:
    return {reason["signal"] for reason in document["reasons"]}


def test_every_published_document_is_listed_and_stored(desk: Desk) -> None:
    desk.add_article("a", "One thing.", front=FRESH)
    desk.add_article("b", "Another matter.")
    desk.add_article("gone", "Deleted.")
    with desk.database.write() as connection:
        intake.delete_document(connection, "gone", now=NOW)
    found = check(desk)
    assert set(found) == {"a", "b"}
    assert found["a"]["verdict"] == "fresh"
    assert found["a"]["probability"] < 0.1 and found["a"]["reasons"] == []
    assert found["b"]["verdict"] == "unknown"
    with desk.database.read() as connection:
        rows = {r.document_id: r.verdict for r in connection.execute(select(freshness_verdicts))}
    assert rows == {"a": "fresh", "b": "unknown"}


def test_age_alone_is_weak(desk: Desk) -> None:
    desk.add_article("old", "Old thing.", front="last_verified_at: 2024-01-01\n")
    found = check(desk)["old"]
    assert found["verdict"] == "due"
    assert found["probability"] <= 0.3


def test_what_is_replaced_or_ended_is_superseded(desk: Desk) -> None:
    desk.add_article("old", "Old thing.", front=FRESH)
    desk.add_article("new", "New rule here.", front=FRESH + "supersedes: [old]\n")
    desk.add_article("ended", "Promotion text.", front=FRESH + "effective_until: 2026-06-30\n")
    found = check(desk)
    assert found["old"]["verdict"] == "superseded"
    assert found["ended"]["verdict"] == "superseded"
    assert found["new"]["verdict"] == "fresh"


def test_losing_a_conflict_makes_stale(desk: Desk) -> None:
    text = "The hotel cap is EUR {} a night, breakfast included."
    desk.add_article("hr", text.format(120), title="Hotel", front=FRESH)
    desk.add_article("pol", text.format(140), title="Hotel", source="policies", front=FRESH)
    check_conflicts(desk.database, desk.encoder, now=NOW, authorities=AUTHORITIES)
    found = check(desk)
    assert found["hr"]["verdict"] == "conflict"
    assert found["hr"]["probability"] >= 0.8
    assert found["hr"]["reasons"][0]["evidence"] == ["pol"]
    assert found["pol"]["verdict"] == "fresh"


def test_tickets_that_come_back_make_stale_and_name_themselves(desk: Desk) -> None:
    desk.add_article("bad", "Open the page.", title="Phone", front=FRESH)
    desk.add_article("good", "Press the pin.", title="Valve", front=FRESH)
    failed = [make_ticket(n, linked_articles=("bad",), reopened=True) for n in range(12)]
    fine = [make_ticket(100 + n, linked_articles=("good",)) for n in range(30)]
    desk.add_gap([*failed, *fine])
    found = check(desk)
    assert "tickets" in signals(found["bad"])
    assert found["bad"]["verdict"] == "stale"
    assert "T-1" in found["bad"]["reasons"][0]["evidence"]
    assert found["bad"]["damage"] > 0
    assert next(iter(found)) == "bad"
    assert signals(found["good"]) == {"new_terms"}


def test_two_failures_of_many_are_shrunk_towards_the_usual(desk: Desk) -> None:
    desk.add_article("a", "Press the pin.", front=FRESH)
    tickets = [make_ticket(n, linked_articles=("a",), reopened=n < 2) for n in range(40)]
    desk.add_gap(tickets)
    assert signals(check(desk)["a"]) == {"new_terms"}


def test_another_value_in_several_resolutions_is_a_signal(desk: Desk) -> None:
    desk.add_article("a", "Return the parcel within 14 days of delivery.", front=FRESH)
    told = "You can return the parcel within 30 days of delivery."
    one = [make_ticket(1, told, linked_articles=("a",))]
    desk.add_gap(one)
    assert signals(check(desk)["a"]) == set()
    desk.add_gap([*one, make_ticket(2, told, linked_articles=("a",))])
    assert "resolution_value" in signals(check(desk)["a"])


def test_traffic_raises_damage_not_probability(desk: Desk) -> None:
    for key in ("a", "b"):
        desk.add_article(key, f"Thing {key}.", front="last_verified_at: 2025-01-01\n")
    hits = [{"document_id": "b"}]
    with desk.database.write() as connection:
        connection.execute(
            insert(searches),
            [
                {
                    "id": f"s{n}", "at": NOW.replace(day=5), "audience": "public", "query": "q",
                    "request": {}, "calibration": "x", "answerable": True, "confidence": 1.0,
                    "degraded": [], "took_ms": 1.0, "hits": hits,
                }
                for n in range(8)
            ],
        )  # fmt: skip
    found = check(desk)
    assert found["a"]["probability"] == found["b"]["probability"]
    assert found["b"]["damage"] > found["a"]["damage"] == 0


def test_near_duplicates_name_each_other(desk: Desk) -> None:
    desk.add_article("a", "Unplug the hub and wait for the white light.", front=FRESH)
    desk.add_article("b", "Unplug the hub and wait for the white light again.", front=FRESH)
    found = check(desk)
    assert found["a"]["reasons"][0]["evidence"] == ["b"]
    assert found["b"]["reasons"][0]["evidence"] == ["a"]


def test_due_only_by_age_and_used_well_is_ready_until_one_use_fails(desk: Desk) -> None:
    body = "The VPN says CC-418 device posture check failed: renew the certificate this morning."
    desk.add_article("a", body, title="CC-418 posture", front="last_verified_at: 2026-01-01\n")
    tickets = [make_ticket(n, linked_articles=("a",)) for n in range(12)]
    desk.add_gap(tickets)
    found = check(desk)["a"]
    assert (found["verdict"], signals(found)) == ("due", {"age"})
    assert "12 uses" in found["reasons"][0]["ready"]
    with desk.database.read() as connection:
        entry = queue.read_entry(connection, "a")
    assert entry.show == queue.READY and entry.ready == found["reasons"][0]["ready"]
    desk.add_gap([*tickets, make_ticket(50, linked_articles=("a",), reopened=True)])
    assert "ready" not in check(desk)["a"]["reasons"][0]


def test_since_when_a_verdict_stands_is_told_from_history(desk: Desk) -> None:
    desk.add_article("a", "Thing.", front=FRESH)
    for days, verdict in ((30, "due"), (21, "stale"), (14, "due"), (7, "due")):
        said = {"document_id": "a", "version": 1, "verdict": verdict, "base": 0.0,
                "probability": days / 100, "damage": 0.0, "reasons": []}  # fmt: skip
        with desk.database.write() as connection:
            write_verdicts(
                connection, [said], run=f"r{days}", period="w", now=NOW - timedelta(days=days)
            )
    with desk.database.read() as connection:
        assert queue.read_since(connection, ["a", "none"]) == {"a": NOW - timedelta(days=14)}
