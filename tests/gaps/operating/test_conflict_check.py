from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from gaps.operating.conflict_check import FoundConflict, check_conflicts
from kb.tables import conflicts
from tests.gaps.drafting.factories import AUTHORITIES, NOW, Desk

CAP = "The hotel cap is EUR {} a night, breakfast and city tax included.\n\nBook trips early."


def check(desk: Desk, now: datetime = NOW) -> list[FoundConflict]:
    return check_conflicts(desk.database, desk.encoder, now=now, authorities=AUTHORITIES)


def rows(desk: Desk) -> set[tuple[str, str]]:
    with desk.database.read() as connection:
        return {(r.winner_id, r.loser_id) for r in connection.execute(select(conflicts))}


def add_pair(desk: Desk, front: str = "") -> None:
    desk.add_article("hr-travel", CAP.format(120), title="Hotel")
    desk.add_article("pol-travel", CAP.format(140), title="Hotel", source="policies", front=front)


def test_the_stronger_authority_wins_and_is_stored(desk: Desk) -> None:
    add_pair(desk)
    (found,) = check(desk)
    assert {found.left_value, found.right_value} == {"EUR 120", "EUR 140"}
    assert found.ruling is not None
    assert rows(desk) == {("pol-travel", "hr-travel")}


def test_a_tie_is_stored_both_ways(desk: Desk) -> None:
    desk.add_article("a", CAP.format(120), title="Hotel")
    desk.add_article("b", CAP.format(140), title="Hotel")
    (found,) = check(desk)
    assert found.ruling is None
    assert rows(desk) == {("a", "b"), ("b", "a")}


def test_a_policy_contradicts_only_while_it_holds(desk: Desk) -> None:
    add_pair(desk, "effective_from: 2026-09-28\n")
    assert check(desk, datetime(2026, 9, 1, tzinfo=UTC)) == []
    assert len(check(desk)) == 1


def test_equal_values_and_other_regions_are_no_conflict(desk: Desk) -> None:
    desk.add_article("a", CAP.format(120), title="Hotel")
    desk.add_article("b", CAP.format(120), title="Hotel")
    assert check(desk) == []
    desk.add_article("c", CAP.format(99), title="Hotel", front="regions: [uk]\n")
    desk.add_article("d", CAP.format(120), title="Hotel", front="regions: [pt]\n")
    assert {frozenset((f.left.document_id, f.right.document_id)) for f in check(desk)} == {
        frozenset("ac"),
        frozenset("bc"),
    }


def test_checking_again_replaces_what_was_found(desk: Desk) -> None:
    add_pair(desk)
    check(desk)
    desk.add_article("hr-travel", CAP.format(140), title="Hotel")
    assert check(desk) == []
    assert rows(desk) == set()


def test_a_second_check_embeds_nothing(desk: Desk) -> None:
    add_pair(desk)
    check(desk)
    before = desk.encoder.encoded_count
    check(desk)
    assert desk.encoder.encoded_count == before
