"""Each signal family by itself, on facts made up for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gaps.freshness.facts import (
    Activity,
    ArticleFacts,
    Finding,
    LinkVerdict,
    LostConflict,
    Release,
    Shown,
    Told,
    Uses,
    World,
)
from gaps.freshness.signals import EVIDENCE, HABIT, find_signals, read_features
from gaps.freshness.usefulness import fall_probability, share_interval
from kb.types import Governance
from tests.gaps.freshness.factories import NOW, make_facts, make_world


def find(facts: ArticleFacts, world: World | None = None) -> dict[str, Finding]:
    return {f.signal: f for f in find_signals(facts, world or make_world())}


def released(days_ago: int, notes: str = "", **said: Any) -> Release:
    return Release("Hub", "12.0", NOW - timedelta(days=days_ago), notes=notes, **said)


def test_a_confirmed_article_of_a_young_base_gives_no_signal() -> None:
    assert find(make_facts()) == {}


def test_age_counts_intervals_and_compliance_counts_double() -> None:
    old = {"last_verified_at": NOW - timedelta(days=360)}
    plain = find(make_facts(said=old))["age"]
    strict = find(make_facts(said={**old, "governance": Governance.COMPLIANCE}))["age"]
    assert (plain.value, strict.value) == (2.0, 4.0)


def test_a_first_version_is_as_old_as_its_log_says() -> None:
    logged = Activity(last_revised_at=NOW - timedelta(days=400), known=True)
    assert "age" in find(make_facts(said={"last_verified_at": None}, activity=logged))


def test_what_ended_and_what_ends_soon() -> None:
    assert "ended" in find(make_facts(said={"effective_until": NOW}))
    assert "ends_soon" in find(make_facts(said={"effective_until": NOW + timedelta(days=29)}))
    assert find(make_facts(said={"effective_until": NOW + timedelta(days=31)})) == {}


def test_a_tie_weighs_less_than_a_lost_conflict() -> None:
    lost = find(make_facts(lost=(LostConflict("pol", "It is 30 days.", False),)))["conflict"]
    tie = find(make_facts(lost=(LostConflict("b", "It is 30 days.", True),)))["conflict"]
    assert lost.floor > tie.floor and lost.evidence == ("pol",)


def test_failures_are_shrunk_towards_the_usual_share() -> None:
    world = make_world(failure_share=0.2)
    many = find(make_facts(uses=Uses(linked=10, failed=9, failed_tickets=("T-1",))), world)
    assert many["tickets"].floor > 0.3 and many["tickets"].evidence == ("T-1",)
    assert "tickets" not in find(make_facts(uses=Uses(linked=40, failed=8)), world)
    assert "tickets" not in find(make_facts(uses=Uses(linked=1, failed=1)), world)


def test_readers_who_followed_it_in_vain_add_up() -> None:
    one = find(make_facts(uses=Uses(followed_tickets=("T-1",))))["followed"].floor
    four = find(make_facts(uses=Uses(followed_tickets=tuple("abcd"))))["followed"].floor
    nine = find(make_facts(uses=Uses(followed_tickets=tuple("abcdefghi"))))["followed"].floor
    assert one < four == nine < 0.5


def test_resolutions_that_state_something_else_name_both_sides() -> None:
    told = Told("value", "14 days", "30 days", ("T-1", "T-2"))
    found = find(make_facts(told=told))["resolution_value"]
    assert "14 days" in found.text and "30 days" in found.text


def test_a_release_whose_notes_name_what_the_article_names() -> None:
    text = "Open **Device settings** and press the pin."
    world = make_world(releases=(released(5, 'We renamed "Device settings" to "Devices".'),))
    assert find(make_facts(text), world)["release"].evidence == ("Hub 12.0",)
    assert "release" not in find(make_facts("Open the door."), world)
    before = make_world(releases=(released(15, 'We renamed "Device settings".'),))
    assert find(make_facts(text), before) == {}


def test_a_release_of_another_product_or_of_the_future_says_nothing() -> None:
    other = make_world(releases=(released(5, product="valve"), released(-1)))
    assert find(make_facts(said={"products": ("hub",)}), other) == {}


def test_an_article_that_names_an_old_version() -> None:
    text = "In Fennapp 102 the menu is on the left."
    assert "old_version" in find(make_facts(text), make_world(newest={"fennapp": (115,)}))
    assert find(make_facts(text), make_world(newest={"fennapp": (102, 9)})) == {}


def test_a_name_that_nobody_uses_any_more() -> None:
    world = make_world(vanished={"device settings": (40, 0)})
    assert "40 tickets" in find(make_facts("Open **Device settings**."), world)["vanished"].text


def test_a_name_its_tickets_use_from_three_on() -> None:
    assert "new_terms" in find(make_facts(new_terms=(("e-417", 3),)))
    assert find(make_facts(new_terms=(("e-417", 2),))) == {}


def test_only_a_date_that_was_still_to_come_when_confirmed_has_passed() -> None:
    assert "date_passed" in find(make_facts("The old app works until 5 November 2026."))
    assert find(make_facts("The old app works until 5 November 2027.")) == {}
    assert find(make_facts("Fennmark was founded on 5 November 2012.")) == {}


def test_links_by_verdict() -> None:
    found = find(
        make_facts(links=(LinkVerdict("https://a.example", "dead"), LinkVerdict("b", "redirected"),
                          LinkVerdict("c", "archived"), LinkVerdict("d", "unknown")))
    )  # fmt: skip
    assert set(found) == {"dead_link", "moved_link", "archived_link"}
    assert found["moved_link"].floor == 0.0


def test_a_fall_is_told_with_its_interval_and_chance_is_not() -> None:
    fell = Uses(linked=30, linked_month=10, failed=9, failed_month=8)
    assert "8 of 10 uses failed in 30 days (" in find(make_facts(uses=fell))["falling"].text
    steady = Uses(linked=30, linked_month=10, failed=6, failed_month=2)
    assert "falling" not in find(make_facts(uses=steady))


def test_fall_probability_is_even_without_a_difference_and_sure_with_a_large_one() -> None:
    assert fall_probability(5, 50, 5, 50, 0.1) == pytest.approx(0.5, abs=0.02)
    assert fall_probability(0, 50, 20, 30, 0.1) > 0.99
    assert fall_probability(20, 30, 0, 50, 0.1) < 0.01
    low, high = share_interval(5, 50, 0.1)
    assert low < 0.1 < high


def test_searches_that_showed_it_and_ended_in_a_ticket() -> None:
    shown = Shown(month=4, quarter=4, ended_in_ticket=("T-1", "T-2"))
    assert find(make_facts(shown=shown))["shown_in_vain"].evidence == ("T-1", "T-2")


def test_redundant_articles_are_candidates_and_no_doubt() -> None:
    twin = find(make_facts(twins=("b",)))["near_duplicate"]
    assert (twin.evidence, twin.floor) == (("b",), 0.0)
    old = {"last_verified_at": NOW - timedelta(days=10)}
    facts = make_facts(said=old)
    assert "never_retrieved" not in find(facts, make_world(searched_days=400))
    document = replace(facts.document, updated_at=NOW - timedelta(days=120))
    aged = replace(facts, document=document)
    assert find(aged, make_world(searched_days=400))["never_retrieved"].floor == 0.0
    assert find(aged, make_world(searched_days=10)) == {}


def test_features_leave_out_what_is_not_known() -> None:
    facts = make_facts()
    values = read_features(facts, [])
    assert values.keys() == set(EVIDENCE)
    known = make_facts(activity=Activity(revisions=2, views=10, known=True))
    assert read_features(known, []).keys() == {*EVIDENCE, *HABIT}
