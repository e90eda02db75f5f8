from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gaps.effect.answering import combine_verdicts
from gaps.effect.demand import Demand, judge_demand, judge_run, measure_demand
from gaps.effect.difference import Difference
from gaps.effect.planning import find_weeks_needed, plan_dispersion
from gaps.effect.shares import compare_tickets
from gaps.effect.weeks import Weeks
from tests.gaps.drafting.factories import make_ticket

WAVES = (18, 22, 20, 19, 21, 20, 23, 17, 20, 20, 21, 19)


def make_weeks(after: int, *, level: float = 1.0, left_out: float = 1.6, change: float = 1.0,
               shift: int = 0) -> Weeks:  # fmt: skip
    """Twelve waving weeks, four higher ones, and `after` weeks times `change`."""
    turned = WAVES[shift % 12 :] + WAVES[: shift % 12]
    return Weeks(
        tuple(round(c * level) for c in turned),
        tuple(round(c * level * left_out) for c in turned[:4]),
        tuple(round(turned[n % 12] * level * change) for n in range(after)),
    )


def make_others(after: int, count: int = 12) -> dict[str, Weeks]:
    return {f"t{n:02}": make_weeks(after, shift=n, left_out=1.0) for n in range(count)}


def add_up(series: list[Weeks]) -> Weeks:
    parts = ("before", "left_out", "after")
    return Weeks(*(tuple(map(sum, zip(*(getattr(s, p) for s in series), strict=True)))
                   for p in parts))  # fmt: skip


def measure(after: int, others: dict[str, Weeks] | None = None, **said: Any) -> Demand:
    topic = make_weeks(after, **said)
    beside = make_others(after) if others is None else others
    return measure_demand(topic, beside, add_up([topic, *beside.values()]))


def test_a_halving_worked_and_a_doubling_got_worse() -> None:
    halved = measure(8, change=0.5)
    assert halved.verdict == "worked", halved.why
    assert halved.difference is not None
    assert halved.difference.ratio == pytest.approx(0.5, abs=0.05)
    assert "0.5" in halved.why and "12 like topics" in halved.why
    doubled = measure(8, change=2.0)
    assert doubled.verdict == "worse", doubled.why
    assert measure(8).verdict == "no_effect_shown"


def test_a_topic_back_at_its_level_after_a_peak_has_not_worked() -> None:
    """What a plain before/after calls a success: down by a third from the weeks before."""
    found = measure(8, left_out=3.0)
    assert found.verdict == "no_effect_shown"
    assert found.p_worked > 0.3


def test_a_rise_from_before_the_publication_is_not_its_doing() -> None:
    found = measure(8, left_out=2.2, change=2.0)
    assert found.verdict == "no_effect_shown"
    assert "not surely more than right before" in found.why
    assert measure(8, left_out=1.6, change=1.7).verdict == "no_effect_shown"


@pytest.mark.parametrize("after", [0, 1, 3])
def test_too_early_says_for_how_long(after: int) -> None:
    found = measure(after, change=0.0)
    assert found.verdict == "not_yet_measurable"
    assert found.weeks_needed == 8
    assert f"about {8 - after} more week(s)" in found.why


def test_no_ticket_at_all_after_publication_is_the_strongest_effect() -> None:
    found = measure(5, change=0.0)
    assert found.verdict == "worked"
    assert found.difference is not None and found.difference.high < 0.3


def test_without_controls_or_level_nothing_is_measured() -> None:
    assert measure(8, {}).verdict == "not_yet_measurable"
    few = measure(8, make_others(8, 5))
    assert few.verdict == "not_yet_measurable" and "5 other topic(s)" in few.why
    nothing = measure(8, level=0.0)
    assert nothing.verdict == "not_yet_measurable" and "too young or too small" in nothing.why
    short = replace(make_weeks(8), before=(20,))
    found = measure_demand(short, {}, short)
    assert found.verdict == "not_yet_measurable" and "1 week(s) are known" in found.why


def test_a_control_with_its_own_publication_is_none() -> None:
    others, topic = make_others(8), make_weeks(8, change=0.5)
    totals = add_up([topic, *others.values()])
    found = measure_demand(topic, others, totals, excluded={"t03"})
    assert "t03" not in found.controls and len(found.controls) == 11


def test_few_tickets_need_more_weeks_than_there_are() -> None:
    others = {k: replace(v, before=(1,) * 12, after=(1,) * 8) for k, v in make_others(8).items()}
    topic = Weeks((1,) * 12, (3,) * 4, (1,) * 8)
    found = measure_demand(topic, others, add_up([topic, *others.values()]))
    assert found.verdict == "not_yet_measurable" and "within 52 weeks" in found.why


def test_silence_everywhere_shows_nothing() -> None:
    others = {k: replace(v, after=(0,) * 8) for k, v in make_others(8).items()}
    topic = replace(make_weeks(8), after=(0,) * 8)
    found = measure_demand(topic, others, add_up([topic, *others.values()]))
    assert found.verdict == "not_yet_measurable" and "no ticket at all" in found.why


def test_the_same_weeks_give_the_same_verdict_in_any_order() -> None:
    forth = measure(8, change=0.7)
    back = measure(8, dict(reversed(make_others(8).items())), change=0.7)
    assert forth.to_json() == back.to_json()


