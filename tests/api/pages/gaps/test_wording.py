from __future__ import annotations

import pytest

from api.pages.gaps.wording import AUDIENCES, KINDS, certainty, count_tickets, interval, saved
from gaps.types import GapKind
from kb.types import Audience
from tests.api.pages.gaps.test_listing import make_gap


def test_every_kind_and_audience_has_words() -> None:
    assert set(KINDS) == set(GapKind)
    assert set(AUDIENCES) == set(Audience)


@pytest.mark.parametrize(
    ("probability", "needs_look", "words"),
    [
        (0.95, False, "almost certain"),
        (0.8, False, "likely"),
        (0.5, False, "rather likely"),
        (0.3, False, "possible"),
        (0.95, True, "too close to call"),
    ],
)
def test_how_sure_is_said_in_words(probability: float, needs_look: bool, words: str) -> None:
    assert certainty(make_gap("a", probability=probability, needs_look=needs_look)) == words


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.0, 0.0, ""), (0.03, 0.62, "0–0.6"), (2.0, 11.4, "2–11"), (1.25, 9.96, "1.2–10")],
)
def test_an_interval_is_short_and_absent_where_none_was_estimated(
    low: float, high: float, said: str
) -> None:
    assert interval(make_gap("a", impact_low=low, impact_high=high)) == said


def test_little_is_not_nothing() -> None:
    assert saved(make_gap("a", impact_per_week=0.04)) == "< 0.1"
    assert saved(make_gap("a", impact_per_week=0.0)) == "0"
    assert saved(make_gap("a", impact_per_week=9.38)) == "9.4"


def test_what_agents_told_is_no_ticket() -> None:
    assert count_tickets(make_gap("a", ticket_ids=("T-1", "signal:gs_1", "outcome:o_1"))) == 1
