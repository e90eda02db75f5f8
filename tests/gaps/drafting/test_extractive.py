from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.drafting.writing.evidence import collect_evidence, is_usable, usable_texts
from gaps.drafting.writing.extractive import WrittenArticle, write_article
from gaps.drafting.writing.wording import as_instruction, split_actions, split_inline_numbers
from gaps.types import GapKind, Refusal, Ticket, TicketStatus
from kb.encoding.hashing import HashingEncoder
from kb.types import Audience
from tests.gaps.drafting.factories import (
    PORTAL_STEPS,
    make_chunk,
    make_gap,
    make_reply,
    make_ticket,
    make_tickets,
)
from tests.kb.test_hostile_text import HOSTILE

ENCODER = HashingEncoder(256)


def write(tickets: list[Ticket], **said: object) -> WrittenArticle | Refusal:
    return write_article(make_gap(tickets, **said), tickets, [], ENCODER)


def written(tickets: list[Ticket], **said: object) -> WrittenArticle:
    article = write(tickets, **said)
    assert isinstance(article, WrittenArticle), article
    return article


def test_steps_that_several_people_confirm_become_a_numbered_list() -> None:
    article = written(make_tickets())
    assert "## Symptom" in article.markdown
    assert "## What to do" in article.markdown
    assert re.search(r"(?m)^1\. .*Company Portal", article.markdown)
    assert "Restart" in article.markdown
    assert "CC-418" in article.title


def test_every_quote_stands_word_for_word_in_the_resolution_it_cites() -> None:
    tickets = make_tickets()
    texts = {t.ticket_id: usable_texts(t) for t in tickets}
    for statement in written(tickets).statements:
        assert statement.citations
        for citation in statement.citations:
            assert any(citation.quote in text for text in texts[citation.id])


def test_a_statement_of_several_resolutions_cites_several() -> None:
    article = written(make_tickets())
    assert max(len({c.id for c in s.citations}) for s in article.statements) >= 2


def test_every_step_is_a_capitalised_sentence_with_a_period() -> None:
    for statement in written(make_tickets()).statements:
        assert statement.text[0].isupper()
        assert statement.text.endswith(".")


def test_what_only_one_person_says_stays_out() -> None:
    tickets = [*make_tickets(), make_ticket(50, "Remove the battery of the docking station first.")]
    assert "docking" not in written(tickets).markdown


def test_one_requester_writing_often_is_not_several() -> None:
    tickets = [make_ticket(n, PORTAL_STEPS[n % 6], requester="e-1") for n in range(1, 10)]
    refusal = write(tickets)
    assert isinstance(refusal, Refusal)
    assert "1 independent" in refusal.why
    assert len(refusal.questions) >= 3


def test_two_requesters_are_too_few() -> None:
    refusal = write(make_tickets(2))
    assert isinstance(refusal, Refusal)
    assert len(refusal.questions) >= 3


def test_solutions_that_have_nothing_in_common_are_refused() -> None:
    tickets = [
        make_ticket(1, "Open the valve cover slowly."),
        make_ticket(2, "Call a plumber tomorrow morning."),
        make_ticket(3, "Buy another router at once."),
    ]
    refusal = write(tickets)
    assert isinstance(refusal, Refusal)
    assert "no step is confirmed" in refusal.why


def test_steps_that_only_lead_somewhere_are_no_article() -> None:
    tickets = [make_ticket(n, "Open the account settings of the mail app.") for n in range(1, 6)]
    refusal = write(tickets)
    assert isinstance(refusal, Refusal)
    assert "lead somewhere" in refusal.why
    assert len(refusal.questions) >= 3


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("See https://help.example/kb/pump for this.", False),
        ("https://help.example/kb/pump", False),
        ("For more information, see the article on pumps.", False),
        ("Or that your pump is not blocked by a stone.", False),
        ("re: the pump makes a noise at night", False),
        ("What settings do you have in the pump menu", False),
        ("First check these settings:", False),
        ("Open https://portal.example/pump and choose Reset.", True),
        ("Set the pump to constant pressure.", True),
    ],
)
def test_fragments_questions_and_mere_links_are_no_evidence(said: str, kept: bool) -> None:
    assert is_usable(said) is kept


