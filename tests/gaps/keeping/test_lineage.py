from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gaps.keeping.corrections import Correction, CorrectionKind, keep_apart, sum_up
from gaps.keeping.lineage import EventKind, Group, trace_lineage
from gaps.types import GapKind
from tests.gaps.finding.factories import MONDAY


def tickets(first: int, last: int) -> Group:
    return frozenset(f"t{n:03}" for n in range(first, last))


def apart(_left: Group, _right: Group) -> float:
    return 0.0


def one(_left: Group, _right: Group) -> float:
    return 1.0


KNOWN = {"top_a": tickets(0, 40), "top_b": tickets(40, 60)}


def test_a_group_keeps_the_id_of_the_topic_it_continues() -> None:
    lineage = trace_lineage([tickets(5, 40) | tickets(200, 230)], KNOWN, alike=apart)
    assert [key for key, _ in lineage.topics] == ["top_a"]
    assert lineage.events == ()


def test_two_stray_tickets_do_not_hand_on_the_identity_of_a_topic() -> None:
    strays = tickets(0, 2) | tickets(200, 220)
    lineage = trace_lineage([strays], KNOWN, alike=apart, seen=tickets(0, 220))
    assert "top_a" not in dict(lineage.topics)


def test_a_new_group_gets_an_id_of_its_own_that_depends_on_nothing_else() -> None:
    left = trace_lineage([tickets(300, 310)], KNOWN, alike=apart)
    right = trace_lineage([tickets(300, 310)], {}, alike=apart)
    assert left.topics == right.topics
    assert [event.kind for event in left.events] == [EventKind.APPEARED]


def test_a_split_is_told_and_the_larger_part_keeps_the_id() -> None:
    lineage = trace_lineage([tickets(0, 25), tickets(25, 40)], KNOWN, alike=apart)
    found = {group: key for key, group in lineage.topics}
    assert found[tickets(0, 25)] == "top_a"
    [event] = lineage.events
    assert (event.kind, event.others, event.ticket_count) == (EventKind.SPLIT, ("top_a",), 15)


def test_parts_that_are_alike_stay_one_topic() -> None:
    lineage = trace_lineage([tickets(0, 25), tickets(25, 40)], KNOWN, alike=one)
    assert lineage.topics == (("top_a", tickets(0, 40)),)
    assert lineage.events == ()


def test_parts_of_what_people_joined_stay_one_topic() -> None:
    groups = [tickets(0, 25), tickets(25, 40)]
    lineage = trace_lineage(groups, KNOWN, alike=apart, bound={"top_a"})
    assert lineage.topics == (("top_a", tickets(0, 40)),)


def test_two_topics_in_one_group_are_told_as_merged() -> None:
    lineage = trace_lineage([tickets(0, 60)], KNOWN, alike=apart)
    assert lineage.topics == (("top_a", tickets(0, 60)),)
    [event] = lineage.events
    assert (event.topic_id, event.kind, event.others) == ("top_b", EventKind.MERGED, ("top_a",))


def test_a_topic_nobody_asks_about_in_the_window_is_left_alone() -> None:
    lineage = trace_lineage([tickets(0, 30)], KNOWN, alike=apart)
    assert lineage.events == ()


@given(st.integers(0, 10_000))
def test_the_order_of_groups_is_irrelevant(seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, 80), 5))
    groups = [tickets(a, b) for a, b in zip([0, *cuts], [*cuts, 80], strict=True) if b - a >= 1]
    shuffled = chance.sample(groups, len(groups))
    assert trace_lineage(groups, KNOWN, alike=apart) == trace_lineage(shuffled, KNOWN, alike=apart)


@given(st.integers(0, 10_000))
def test_no_ticket_is_lost_and_no_id_is_given_twice(seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, 120), 7))
    groups = [tickets(a, b) for a, b in zip([0, *cuts], [*cuts, 120], strict=True)]
    lineage = trace_lineage(groups, KNOWN, alike=apart)
    assert len({key for key, _ in lineage.topics}) == len(lineage.topics)
    assert sorted(t for _, group in lineage.topics for t in group) == sorted(tickets(0, 120))


def said(kind: CorrectionKind, topic_id: str, value: str) -> Correction:
    return Correction("co_1", MONDAY, "ana", topic_id, kind, value, (), None, {})


def test_the_last_word_on_a_thing_counts() -> None:
    found = sum_up(
        [
            said(CorrectionKind.KIND_IS, "top_a", "stale"),
            said(CorrectionKind.KIND_IS, "top_a", "needs_action"),
            said(CorrectionKind.ASSIGN, "top_a", "tom"),
        ]
    )
    assert found.kinds == {"top_a": GapKind.NEEDS_ACTION}
    assert found.owners == {"top_a": "tom"}


def test_a_split_undoes_a_merge_and_the_reverse() -> None:
    merge = said(CorrectionKind.MERGE, "top_b", "top_a")
    split = said(CorrectionKind.SPLIT, "top_a", "top_b")
    assert sum_up([merge, split]).bound == frozenset()
    assert sum_up([merge, split]).apart == (("top_a", "top_b"),)
    assert sum_up([split, merge]).apart == ()


def test_groups_are_divided_where_people_said_so() -> None:
    groups = keep_apart([tickets(0, 70)], [("top_a", "top_b")], KNOWN)
    assert set(groups) == {tickets(0, 40) | tickets(60, 70), tickets(40, 60)}
    assert keep_apart([tickets(0, 30)], [("top_a", "top_b")], KNOWN) == [tickets(0, 30)]
