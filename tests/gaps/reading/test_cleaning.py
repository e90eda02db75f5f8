from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.reading.cleaning import LONGEST_TEXT, clean_text, clean_ticket, is_automatic
from tests.gaps.finding.factories import make_ticket

MAIL = """\
Hello support team,

since yesterday the hub is offline. Thanks to the manual I restarted it twice.
The display says E42.

Kind regards,
Anna

--
Anna Miller | Acme Ltd | +44 20 0000

On Mon, 3 Aug 2026 at 10:11, Support <help@example.org> wrote:
> Hi Anna,
> please restart the hub
"""


def test_what_is_left_is_what_the_requester_says() -> None:
    cleaned = clean_text("Re: AW: [Ticket 4711] Hub offline", MAIL)
    assert cleaned.subject == "Hub offline"
    assert cleaned.text == (
        "since yesterday the hub is offline. Thanks to the manual I restarted it twice.\n"
        "The display says E42."
    )
    assert cleaned.codes == ("E42",)


@pytest.mark.parametrize(
    "head",
    [
        "On Mon, 3 Aug 2026, Support wrote:",
        "Am 3. August 2026 um 10:11 schrieb Support <help@example.org>:",
        "Le lun. 3 août 2026 à 10:11, Support a écrit :",
        "-----Original Message-----",
        "From: Support\nSent: Monday\nTo: Anna",
    ],
)
def test_an_answered_mail_is_left_out(head: str) -> None:
    cleaned = clean_text("", f"The tap drips.\n\n{head}\nDid you turn the valve?")
    assert cleaned.text == "The tap drips."


@pytest.mark.parametrize(
    "line",
    [
        "Thanks to you it works on my phone but not on the laptop",
        "From: the settings page I cannot reach the invoices",
        "Hello world is all the page shows, nothing else happens here",
        "On Monday I wrote a letter to the office about it",
    ],
)
def test_a_sentence_that_begins_like_a_formula_stays(line: str) -> None:
    assert line in clean_text("", f"It is like this.\n{line}\nWhat can I do about it?").text


def test_a_stack_trace_is_kept_apart_and_its_message_stays() -> None:
    body = (
        "The export stops.\n\nTraceback (most recent call last):\n"
        '  File "/srv/export.py", line 12, in run\n'
        '  File "/srv/csv.py", line 40, in write\n'
        "ValueError: column 3 is empty\n\nIt worked last week."
    )
    cleaned = clean_text("", body)
    assert "export.py" not in cleaned.text
    assert "ValueError: column 3 is empty" in cleaned.text
    assert cleaned.text.startswith("The export stops.")
    assert len(cleaned.traces) == 1


def test_a_log_is_kept_apart_and_gives_its_code() -> None:
    log = "\n".join(f"2026-08-03 10:1{n}:00 hub[12] link down code 0x80070005" for n in range(9))
    cleaned = clean_text("Hub", f"See below:\n{log}\nPlease help")
    assert cleaned.text == "See below:\nPlease help"
    assert cleaned.codes == ("0x80070005",)


def test_encoded_data_is_no_text() -> None:
    blob = "\n".join(["QUJD" * 90] * 4)
    assert clean_text("", f"Here is the file\n{blob}\nopens empty").text == (
        "Here is the file\nopens empty"
    )


def test_a_mail_that_is_nothing_else_keeps_its_words() -> None:
    assert clean_text("", "Hello,\n\nThanks").text != ""
    assert clean_text("", "> only a quote").text == "> only a quote"
    assert clean_text("", "").text == ""


def test_a_ticket_keeps_the_error_code_it_came_with() -> None:
    ticket = make_ticket(1, "It says CC-418 again.", error_code="E-1")
    assert clean_ticket(ticket).error_code == "E-1"
    assert clean_ticket(make_ticket(1, "It says CC-418 again.")).error_code == "CC-418"


@pytest.mark.parametrize(
    "text",
    [
        "On " * 30_000, "> " * 50_000, "x\n" * 50_000, "-" * 100_000, "Kind regards\n" * 8_000,
        "From: a\n" * 12_000, "```\n" * 25_000, "[" * 100_000, "A1" * 50_000, "\x00\x01" * 50_000,
        "😀" * 50_000, "Error " * 20_000, "at a.b(" * 15_000,
    ],
)  # fmt: skip
def test_100_kb_of_anything_is_read_in_no_time(text: str) -> None:
    started = time.process_time()
    cleaned = clean_text(text, text)
    assert time.process_time() - started < 2
    assert len(cleaned.text) <= LONGEST_TEXT


@given(st.text(), st.text())
def test_any_text_can_be_read_and_reading_it_again_changes_little(subject: str, body: str) -> None:
    once = clean_text(subject, body)
    again = clean_text(once.subject, once.text)
    assert len(again.text) <= len(once.text)


@pytest.mark.parametrize(
    ("subject", "automatic"),
    [
        ("Automatic reply: Your order", True),
        ("RE: Out of office: back on Monday", True),
        ("[Ext] Abwesenheitsnotiz", True),
        ("Is there an automatic reply for absent colleagues?", False),
        ("Lost key", False),
    ],
)
def test_what_a_mailbox_sends_by_itself_is_told_apart(subject: str, automatic: bool) -> None:
    assert is_automatic(make_ticket(1, "I am away.", subject=subject)) is automatic
