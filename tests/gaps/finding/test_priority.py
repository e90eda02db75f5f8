from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.finding.priority import (
    count_weekly,
    forecast_weekly,
    impact_per_week,
    list_weeks,
    priority_of,
    requesters_weekly,
)
from gaps.types import GapKind
from tests.gaps.finding.factories import END, MONDAY, make_ticket

COUNTS = st.lists(st.integers(0, 500), min_size=1, max_size=20)


def test_weeks_are_continuous_with_zeros() -> None:
    tickets = [
        make_ticket(1, created_at=MONDAY),
        make_ticket(2, created_at=MONDAY + timedelta(days=20)),
    ]
    assert count_weekly(tickets, MONDAY, END) == (1, 0, 1, 0, 0, 0, 0, 0, 0, 0)


def test_a_week_begins_on_monday_and_the_end_is_exclusive() -> None:
    sunday = datetime(2026, 9, 6, 23, 59, tzinfo=UTC)
    assert list_weeks(sunday, sunday + timedelta(minutes=1)) == [MONDAY]
    assert len(list_weeks(sunday, sunday + timedelta(minutes=2))) == 2


def test_five_messages_of_one_person_count_once() -> None:
    tickets = [make_ticket(n, created_at=MONDAY, requester="r_1") for n in range(5)]
    assert requesters_weekly(tickets, MONDAY, MONDAY + timedelta(weeks=1)) == (1,)
    assert count_weekly(tickets, MONDAY, MONDAY + timedelta(weeks=1)) == (5,)


def test_a_steady_topic_is_expected_to_go_on() -> None:
    assert forecast_weekly([4] * 10) == pytest.approx(4.0)


def test_a_growing_topic_comes_before_a_fading_one() -> None:
    assert forecast_weekly([0, 1, 2, 3, 5, 8]) > forecast_weekly([8, 5, 3, 2, 1, 0])


@given(COUNTS)
def test_a_forecast_stays_within_what_was_seen_and_its_growth(counts: list[int]) -> None:
    assert 0 <= forecast_weekly(counts) <= 1.5 * max(counts)


@given(COUNTS, st.floats(0, 1))
def test_a_text_saves_more_where_reading_helps(counts: list[int], probability: float) -> None:
    text = impact_per_week(GapKind.MISSING, probability, counts)
    action = impact_per_week(GapKind.NEEDS_ACTION, probability, counts)
    assert action <= text


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_priority_lies_in_0_to_100_and_rises(left: float, right: float) -> None:
    low, high = sorted([left, right])
    assert 0 <= priority_of(low) <= priority_of(high) <= 100
