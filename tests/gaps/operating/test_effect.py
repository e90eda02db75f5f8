from __future__ import annotations

from typing import Any

import pytest

from gaps.drafting.publish import publish_draft
from gaps.drafting.review import review_draft
from gaps.drafting.workflow import Decision
from gaps.drafting.writer import create_draft
from gaps.effect.answering import judge_answering
from gaps.effect.asked import Asked, summarise
from gaps.operating.asking import ask_tickets, choose_controls
from gaps.operating.effect import baseline_for, measure_effect, read_effects
from gaps.types import Publication
from kb.types import Role
from tests.gaps.drafting.factories import NOW, Desk, make_ticket, make_tickets


def publish(desk: Desk, *, measured: bool = True, count: int = 12) -> Publication:
    desk.add_gap(make_tickets(count))
    draft = create_draft(
        desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=desk.settings
    )
    review_draft(
        desk.database, draft.draft_id, decision=Decision.APPROVE, reviewer="ines",
        role=Role.OWNER, now=NOW, expected_hash=draft.draft_hash,
    )  # fmt: skip
    before = baseline_for(desk.database, desk.retriever) if measured else None
    return publish_draft(
        desk.database, draft.draft_id, reviewer="ines", role=Role.OWNER, now=NOW,
        prepare=desk.prepare, measure_before=before,
    )  # fmt: skip


def add_other_topic(desk: Desk) -> None:
    desk.add_article("gift", "Redeem a gift card in the shop.", title="Gift cards")
    others = [
        make_ticket(200 + n, subject="gift card", body="How to redeem a gift card in the shop?")
        for n in range(6)
    ]
    desk.add_gap(others, gap_id="gap_2", topic_id="topic_2")


def test_an_article_that_answers_unseen_tickets_worked(desk: Desk) -> None:
    add_other_topic(desk)
    publication = publish(desk)
    effect = measure_effect(desk.database, desk.retriever, publication.publication_id, now=NOW)
    assert effect.verdict == "worked", effect.report["why"]
    own, held = effect.report["gap"], effect.report["held_back"]
    assert own["before"]["first_three_share"] == 0.0
    assert own["after"]["first_three_share"] == 1.0
    assert held["before"]["tickets"] == 4
    assert effect.report["controls"]["first_hit_changed_share"] == 0.0
    assert effect.report["weekly_tickets"]["verdict"] == "not_yet_measurable"
    with desk.database.read() as connection:
        assert read_effects(connection, publication.publication_id) == [effect]


def test_nothing_measured_before_is_not_yet_measurable(desk: Desk) -> None:
    publication = publish(desk, measured=False)
    effect = measure_effect(desk.database, desk.retriever, publication.publication_id, now=NOW)
    assert effect.verdict == "not_yet_measurable"


def make_report(**said: Any) -> dict[str, Any]:
    group = {
        "before": {"tickets": 9},
        "after": {"first_three_share": 1.0},
        "gained": 9,
        "lost": 0,
        "p_value": 0.002,
        "answers_lost_share": 0.0,
    }
    few = {"before": {"tickets": 0, "failed": 0}, "after": {"tickets": 0, "failed": 0},
           "p_value": 1.0, "p_value_worse": 1.0}  # fmt: skip
    return {"gap": group, "held_back": group, "controls": group, "failures": few} | said


@pytest.mark.parametrize(
    ("said", "changed", "verdict"),
    [
        ({}, False, "worked"),
        ({"controls": {"answers_lost_share": 0.2}}, False, "worse"),
        ({}, True, "not_yet_measurable"),
    ],
)
def test_the_verdict_follows_from_the_report(
    said: dict[str, Any], changed: bool, verdict: str
) -> None:
    assert judge_answering(make_report(**said), changed=changed)[0] == verdict


def test_few_tickets_are_not_yet_measurable_and_no_gain_shows_no_effect() -> None:
    few = make_report()
    few["gap"] = few["gap"] | {"before": {"tickets": 4}}
    assert judge_answering(few, changed=False)[0] == "not_yet_measurable"
    none = make_report()
    none["gap"] = none["gap"] | {"p_value": 1.0, "gained": 0}
    none["held_back"] = none["held_back"] | {"after": {"first_three_share": 0.1}}
    assert judge_answering(none, changed=False)[0] == "no_effect_shown"


@pytest.mark.parametrize(
    ("p_value", "p_worse", "verdict"),
    [(0.01, 1.0, "worked"), (1.0, 0.01, "worse"), (0.4, 0.6, "no_effect_shown")],
)
def test_a_changed_article_is_judged_by_how_often_its_advice_fails(
    p_value: float, p_worse: float, verdict: str
) -> None:
    failures = {
        "before": {"tickets": 20, "failed": 15},
        "after": {"tickets": 20, "failed": 2},
        "p_value": p_value,
        "p_value_worse": p_worse,
    }
    assert judge_answering(make_report(failures=failures), changed=True)[0] == verdict


def test_tickets_are_asked_as_their_requesters(desk: Desk) -> None:
    desk.add_article("internal", "Reset the pin in the admin page.", title="Pin reset")
    ticket = make_ticket(1, subject="pin reset", body="How do I reset the pin?")
    assert ask_tickets(desk.retriever, [ticket])[0].documents == ("internal",)
    from dataclasses import replace

    from kb.types import Audience

    outside = replace(ticket, audience=Audience.PUBLIC)
    assert ask_tickets(desk.retriever, [outside])[0].documents == ()


def test_summary_counts_ranks_from_one() -> None:
    asked = [Asked("a", True, 0.9, ("x", "y")), Asked("b", False, 0.1, ("y",))]
    assert summarise(asked, "y") == {
        "tickets": 2,
        "answerable_share": 0.5,
        "first_three_share": 1.0,
        "median_rank": 1.5,
        "mean_confidence": 0.5,
    }
    assert summarise([], "y")["tickets"] == 0


def test_controls_are_the_same_in_any_order() -> None:
    tickets = make_tickets(30)
    assert choose_controls(tickets, {"T-1"}, 10) == choose_controls(tickets[::-1], {"T-1"}, 10)
    assert "T-1" not in {t.ticket_id for t in choose_controls(tickets, {"T-1"})}