def test_looking_after_the_planned_week_changes_nothing() -> None:
    planned = measure(8, change=0.6)
    later = measure(30, change=0.6)
    assert later.weeks_needed == 8
    assert later.p_worked == planned.p_worked and later.verdict == planned.verdict


def make_demand(p_worked: float, p_worse: float = 1.0, weeks_after: int = 8) -> Demand:
    found = Difference(0.7, 0.5, 1.0, -1.9, 1.5, 11)
    return Demand("not_yet_measurable", "", weeks_after, 8, ("a",) * 12, found, p_worked, p_worse)


@pytest.mark.parametrize(
    ("p_worked", "p_worse", "weeks_after", "verdict"),
    [
        (0.05, 1.0, 8, "worked"),
        (0.0501, 1.0, 8, "no_effect_shown"),
        (0.0501, 1.0, 7, "not_yet_measurable"),
        (0.049, 1.0, 4, "worked"),
        (1.0, 0.05, 4, "worse"),
        (1.0, 0.051, 9, "no_effect_shown"),
    ],
)
def test_verdict_thresholds(
    p_worked: float, p_worse: float, weeks_after: int, verdict: str
) -> None:
    demand = make_demand(p_worked, p_worse, weeks_after)
    assert judge_demand(demand, p_worked, p_worse).verdict == verdict


def test_topics_measured_together_are_adjusted_together() -> None:
    alone = judge_run([make_demand(0.04)])
    assert [one.verdict for one in alone] == ["worked"]
    early = Demand("not_yet_measurable", "early", 1)
    beside = judge_run([make_demand(0.04), early, make_demand(0.5), make_demand(0.9)])
    assert [one.verdict for one in beside] == [
        "no_effect_shown", "not_yet_measurable", "no_effect_shown", "no_effect_shown",
    ]  # fmt: skip
    assert judge_run([]) == []


def test_weeks_needed_by_hand() -> None:
    # 20 a week, 22 before, dispersion 3, 24 controls: at n weeks the variance is
    # 3/20·(1/22 + 2/n) + 3/480·(1/22 + 1/n); wanted 0.6931² / ((1.7139 + 0.8416)² · 1.15).
    wanted = 0.6931**2 / ((1.7139 + 0.8416) ** 2 * 1.15)
    weeks = find_weeks_needed(20.0, 22, 3.0, 24)
    assert weeks is not None

    def variance(n: int) -> float:
        return 0.15 * (1 / 22 + 2 / n) + 0.00625 * (1 / 22 + 1 / n)

    assert weeks == 8 or variance(weeks - 1) > wanted
    assert variance(weeks) <= wanted
    assert find_weeks_needed(100.0, 22, 1.0, 24) == 8
    assert find_weeks_needed(1.0, 22, 3.0, 24) is None


def test_dispersion_sees_scatter_and_what_lasts_from_week_to_week() -> None:
    steady = [Weeks((20,) * 12, (), ())] * 3
    assert plan_dispersion(steady, add_up(steady)) == 1.0
    hopping = [Weeks((5, 35) * 6, (), ()), Weeks((35, 5) * 6, (), ())]
    lasting = [Weeks((5,) * 6 + (35,) * 6, (), ()), Weeks((35,) * 6 + (5,) * 6, (), ())]
    hops, lasts = (plan_dispersion(s, add_up(s)) for s in (hopping, lasting))
    assert hops == pytest.approx(12 * 15**2 / 20 / 11)
    assert lasts > 3 * hops


def test_shares_by_hand() -> None:
    before = [make_ticket(n, linked_articles=("a",) if n < 3 else (), reopened=n == 1)
              for n in range(10)]  # fmt: skip
    after = [make_ticket(n, linked_articles=("a",)) for n in range(4)]
    found = compare_tickets(before, after, answered=(1, 10, 3, 4))
    assert found["link_rate"]["before_share"] == 0.3 and found["link_rate"]["after_share"] == 1.0
    assert found["link_rate"]["change_low_share"] > 0
    assert found["reopen_rate"]["before_share"] == 0.1
    assert found["answered_share"]["after_share"] == 0.75
    empty = compare_tickets([], [], answered=None)
    assert empty["link_rate"]["change_low_share"] is None and "answered_share" not in empty


@pytest.mark.parametrize(
    ("answering", "demand", "changed", "verdict"),
    [
        ("worked", "not_yet_measurable", False, "worked"),
        ("worked", "no_effect_shown", False, "no_effect_shown"),
        ("worked", "no_effect_shown", True, "worked"),
        ("no_effect_shown", "worked", False, "worked"),
        ("worked", "worse", False, "worse"),
        ("worse", "worked", False, "worse"),
        ("not_yet_measurable", "not_yet_measurable", True, "not_yet_measurable"),
    ],
)
def test_both_verdicts_are_said_and_harm_wins(
    answering: str, demand: str, changed: bool, verdict: str
) -> None:
    found = combine_verdicts((answering, "it finds it"), (demand, "fewer ask"), changed=changed)
    assert found == (verdict, "answering: it finds it; demand: fewer ask")
