from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from gaps.operating.conflict_check import FoundConflict, check_conflicts
from kb.tables import conflicts, twins
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


TEAM = "The travel team has {} members who answer questions.\n\n"
HOURS = "Requests for travel are approved each day at {} PM Eastern time.\n\n"


def statements(desk: Desk) -> set[tuple[str, str]]:
    with desk.database.read() as connection:
        rows = connection.execute(select(conflicts)).all()
    return {(r.winner_statement, r.loser_statement) for r in rows}


def test_every_statement_two_documents_part_in_is_stored(desk: Desk) -> None:
    desk.add_article("hr-travel", TEAM.format("four") + HOURS.format("2:30"), title="Travel")
    desk.add_article(
        "pol-travel", TEAM.format("three") + HOURS.format("3:30"), title="Travel", source="policies"
    )
    assert len(check(desk)) == 2
    assert rows(desk) == {("pol-travel", "hr-travel")}
    assert statements(desk) == {
        (TEAM.format("three").strip(), TEAM.format("four").strip()),
        (HOURS.format("3:30").strip(), HOURS.format("2:30").strip()),
    }


def test_a_sentence_the_other_document_says_too_is_not_in_dispute(desk: Desk) -> None:
    both = TEAM.format("four") + TEAM.format("nine")
    desk.add_article("a", both, title="Travel")
    desk.add_article("b", TEAM.format("nine"), title="Travel", source="policies")
    assert check(desk) == []


def test_a_field_of_a_form_contradicts_no_other_form(desk: Desk) -> None:
    patch = "This patch is available when the quality tool {} is installed on the server."
    for number, title in enumerate(("Slow cart", "Broken search", "Lost invoice", "Wrong tax")):
        desk.add_article(f"p{number}", patch.format(f"1.1.{number + 10}"), title=f"{title} fixed")
    assert check(desk) == []


def test_pages_whose_titles_number_them_are_about_different_things(desk: Desk) -> None:
    lid = "The lid of the device closes with {} screws and a seal."
    desk.add_article("a", lid.format("four"), title="Hub model 200")
    desk.add_article("b", lid.format("six"), title="Hub model 300", source="policies")
    assert check(desk) == []
    desk.add_article("c", lid.format("six"), title="Hub model 200", source="policies")
    assert rows_of(check(desk)) == {("a", "c")}


def test_a_sentence_that_does_not_name_its_subject_is_about_its_page(desk: Desk) -> None:
    centre = "There is a health center on the {} floor beside the large meeting rooms."
    desk.add_article("a", centre.format("3rd"), title="Chicago")
    desk.add_article("b", centre.format("first"), title="Washington", source="policies")
    assert check(desk) == []
    desk.add_article("a", centre.format("3rd"), title="Health center in Chicago")
    desk.add_article("b", centre.format("first"), title="The health center", source="policies")
    assert len(check(desk)) == 1


def rows_of(found: list[FoundConflict]) -> set[tuple[str, str]]:
    return {(f.left.document_id, f.right.document_id) for f in found}


SAME = "Keep your badge with you at all times and show it to the guard at the gate."


def stored_twins(desk: Desk) -> set[tuple[str, str]]:
    with desk.database.read() as connection:
        return {(r.stronger_id, r.weaker_id) for r in connection.execute(select(twins))}


def test_passages_of_two_authorities_that_say_the_same_are_twins(desk: Desk) -> None:
    desk.add_article("help-badge", SAME, title="Badge")
    desk.add_article("help-again", SAME, title="Badge")
    desk.add_article("pol-badge", SAME, title="Badge rules", source="policies")
    desk.add_article("pol-other", "Parking needs a permit.", title="Parking", source="policies")
    assert check(desk) == []
    assert stored_twins(desk) == {("pol-badge", "help-badge"), ("pol-badge", "help-again")}


def test_twins_of_another_scope_or_replaced_are_none(desk: Desk) -> None:
    desk.add_article("help-badge", SAME, title="Badge", front="regions: [uk]\n")
    desk.add_article("pol-pt", SAME, title="Badge", source="policies", front="regions: [pt]\n")
    desk.add_article(
        "pol-new", SAME, title="Badge", source="policies", front="supersedes: [help-badge]\n"
    )
    check(desk)
    assert stored_twins(desk) == set()


def test_a_rule_with_an_end_date_contradicts_through_its_last_day(desk: Desk) -> None:
    desk.add_article("hr-travel", CAP.format(120), title="Hotel")
    desk.add_article(
        "pol-travel", CAP.format(140), title="Hotel", source="policies",
        front="effective_until: 2026-11-10\n",
    )  # fmt: skip
    (found,) = check(desk, datetime(2026, 11, 10, 12, tzinfo=UTC))
    assert found.ruling is not None and "until 2026-11-10 " in found.ruling.reason
    assert check(desk, datetime(2026, 11, 11, tzinfo=UTC)) == []
