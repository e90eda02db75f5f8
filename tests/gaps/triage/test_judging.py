from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gaps.operating.drive import DRAFTED_PROBABILITY
from gaps.triage.facts import Dispute, TopicFacts, Twins
from gaps.triage.judging import judge_duplicate, judge_topic
from gaps.triage.missing import judge_missing
from gaps.types import GapKind, Ticket, TicketStatus
from kb.types import Audience
from tests.gaps.finding.factories import (
    MONDAY,
    make_coverage,
    make_document_facts,
    make_facts,
    make_ticket,
)

WAITING = TicketStatus.OPEN
GUIDE = make_document_facts(
    "guide", "You can send back anything you bought within 14 days of delivery of your order."
)


def failing(resolution: str, count: int = 6) -> list[Ticket]:
    return [
        make_ticket(n, linked_articles=("guide",), helpful=False, resolution=resolution)
        for n in range(count)
    ]


def kind_of(facts: TopicFacts) -> GapKind | None:
    judgement = judge_topic(facts)
    return judgement.kind if judgement else None


def test_a_failing_article_whose_resolutions_say_gone_is_stale() -> None:
    facts = make_facts(failing("That page was removed in August."), documents=[GUIDE])
    judgement = judge_topic(facts)
    assert judgement is not None and judgement.kind is GapKind.STALE
    assert judgement.document_ids == ("guide",)
    assert {reason.signal for reason in judgement.reasons} == {
        "linked_article_failed", "resolutions_say_changed",
    }  # fmt: skip
    assert set(judgement.reasons[0].evidence) == {"guide", *(f"T-{n:04}" for n in range(6))}


def test_a_failing_article_with_another_value_is_stale() -> None:
    text = "You have 30 days of delivery of your order to send it back."
    judgement = judge_topic(make_facts(failing(text), documents=[GUIDE]))
    assert judgement is not None and judgement.kind is GapKind.STALE
    assert "30 days" in judgement.reasons[-1].text
    assert "14 days" in judgement.reasons[-1].text


def test_a_failing_article_that_nothing_overtook_is_wrong() -> None:
    facts = make_facts(failing("Use alkaline cells and calibrate the valve."), documents=[GUIDE])
    assert kind_of(facts) is GapKind.WRONG


def test_a_lost_dispute_is_a_conflict_if_old_and_stale_if_new() -> None:
    rules = make_document_facts("rules", "30 days.", strength=0, effective_from=MONDAY)
    dispute = Dispute("rules", "guide", "30 days", "14 days")
    facts = make_facts(failing("See the rules."), documents=[GUIDE, rules], disputes=(dispute,))
    assert kind_of(facts) is GapKind.STALE
    old = replace(rules, effective_from=MONDAY - timedelta(days=400))
    facts = replace(facts, documents={"guide": GUIDE, "rules": old})
    judgement = judge_topic(facts)
    assert judgement is not None and judgement.kind is GapKind.CONFLICT
    assert judgement.document_ids == ("guide", "rules")


def test_a_stronger_document_that_says_what_resolutions_say_is_named() -> None:
    rules = make_document_facts(
        "rules", "Orders can be sent back within 30 days of delivery.", strength=0
    )
    facts = make_facts(
        failing("You have 30 days of delivery of your order to send it back."),
        documents=[GUIDE, rules],
        best=(("rules", 0.6), ("guide", 0.5)),
    )
    judgement = judge_topic(facts)
    assert judgement is not None
    assert judgement.document_ids == ("guide", "rules")


def test_an_article_that_mostly_helps_is_not_blamed() -> None:
    served = tuple(make_ticket(100 + n, linked_articles=("guide",)) for n in range(20))
    facts = make_facts(failing("Done again."), documents=[GUIDE], served=served)
    assert kind_of(facts) not in (GapKind.STALE, GapKind.WRONG)


def test_resolutions_that_only_report_an_action_need_one() -> None:
    tickets = [
        make_ticket(n, resolution="Approved by the owner, access granted.") for n in range(6)
    ]
    assert kind_of(make_facts(tickets, probability=0.9)) is GapKind.NEEDS_ACTION


