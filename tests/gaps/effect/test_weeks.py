from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gaps.effect.controls import match_controls
from gaps.effect.weeks import Weeks, count_weeks, plan_span

AT = datetime(2026, 11, 4, 10, tzinfo=UTC)


def weeks(number: float) -> timedelta:
    return timedelta(weeks=number)


def test_the_weeks_before_the_gap_was_found_and_those_of_the_review_are_left_out() -> None:
    span = plan_span(
        AT, picked_at=AT - weeks(1.5), known_since=AT - weeks(20.5), now=AT + weeks(3.9)
    )
    assert (span.before, span.left_out, span.after) == (14, 6, 3)
    assert span.start == AT - weeks(20)
    assert span.end == AT + weeks(3)


def test_a_baseline_is_at_most_half_a_year_and_never_negative() -> None:
    long = plan_span(AT, picked_at=AT, known_since=AT - weeks(99), now=AT)
    assert (long.before, long.left_out, long.after) == (26, 4, 0)
    short = plan_span(AT, picked_at=AT, known_since=AT - weeks(2), now=AT)
    assert (short.before, short.after) == (0, 0)


def test_instants_fall_into_the_week_they_begin() -> None:
    span = plan_span(AT, picked_at=AT, known_since=AT - weeks(6), now=AT + weeks(2))
    second = timedelta(seconds=1)
    instants = [
        AT - weeks(6) - second,  # before everything
        AT - weeks(6), AT - weeks(5) - second, AT - weeks(5),
        AT - second,  # the last trigger week
        AT, AT + weeks(1), AT + weeks(2),  # the last is not over
    ]  # fmt: skip
    assert count_weeks(instants, span) == Weeks((2, 1), (0, 0, 0, 1), (1, 1))
    assert count_weeks([], span) == Weeks((0, 0), (0, 0, 0, 0), (0, 0))


def flat(level: int, *, after: int = 1) -> Weeks:
    return Weeks((level,) * 8, (level,) * 4, (after,) * 4)


def test_controls_are_the_nearest_by_level_and_trend_and_blind_to_what_came_after() -> None:
    others = {"same": flat(10), "near": flat(12, after=999), "far": flat(50), "tiny": flat(0)}
    rising = Weeks((1, 2, 4, 6, 12, 16, 18, 21), (20,) * 4, (20,) * 4)
    found = match_controls(flat(10), others | {"rising": rising})
    assert found == ("same", "near")
    assert match_controls(flat(10), others, excluded={"same"}) == ("near",)
    assert match_controls(flat(0), others) == ()


def test_controls_are_two_dozen_at_most_in_any_order() -> None:
    others = {f"t{n:02}": flat(10 + n % 3) for n in range(40)}
    found = match_controls(flat(10), others)
    assert len(found) == 24
    assert found == match_controls(flat(10), dict(reversed(others.items())))
