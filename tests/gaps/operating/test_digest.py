"""What owners read: plain, complete, and nothing that foreign text could turn into more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.operating.digest import (
    LISTED,
    DueArticle,
    NewGap,
    Overdue,
    OwnerFacts,
    WaitingDraft,
    compose_approval_notice,
    compose_digest,
    compose_draft_notice,
    compose_reminder,
    quote_line,
)

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
DRAFT = WaitingDraft("draft_1", "Reset the router", NOW - timedelta(days=3), True)
ARTICLE = DueArticle(
    "refunds", 2, "Refunds", "stale", 4.2, ("policy says: 30 days", "2 of 3 tickets came back", "c")
)
GAP = NewGap("gap_1", "VPN drops on the train", "missing", 9, 3.25)
FACTS = OwnerFacts("ana", (DRAFT,), (ARTICLE,), (GAP,))


def test_a_digest_says_what_waits_with_reasons_and_where_to_go() -> None:
    message = compose_digest(FACTS, period="2026-W48", now=NOW, base_url="https://kb.example/")
    assert message.subject == (
        "Knowledge base, week 2026-W48: 1 draft to review, 1 article to check, 1 new gap"
    )
    assert (
        message.body
        == """\
Knowledge base, week 2026-W48, for ana: 1 draft to review, 1 article to check, 1 new gap.

Drafts waiting for your review:
- Reset the router (change, for 3 days)
    https://kb.example/review/draft_1

Articles that may no longer be true, most damaging first:
- Refunds (stale)
    policy says: 30 days
    2 of 3 tickets came back
    https://kb.example/articles/refunds

New gaps:
- VPN drops on the train (missing, 9 tickets, about 3.2 a week)
    https://kb.example/gaps/gap_1

All of it: https://kb.example/review
"""
    )


def test_without_an_address_there_are_no_links_and_empty_lists_are_left_out() -> None:
    message = compose_digest(OwnerFacts("ana", gaps=(GAP,)), period="2026-W48", now=NOW)
    assert "http" not in message.body and "Drafts" not in message.body
    assert OwnerFacts("ana").is_empty() and not FACTS.is_empty()


def test_long_lists_are_cut_and_counted() -> None:
    facts = OwnerFacts("ana", articles=(ARTICLE,) * (LISTED + 7))
    message = compose_digest(facts, period="2026-W48", now=NOW)
    assert message.body.count("- Refunds") == LISTED
    assert "- and 7 more" in message.body and "17 articles to check" in message.subject


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hi\r\nBcc: all@example.com", "Hi Bcc: all@example.com"),
        ("a\x00b\x1b[31mc\x85d", "a b [31mc d"),
        ("safe\u202egpj.exe\u200b", "safegpj.exe"),
        ("line\u2028next\u2029para", "line next para"),
        ("see https://evil.example/x", "see https[:]//evil.example/x"),
        ("  many \t spaces ", "many spaces"),
        ("x" * 400, "x" * 159 + "…"),
        ("", ""),
    ],
)
def test_foreign_text_is_one_visible_line(text: str, shown: str) -> None:
    assert quote_line(text) == shown


@given(st.text(max_size=300))
def test_no_title_leaves_its_line_or_breaks_a_header(title: str) -> None:
    facts = OwnerFacts("ana", drafts=(WaitingDraft("d", title, NOW, False),))
    overdue = [Overdue("k", title, "draft", "/review/d", NOW)]
    for message in (
        compose_digest(facts, period="2026-W48", now=NOW),
        compose_draft_notice(title, changes_article=False, ticket_count=1),
        compose_approval_notice(title, approved_by=title),
        compose_reminder(overdue, owner=title, escalated=True, now=NOW),
    ):
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = message.subject
        assert len(message.subject.splitlines()) <= 1
        assert not any(ord(c) < 32 and c != "\n" for c in message.body)
    plain = compose_digest(
        OwnerFacts("ana", drafts=(WaitingDraft("d", "t", NOW, False),)), period="W", now=NOW
    )
    digest = compose_digest(facts, period="W", now=NOW)
    assert len(digest.body.splitlines()) == len(plain.body.splitlines())


def test_a_reminder_says_how_long_and_whose_it_is() -> None:
    late = [Overdue("draft:1", "Router", "draft", "/review/1", NOW - timedelta(days=8))]
    own = compose_reminder(
        late, owner="ana", escalated=False, now=NOW, base_url="https://kb.example"
    )
    assert own.subject == "Still waiting: 1 thing waits"
    assert "- Router (draft, for 8 days)\n    https://kb.example/review/1" in own.body
    escalated = compose_reminder(late, owner="ana", escalated=True, now=NOW)
    assert escalated.subject == "Still waiting for ana: 1 thing waits"
    assert escalated.body.startswith("ana was told of this") and "fallback owner" in escalated.body