def test_steps_a_reader_can_follow_are_no_mere_action() -> None:
    steps = "Access was granted already: open Portal → Sites, choose the site and press Accept."
    tickets = [make_ticket(n, resolution=steps) for n in range(6)]
    assert kind_of(make_facts(tickets, probability=0.9)) is None


def test_an_answer_only_insiders_may_read_is_restricted() -> None:
    hidden = make_document_facts("reset-pin", audience=Audience.INTERNAL)
    facts = make_facts(
        [make_ticket(n) for n in range(6)], best=(("guide", 0.4),), documents=[GUIDE, hidden]
    )
    trusted = tuple(
        replace(
            found,
            trusted=make_coverage(
                found.ticket, best=(("reset-pin", 0.7), ("guide", 0.4)), known={"reset-pin"}
            ),
        )
        for found in facts.tickets
    )
    judgement = judge_topic(replace(facts, tickets=trusted))
    assert judgement is not None and judgement.kind is GapKind.RESTRICTED
    assert judgement.document_ids == ("reset-pin",)


def test_an_answer_the_questions_do_not_find_is_unfindable() -> None:
    tickets = [make_ticket(n, resolution="Set the pump to constant pressure.") for n in range(6)]
    pump = make_document_facts("pump")
    facts = make_facts(tickets, best=(("guide", 0.4),), documents=[GUIDE, pump])
    answers = (("pump", 0.7), ("guide", 0.2))
    hidden = tuple(replace(found, answers=answers) for found in facts.tickets)
    judgement = judge_topic(replace(facts, tickets=hidden))
    assert judgement is not None and judgement.kind is GapKind.UNFINDABLE
    assert judgement.document_ids == ("pump",)


def test_an_answer_the_questions_do_find_is_not_unfindable() -> None:
    tickets = [make_ticket(n, resolution="Set the pump to constant pressure.") for n in range(6)]
    facts = make_facts(tickets, best=(("guide", 0.4),), probability=0.9, documents=[GUIDE])
    found = tuple(replace(f, answers=(("guide", 0.7),)) for f in facts.tickets)
    assert kind_of(replace(facts, tickets=found)) is None


def test_two_near_identical_articles_that_share_the_links_are_duplicates() -> None:
    other = make_document_facts("guide-2")
    tickets = [make_ticket(n, linked_articles=("guide",)) for n in range(5)]
    tickets += [make_ticket(10 + n, linked_articles=("guide-2",)) for n in range(3)]
    twins = (Twins("guide", "guide-2", 0.93),)
    facts = make_facts(tickets, documents=[GUIDE, other], twins=twins, probability=0.9)
    judgement = judge_duplicate(facts)
    assert judgement is not None and judgement.kind is GapKind.DUPLICATE
    assert judgement.document_ids == ("guide-2", "guide")
    assert judge_duplicate(replace(facts, twins=())) is None


def test_low_coverage_is_missing_and_carries_its_evidence() -> None:
    judgement = judge_topic(make_facts([make_ticket(n) for n in range(6)], probability=0.2))
    assert judgement is not None and judgement.kind is GapKind.MISSING
    assert judgement.probability > 0.75
    assert judgement.reasons[0].evidence == tuple(f"T-{n:04}" for n in range(6))


def test_a_name_no_document_knows_makes_a_near_topic_missing() -> None:
    facts = make_facts([make_ticket(n) for n in range(6)], probability=0.7)
    assert judge_missing(facts).probability < DRAFTED_PROBABILITY
    named = {"corvid": tuple(f"T-{n:04}" for n in range(5))}
    judgement = judge_topic(replace(facts, unknown_terms=named))
    assert judgement is not None and judgement.kind is GapKind.MISSING
    assert judgement.probability >= DRAFTED_PROBABILITY
    assert any("corvid" in reason.text for reason in judgement.reasons)


def test_a_covered_topic_is_no_gap() -> None:
    assert kind_of(make_facts([make_ticket(n) for n in range(6)], probability=0.8)) is None


def test_answered_neighbours_count_against_a_gap() -> None:
    facts = make_facts([make_ticket(n) for n in range(4)], probability=0.3)
    served = tuple(make_ticket(100 + n, linked_articles=("guide",)) for n in range(12))
    assert kind_of(facts) is GapKind.MISSING
    assert kind_of(replace(facts, served=served, link_rate=0.5)) is None