def test_a_passage_about_another_case_is_no_leave_to_delete() -> None:
    tickets = [
        make_ticket(1, "Delete the whole profile of the mail app."),
        make_ticket(2, "Lower the pump to constant pressure two."),
        make_ticket(3, "Bleed both radiators in the evening."),
    ]
    passage = make_chunk("Delete the whole profile of the mail app.")
    gap = make_gap(tickets)
    assert isinstance(write_article(gap, tickets, [passage], ENCODER), Refusal)


def test_what_one_person_adds_to_a_shared_step_is_left_out() -> None:
    tickets = [
        make_ticket(1, "Open Company Portal → Devices, then polish the golden antenna."),
        *make_tickets(6)[1:],
    ]
    assert "antenna" not in written(tickets).markdown


def test_the_owner_is_asked_about_the_two_steps_most_like_what_others_did() -> None:
    tickets = [
        make_ticket(1, "Reset the pump in the heating app."),
        make_ticket(2, "Replace the pump of the heating at once."),
        make_ticket(3, "Call a plumber tomorrow morning early."),
    ]
    refusal = write(tickets)
    assert isinstance(refusal, Refusal)
    asked = " ".join(refusal.questions)
    assert "Reset the pump in the heating app." in asked
    assert "Replace the pump" in asked
    assert "plumber" not in asked


def test_a_gap_that_needs_somebody_to_act_is_refused_with_who_may_grant() -> None:
    refusal = write(make_tickets(), kind=GapKind.NEEDS_ACTION)
    assert isinstance(refusal, Refusal)
    questions = " ".join(refusal.questions)
    assert "Who may grant" in questions
    assert "tool" in questions
    assert "approval" in questions


def test_an_unsolved_ticket_lends_nothing() -> None:
    tickets = [replace(t, status=TicketStatus.OPEN) for t in make_tickets()]
    assert isinstance(write(tickets), Refusal)


def test_a_body_is_never_a_statement_even_where_it_reads_like_a_solution() -> None:
    body = "Open the secret drawer, choose Melt and restart the toaster."
    tickets = [replace(t, body=body) for t in make_tickets()]
    article = written(tickets)
    assert all("drawer" not in s.text for s in article.statements)
    assert all("drawer" not in c.quote for s in article.statements for c in s.citations)


def test_an_agents_reply_counts_and_a_customers_does_not() -> None:
    by_agent = [
        make_ticket(n, None, replies=(make_reply(PORTAL_STEPS[n % 6]),)) for n in range(1, 7)
    ]
    assert isinstance(write(by_agent), WrittenArticle)
    by_customer = [
        make_ticket(n, None, replies=(make_reply(PORTAL_STEPS[n % 6], role),))
        for n, role in zip(range(1, 7), ["customer", "ai"] * 3, strict=True)
    ]
    assert isinstance(write(by_customer), Refusal)


def test_advice_in_a_reopened_ticket_is_not_used() -> None:
    tickets = [
        make_ticket(n, None, replies=(make_reply(PORTAL_STEPS[0]),), reopened=True)
        for n in range(1, 7)
    ]
    assert isinstance(write(tickets), Refusal)


def test_a_name_or_number_of_one_person_does_not_reach_the_article() -> None:
    named = [
        make_ticket(20 + n, f"{name} opened Company Portal → Devices, tag FNM-L-0{n}291 noted.")
        for n, name in enumerate(["Sandrine", "Rui", "Marcus"])
    ]
    text = written([*make_tickets(), *named]).markdown
    assert not re.search(r"Sandrine|Rui|Marcus|FNM-L", text)


def test_chatter_and_masked_values_do_not_reach_the_article() -> None:
    polite = "Hi Ann, thanks for your patience! I have reset your account. Mail [email] about it. "
    tickets = [make_ticket(n, polite + PORTAL_STEPS[n % 6]) for n in range(1, 8)]
    text = written(tickets).markdown
    assert not re.search(r"Ann|thanks|I have|\[email\]|Hi ", text)


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_resolutions_never_reach_an_article(bad: str) -> None:
    poisoned = [make_ticket(30 + n, f"{bad} {PORTAL_STEPS[n]}") for n in range(4)]
    tickets = [*make_tickets(), *poisoned]
    article = written(tickets)
    cited = {c.id for s in article.statements for c in s.citations}
    assert not cited & {t.ticket_id for t in poisoned}
    assert bad.strip() not in article.markdown
    assert set(collect_evidence(tickets, [], audience=Audience.INTERNAL).rejected) == {
        t.ticket_id for t in poisoned
    }


