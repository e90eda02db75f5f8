from __future__ import annotations

from gaps.keeping.rediscovery import Fit, rediscovery_reason

STEADY = Fit(tuple(0.60 + 0.001 * (n % 100) for n in range(400)), 200)


def week(assigned: int, unassigned: int, closeness: float = 0.65) -> Fit:
    return Fit(tuple(closeness + 0.001 * (n % 7 - 3) for n in range(assigned)), unassigned)


def test_the_first_run_finds_topics() -> None:
    assert rediscovery_reason(None, week(0, 10), 10) is not None


def test_a_week_like_the_others_is_assigned() -> None:
    assert rediscovery_reason(STEADY, week(40, 22), 660) is None


def test_tickets_that_fit_nowhere_ask_for_it() -> None:
    reason = rediscovery_reason(STEADY, week(20, 60), 680)
    assert reason is not None
    assert "75%" in reason
    assert "33%" in reason


def test_a_handful_of_strange_tickets_does_not() -> None:
    assert rediscovery_reason(STEADY, week(2, 6), 610) is None


def test_topics_that_drift_ask_for_it() -> None:
    reason = rediscovery_reason(STEADY, week(60, 30, closeness=0.55), 690)
    assert reason is not None
    assert "less well" in reason


def test_a_quarter_of_newer_tickets_asks_for_it() -> None:
    reason = rediscovery_reason(STEADY, week(140, 70), 800)
    assert reason is not None
    assert "210 of 800" in reason