def test_a_topic_agents_never_link_is_missing_where_they_mostly_do() -> None:
    tickets = [make_ticket(n, resolution="Turn it twice.") for n in range(20)]
    facts = make_facts(tickets, probability=0.6)
    hardly, mostly = (judge_missing(replace(facts, link_rate=rate)) for rate in (0.05, 0.6))
    assert hardly.probability < DRAFTED_PROBABILITY <= mostly.probability


def test_resolutions_that_do_not_agree_are_no_topic_to_write_about() -> None:
    facts = make_facts([make_ticket(n) for n in range(6)], probability=0.3)
    agreed, torn = (judge_missing(replace(facts, agreement=spread)) for spread in (4.0, 1.0))
    assert torn.probability < DRAFTED_PROBABILITY <= agreed.probability


def test_a_missing_gap_holds_what_was_answered_by_hand() -> None:
    by_hand = [make_ticket(n, resolution="Turn it twice.") for n in range(6)]
    helped = [make_ticket(10 + n, linked_articles=("guide",)) for n in range(2)]
    near, far = make_ticket(20, status=WAITING), make_ticket(21, status=WAITING)
    tickets = [by_hand[0], near, *by_hand[1:], *helped, far]
    judgement = judge_missing(make_facts(tickets, documents=[GUIDE]))
    assert judgement.ticket_ids == ("T-0000", "T-0020", *(f"T-{n:04}" for n in range(1, 6)))


def test_links_to_one_article_speak_against_a_gap_and_stray_links_do_not() -> None:
    others = [make_document_facts(f"other-{n}") for n in range(6)]
    by_hand = [make_ticket(n, resolution="Turn it twice.") for n in range(12)]
    one = [make_ticket(20 + n, linked_articles=("guide",)) for n in range(6)]
    stray = [make_ticket(20 + n, linked_articles=(f"other-{n}",)) for n in range(6)]
    scattered, pointed = (
        judge_missing(make_facts(by_hand + links, documents=[GUIDE, *others], link_rate=0.4))
        for links in (stray, one)
    )
    assert pointed.probability < scattered.probability


def test_coverage_is_read_beside_that_of_what_articles_did_answer() -> None:
    facts = make_facts([make_ticket(n) for n in range(6)], probability=0.7)
    sure = judge_missing(replace(facts, usual_coverage=0.9))
    assert judge_missing(facts).probability < DRAFTED_PROBABILITY < sure.probability


def test_three_resolutions_of_many_tickets_decide_no_kind() -> None:
    done = [make_ticket(n, resolution="Access granted.") for n in range(3)]
    asked = [make_ticket(10 + n, status=WAITING) for n in range(9)]
    assert kind_of(make_facts(done)) is GapKind.NEEDS_ACTION
    assert kind_of(make_facts(done + asked)) is GapKind.MISSING


def test_a_resolution_far_from_the_article_it_finds_first_makes_nothing_unfindable() -> None:
    tickets = [make_ticket(n, resolution="Set the pump to constant pressure.") for n in range(6)]
    pump = make_document_facts("pump")
    facts = make_facts(tickets, best=(("guide", 0.4),), documents=[GUIDE, pump])
    far = tuple(replace(found, answers=(("pump", 0.25),)) for found in facts.tickets)
    assert kind_of(replace(facts, tickets=far)) is GapKind.MISSING


def make_told(number: int, kind: GapKind) -> Ticket:
    return make_ticket(
        number, "reset the teapot", ticket_id=f"signal:gs_{number}", status=TicketStatus.OPEN,
        tags=(kind.value,),
    )  # fmt: skip


def test_what_several_agents_say_it_is_it_is() -> None:
    told = [make_told(n, GapKind.NEEDS_ACTION) for n in range(4)]
    judgement = judge_topic(make_facts([*told, make_ticket(9)]))
    assert judgement is not None
    assert judgement.kind is GapKind.NEEDS_ACTION
    assert judgement.reasons[0].signal == "agents_told"


def test_one_key_that_says_so_all_day_decides_nothing() -> None:
    told = [replace(make_told(n, GapKind.NEEDS_ACTION), requester="key 1") for n in range(9)]
    judgement = judge_topic(make_facts(told))
    assert judgement is None or judgement.kind is not GapKind.NEEDS_ACTION