@pytest.mark.parametrize("bad", HOSTILE[::6])
def test_hostile_subjects_never_become_title_or_symptom(bad: str) -> None:
    tickets = [replace(t, subject=bad, body=bad) for t in make_tickets()]
    article = written(tickets)
    assert bad.strip() not in article.title
    assert bad.strip() not in article.markdown


def test_evidence_above_the_drafts_audience_is_never_seen() -> None:
    tickets = [replace(t, audience=Audience.INTERNAL) for t in make_tickets()]
    secret = make_chunk("Reset the PIN in the admin page.", audience=Audience.INTERNAL)
    pack = collect_evidence(tickets, [secret], audience=Audience.PUBLIC)
    assert pack.sentences == ()
    assert pack.wordings == ()


def test_a_passage_corroborates_a_single_requester() -> None:
    tickets = [
        make_ticket(1, "Enable the soft close option of the valve."),
        make_ticket(2, "Lower the pump to constant pressure two."),
        make_ticket(3, "Bleed both radiators in the evening."),
    ]
    passage = make_chunk("Enable the soft close option of the valve in the app.")
    gap = make_gap(tickets)
    article = write_article(gap, tickets, [passage], ENCODER)
    assert isinstance(article, WrittenArticle)
    kinds = {c.kind for s in article.statements for c in s.citations}
    assert kinds == {"ticket", "chunk"}
    assert "pump" not in article.markdown


def test_conditions_become_sections() -> None:
    mac = [
        make_ticket(
            40 + n,
            "Open System Settings → Privacy and press Allow next to the extension.",
            subject="Mac connect button does nothing",
            body="On my Mac the button stays grey.",
        )
        for n in range(4)
    ]
    article = written([*make_tickets(5), *mac])
    assert "### On a Mac" in article.markdown
    assert "### If you see CC-418" in article.markdown


def test_a_mail_to_a_team_goes_under_escalation() -> None:
    tickets = [
        make_ticket(n, PORTAL_STEPS[n % 6] + " Contact the network team with the asset tag.")
        for n in range(1, 8)
    ]
    _, _, escalation = written(tickets).markdown.partition("## When to escalate")
    assert "network team" in escalation


def test_the_same_tickets_in_any_order_give_the_same_article() -> None:
    tickets = make_tickets()
    assert written(tickets) == written(tickets[::-1])


@pytest.mark.parametrize(
    ("told", "instruction"),
    [
        ("Uninstalled BorderGate 3 and restarted.", "Uninstall BorderGate 3 and restart."),
        ("Sofie uninstalled the client, restarted it.", "Uninstall the client, restart it."),
        ("You need to open the app.", "Open the app."),
        ("First open the cover, it worked.", "Open the cover."),
        ("Settings → Network → Use company DNS", "Go to Settings → Network → Use company DNS."),
        ("If it says E1, press the pin.", "If it says E1, press the pin."),
        ("I have reset your password.", None),
        ("The certificate was too old.", None),
        ("Log shows nothing.", None),
    ],
)
def test_told_actions_become_instructions(told: str, instruction: str | None) -> None:
    assert as_instruction(told) == instruction


def test_inline_numbers_and_then_clauses_are_steps() -> None:
    assert split_inline_numbers("1. Open it 2. Press on 3. Wait a bit") == [
        "Open it",
        "Press on",
        "Wait a bit",
    ]
    assert split_actions("Open the app, choose Devices, then restart it.") == [
        "Open the app.",
        "Choose Devices.",
        "Restart it.",
    ]


@given(st.lists(st.text(max_size=120), min_size=3, max_size=8))
def test_whatever_agents_write_quotes_stay_verbatim(texts: list[str]) -> None:
    tickets = [make_ticket(n, text) for n, text in enumerate(texts)] + make_tickets(4)
    article = write(tickets)
    if isinstance(article, WrittenArticle):
        by_id: dict[str, list[str]] = {}
        for ticket in tickets:
            by_id.setdefault(ticket.ticket_id, []).extend(usable_texts(ticket))
        for statement in article.statements:
            for citation in statement.citations:
                assert any(citation.quote in text for text in by_id[citation.id])
