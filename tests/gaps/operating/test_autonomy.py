"""Autonomy is earned by a row of approvals and lost at the first thing that goes wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.operating.autonomy import (
    AUTONOMOUS,
    ENDS_RULE,
    FORBIDDEN,
    HUMAN_APPROVED,
    NEEDED_CHECKS,
    ChangeKind,
    Event,
    EventKind,
    Rule,
    Standing,
    find_objection,
    judge_standing,
    kind_of_change,
    read_record,
)
from gaps.types import Check, Draft, DraftState
from kb.types import Audience, Governance

START = datetime(2026, 9, 1, tzinfo=UTC)
DIALS = {"publish_article": AUTONOMOUS, "reverify_article": AUTONOMOUS}
NEW = ChangeKind.NEW_ARTICLE
BAD = sorted(set(EventKind) - {EventKind.APPROVED})


def event(day: float, kind: EventKind = EventKind.APPROVED, **said: object) -> Event:
    facts = {"owner": "ines", "kind": NEW, "draft_id": f"drf_{day}", **said}
    return Event(at=START + timedelta(days=day), event=kind, **facts)  # type: ignore[arg-type]


def approvals(count: int, first: int = 0) -> list[Event]:
    return [event(first + day) for day in range(count)]


def rule(day: float = 30, **said: object) -> Rule:
    facts = {"rule_id": "rul_1", "owner": "ines", "kind": NEW, "raised_by": "ada",
             "reason": "earned", "draft_ids": (), **said}  # fmt: skip
    return Rule(raised_at=START + timedelta(days=day), **facts)  # type: ignore[arg-type]


def judge(events: list[Event], rules: list[Rule] | None = None, **said: object) -> Standing:
    facts = {"dials": DIALS, "needed": 20, **said}
    return judge_standing("ines", NEW, events=events, rules=rules or [], **facts)  # type: ignore[arg-type]


def test_twenty_in_a_row_may_be_raised_and_nineteen_not() -> None:
    assert judge(approvals(20)).may_raise
    short = judge(approvals(19))
    assert not short.may_raise
    assert short.missing == ("1 more approval in a row without an edit",)


def test_nothing_goes_out_before_somebody_raises_it() -> None:
    standing = judge(approvals(50))
    assert (standing.now, standing.is_in_force) == (HUMAN_APPROVED, False)
    assert standing.missing == ("an administrator's decision",)
    assert judge(approvals(20), [rule()]).now == AUTONOMOUS


@pytest.mark.parametrize("bad", BAD)
def test_anything_that_goes_wrong_begins_the_row_anew(bad: EventKind) -> None:
    events = [*approvals(19), event(19, bad), *approvals(19, first=20)]
    standing = judge(events)
    assert len(standing.record.approvals) == 19 and not standing.may_raise
    assert standing.record.broken_by == event(19, bad)
    assert judge([*events, event(60)]).may_raise


@pytest.mark.parametrize("bad", sorted(ENDS_RULE))
@pytest.mark.parametrize("day", [30, 30.5, 400])
def test_a_rollback_or_a_worse_effect_ends_a_rule_by_itself(bad: EventKind, day: float) -> None:
    standing = judge([*approvals(20), event(day, bad, draft_id="drf_3")], [rule()])
    assert (standing.now, standing.is_in_force) == (HUMAN_APPROVED, False)
    assert standing.fell_by is not None and standing.fell_by.draft_id == "drf_3"


def test_a_fallen_rule_stays_down_until_it_is_earned_and_raised_again() -> None:
    events = [*approvals(20), event(40, EventKind.ROLLED_BACK), *approvals(20, first=50)]
    assert judge(events, [rule()]).now == HUMAN_APPROVED
    assert judge(events, [rule()]).may_raise
    assert judge(events, [rule(), rule(90, rule_id="rul_2")]).now == AUTONOMOUS


def test_a_persons_edit_of_another_draft_does_not_end_a_rule() -> None:
    events = [*approvals(20), event(40, EventKind.EDITED)]
    assert judge(events, [rule()]).now == AUTONOMOUS


def test_a_withdrawn_rule_is_out_of_force() -> None:
    taken = rule(withdrawn_at=START + timedelta(days=31), withdrawn_by="ada")
    assert judge(approvals(20), [taken]).now == HUMAN_APPROVED


def test_an_earlier_rule_does_not_stand_up_when_a_later_one_is_withdrawn() -> None:
    taken = rule(40, rule_id="rul_2", withdrawn_at=START + timedelta(days=41), withdrawn_by="ada")
    assert judge(approvals(20), [rule(), taken]).now == HUMAN_APPROVED


@pytest.mark.parametrize(
    ("dial", "now"), [(HUMAN_APPROVED, HUMAN_APPROVED), (FORBIDDEN, FORBIDDEN)]
)
def test_the_file_has_the_last_word(dial: str, now: str) -> None:
    standing = judge(approvals(20), [rule()], dials={"publish_article": dial})
    assert (standing.now, standing.may_raise) == (now, False)
    assert f'kb.toml says publish_article = "{dial}"' in standing.missing


def test_a_dial_that_is_not_listed_is_a_persons() -> None:
    assert judge(approvals(20), [rule()], dials={}).now == HUMAN_APPROVED


def test_compliance_earns_nothing_and_still_costs() -> None:
    assert judge([event(day, compliance=True) for day in range(50)]).record.approvals == ()
    events = [*approvals(20), event(21, EventKind.ROLLED_BACK, compliance=True)]
    assert not judge(events).may_raise


def test_others_and_other_kinds_earn_nothing_here() -> None:
    other = [replace(e, owner="tom") for e in approvals(20)]
    edits = [replace(e, kind=ChangeKind.SMALLEST_EDIT) for e in approvals(20)]
    assert judge([*other, *edits]).record.approvals == ()
    assert (
        judge(approvals(20), [rule(owner="tom"), rule(kind=ChangeKind.SMALLEST_EDIT)]).rule is None
    )


def test_one_draft_approved_by_two_people_counts_once() -> None:
    assert len(read_record([event(1, draft_id="a"), event(2, draft_id="a")]).approvals) == 1


events_of_row = st.lists(
    st.builds(
        lambda day, kind, number: event(day, kind, draft_id=f"drf_{number}"),
        st.integers(0, 60), st.sampled_from(sorted(EventKind)), st.integers(0, 30),
    ),
    max_size=60,
)  # fmt: skip


@given(events_of_row, st.randoms(use_true_random=False))
def test_the_order_in_which_events_are_read_does_not_matter(events: list[Event], chance) -> None:  # type: ignore[no-untyped-def]
    mixed = list(events)
    chance.shuffle(mixed)
    assert read_record(events) == read_record(mixed)
    assert judge(events, [rule()]) == judge(mixed, [rule()])


@given(events_of_row, st.integers(30, 60))
def test_a_rule_in_force_never_has_a_fault_behind_it(events: list[Event], day: int) -> None:
    standing = judge(events, [rule()])
    faults = [e for e in events if e.event in ENDS_RULE and e.at >= rule().raised_at]
    assert standing.is_in_force == (not faults)
    assert not judge([*events, event(day, EventKind.ROLLED_BACK)], [rule()]).is_in_force


def draft(**said: object) -> Draft:
    facts = {
        "draft_id": "drf_1", "gap_id": "gap_1", "state": DraftState.IN_REVIEW, "title": "t",
        "markdown": "text\n", "statements": (), "audience": Audience.PUBLIC, "owner": "ines",
        "checks": tuple(Check(name, "green", "") for name in sorted(NEEDED_CHECKS)),
        "source": "help", "document_id": "a", "base_version": None, "held_back_ids": (),
        "refused": None, "created_at": START, "updated_at": START, "draft_hash": "0", **said,
    }  # fmt: skip
    return Draft(**facts)  # type: ignore[arg-type]


def object_to(said: Draft, **more: object) -> str | None:
    standing = judge(approvals(20), [rule()])
    facts = {"governances": [Governance.EXPERIENCE], "reviewed": False, **more}
    return find_objection(said, standing, **facts)  # type: ignore[arg-type]


def test_a_green_draft_of_an_earned_kind_meets_no_objection() -> None:
    assert object_to(draft()) is None


@pytest.mark.parametrize("name", sorted(NEEDED_CHECKS))
@pytest.mark.parametrize("verdict", ["red", "look", "amber", "", None])
def test_every_check_must_be_there_and_green(name: str, verdict: str | None) -> None:
    checks = [c for c in draft().checks if c.name != name]
    if verdict is not None:
        checks.append(Check(name, verdict, ""))
    assert name in (object_to(draft(checks=tuple(checks))) or "")


def test_one_further_check_to_look_at_is_enough_to_wait() -> None:
    looked = draft(checks=(*draft().checks, Check("duplicate", "look", "")))
    assert object_to(looked) == "not green: duplicate"


@pytest.mark.parametrize("state", [s for s in DraftState if s is not DraftState.IN_REVIEW])
def test_only_a_waiting_draft_goes_out(state: DraftState) -> None:
    assert object_to(draft(state=state)) is not None


def test_compliance_and_what_a_person_has_in_hand_wait_for_people() -> None:
    for governances in ([Governance.COMPLIANCE], [Governance.EXPERIENCE, Governance.COMPLIANCE]):
        assert "compliance" in (object_to(draft(), governances=governances) or "")
    assert object_to(draft(), reviewed=True) == "a person is at it"


def test_what_a_draft_would_do_to_its_document() -> None:
    assert kind_of_change(draft(), None) is NEW
    assert kind_of_change(draft(base_version=1), "other") is ChangeKind.SMALLEST_EDIT
    assert kind_of_change(draft(base_version=1), "text") is ChangeKind.REVERIFICATION
    assert kind_of_change(draft(base_version=1), None) is ChangeKind.SMALLEST_EDIT
