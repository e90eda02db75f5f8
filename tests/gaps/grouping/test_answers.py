from __future__ import annotations

from gaps.grouping.answers import answer_of, answered_by_hand, was_answered
from gaps.types import Reply, TicketStatus
from tests.gaps.finding.factories import MONDAY, make_coverage, make_ticket

WAITING = TicketStatus.OPEN


def test_what_agents_replied_is_the_answer_and_addresses_are_not() -> None:
    replies = (
        Reply("agent", MONDAY, "Compact the folder, see https://help.example/compact."),
        Reply("customer", MONDAY, "Thanks!"),
        Reply("agent", MONDAY, "Then restart."),
    )
    ticket = make_ticket(1, replies=replies, resolution="Said so.")
    assert answer_of(ticket) == "Compact the folder, see Then restart."
    assert answer_of(make_ticket(2, resolution="Said so.")) == "Said so."
    assert answer_of(make_ticket(3)) == ""


def test_a_reply_counts_as_an_answer_though_nobody_said_thanks() -> None:
    replied = make_ticket(1, status=WAITING, replies=(Reply("agent", MONDAY, "Try this."),))
    asked = make_ticket(2, status=WAITING, replies=(Reply("customer", MONDAY, "Anybody?"),))
    assert was_answered(replied)
    assert not was_answered(asked)


def test_what_an_article_answered_was_not_answered_by_hand() -> None:
    ticket = make_ticket(1, linked_articles=("guide",))
    assert not answered_by_hand(ticket, make_coverage(ticket, known={"guide"}))
    assert answered_by_hand(ticket, make_coverage(ticket, known=set()))
    failed = make_ticket(1, linked_articles=("guide",), helpful=False)
    assert answered_by_hand(failed, make_coverage(failed, known={"guide"}))
