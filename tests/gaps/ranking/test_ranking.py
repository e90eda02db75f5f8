from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.ranking.forecast import forecast_weekly
from gaps.ranking.impact import Habit, Impact, measure_impact, pareto_count
from gaps.ranking.voices import weigh_requesters
from gaps.ranking.weeks import count_voices_weekly, count_weekly, list_weeks, weekly_rate
from gaps.types import GapKind, Ticket, TicketStatus
from tests.gaps.finding.factories import END, MONDAY, make_ticket

COUNTS = st.lists(st.integers(0, 500), min_size=1, max_size=20)
HABIT = Habit(solved_share=0.8, replies=1.0)
OWN_WORDS = (
    "my heat pump makes a rattling noise whenever the night tariff starts",
    "since yesterday there is a rattle from the outdoor unit at about eleven",
    "is it normal that the pump rattles when it switches to the cheap rate",
    "loud rattling outside, neighbours complain, it starts every night",
)


def impact_of(kind: GapKind, probability: float, counts: list[int]) -> Impact:
    return measure_impact(kind, probability, forecast_weekly(counts), [make_ticket()], HABIT)


def voices_of(tickets: list[Ticket]) -> float:
    return sum(weigh_requesters(tickets).values())


def flood(count: int, text: str) -> list[Ticket]:
    return [make_ticket(n, f"{text} {n}", status=TicketStatus.OPEN) for n in range(count)]


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
    weights = weigh_requesters(tickets)
    assert count_voices_weekly(tickets, weights, MONDAY, MONDAY + timedelta(weeks=1)) == (1,)
    assert count_weekly(tickets, MONDAY, MONDAY + timedelta(weeks=1)) == (5,)


def test_a_botnet_of_500_weighs_less_than_40_people_in_their_own_words() -> None:
    people = [
        make_ticket(n, f"{OWN_WORDS[n % 4]} in house {chr(97 + n % 26)}{n} of street {n * 7}")
        for n in range(40)
    ]
    for n, ticket in enumerate(people):
        assert len(ticket.body.split()) > 5, n
    spam = flood(500, "click here to get the refund that kbops owes every customer today number")
    assert voices_of(spam) < 12
    assert voices_of([make_ticket(n, text) for n, text in enumerate(OWN_WORDS)]) == 4


def test_a_short_sentence_many_people_say_is_not_taken_for_a_flood() -> None:
    said = voices_of([make_ticket(n, "cannot log in") for n in range(100)])
    flooded = voices_of(flood(100, "I cannot log in to the portal since the last update at all"))
    assert flooded < said < 100


def test_what_nobody_works_on_saves_less() -> None:
    waiting = [make_ticket(n, status=TicketStatus.OPEN) for n in range(9)]
    solved = [make_ticket(n) for n in range(9)]
    forecast = forecast_weekly([3.0] * 8)
    left = measure_impact(GapKind.MISSING, 0.9, forecast, waiting, HABIT)
    right = measure_impact(GapKind.MISSING, 0.9, forecast, solved, HABIT)
    assert left.mean < right.mean


def test_escalated_and_laborious_tickets_come_first() -> None:
    forecast = forecast_weekly([3.0] * 8)
    plain = [make_ticket(n, resolution="done") for n in range(9)]
    dear = [make_ticket(n, resolution="done", escalated=True) for n in range(9)]
    left = measure_impact(GapKind.MISSING, 0.9, forecast, plain, HABIT)
    right = measure_impact(GapKind.MISSING, 0.9, forecast, dear, HABIT)
    assert left.mean == right.mean
    assert left.priority < right.priority


def test_a_steady_topic_is_expected_to_go_on() -> None:
    assert forecast_weekly([4] * 10).mean == pytest.approx(4.0)


def test_a_growing_topic_comes_before_a_fading_one() -> None:
    growing = forecast_weekly([0, 1, 2, 3, 5, 8])
    assert growing.mean > forecast_weekly([8, 5, 3, 2, 1, 0]).mean


@given(COUNTS)
def test_a_forecast_stays_within_what_was_seen_and_its_growth(counts: list[int]) -> None:
    found = forecast_weekly(counts)
    assert 0 <= found.low <= found.mean <= found.high
    assert found.mean <= 1.5 * max(counts) + 1e-9


def test_more_weeks_make_a_forecast_surer() -> None:
    short, long = forecast_weekly([10]), forecast_weekly([10] * 8)
    assert long.high - long.low < short.high - short.low


@given(COUNTS, st.floats(0, 1))
def test_a_text_saves_more_where_reading_helps(counts: list[int], probability: float) -> None:
    text = impact_of(GapKind.MISSING, probability, counts)
    action = impact_of(GapKind.NEEDS_ACTION, probability, counts)
    assert action.mean <= text.mean


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_priority_lies_in_0_to_100_and_rises(left: float, right: float) -> None:
    low, high = (Impact(x, x, x, 1.0, 0.0).priority for x in sorted([left, right]))
    assert 0 <= low <= high <= 100


def test_the_pareto_line_stands_after_what_saves_four_fifths() -> None:
    assert pareto_count([50, 30, 15, 5]) == 2
    assert pareto_count([5, 50, 15, 30]) == 2
    assert pareto_count([]) == 0
    assert pareto_count([0.0, 0.0]) == 0
    assert pareto_count([1.0]) == 1


def test_a_rate_counts_from_the_first_ticket_on() -> None:
    assert weekly_rate([0, 0, 0, 4, 4]) == 4
    assert weekly_rate([0] * 10 + [6]) == 3
    assert weekly_rate([]) == 0
    assert weekly_rate([100] + [2] * 8) == 2
