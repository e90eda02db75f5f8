"""Two sentences of one wording: their values are compared place by place, whatever their kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.alignment import align_sentences
from kb.slots import read_words


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("Wait up to 24 hours for it to work.", "Wait up to 5 working days for it to work.", "duration"),
        ("Returns are taken within 14 days.", "Returns are taken within one month.", "duration"),
        ("Purchases over $3,500 need an officer.", "Purchases over $10,000 need an officer.", "money"),
        ("Spend 80% of the week on projects.", "Spend 90 percent of the week on projects.", "percent"),
        ("Approved each day at 2:30 PM Eastern.", "Approved each day at 3:30 PM Eastern.", "clock"),
        ("Office hours are 10:30 to 11:30 AM daily.", "Office hours are 11:30 AM to 12:30 PM daily.", "clock"),
        ("Submissions are read every Monday.", "Submissions are read every Tuesday.", "weekday"),
        ("We meet every other week in the hall.", "We meet once a week in the hall.", "frequency"),
        ("The posting closes on October 5th for all.", "The posting closes on 4 December for all.", "day"),
        ("The team is on the third floor, wing one.", "The team is on the 6th floor, wing one.", "ordinal"),
        ("The travel team has four members.", "The travel team has three members.", "number"),
        ("Give the room number (3100) at the desk.", "Give the room number (G100) at the desk.", "number"),
        ("It is fixed in version 2.4.7 of the shop.", "It is fixed in version 2.4.6-p2 of the shop.", "version"),
        ("Send the form to old@firm.example today.", "Send the form to new@firm.example today.", "email"),
        ("Call the desk on 800-676-3690 for help.", "Call the desk on 844-303-6515 for help.", "phone"),
        ("You can use the download code for files.", "You must use the download code for files.", "modal"),
        ("Guests may use the side entrance.", "Guests must not use the side entrance.", "modal"),
        ("A receipt is required for every claim.", "A receipt is optional for every claim.", "stance"),
        ("Opened boxes are accepted in the shop.", "Opened boxes are not accepted in the shop.", "denial"),
        ("The fee is between 5 and 7 percent.", "The fee is between 7 and 10 percent.", "percent"),
    ],
)  # fmt: skip
def test_values_of_every_kind_disagree(left: str, right: str, kind: str) -> None:
    found = align_sentences(left, right).disagreements
    assert [d.unit for d in found] == [kind]
    assert align_sentences(right, left).disagreements


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Take it back within 2 weeks of delivery.", "Take it back within fourteen days of delivery."
            .replace("fourteen", "14")),
        ("Warranty lasts 24 months from delivery.", "Warranty lasts 2 years from delivery."),
        ("It costs $1,000 a year for each seat.", "It costs 1000 dollars a year for each seat."),
        ("We meet every other week in the hall.", "We meet biweekly in the hall."),
        ("Open until 5 pm on working days.", "Open until 5:00 p.m. on working days."),
        ("You can not carry over more leave.", "You cannot carry over more leave."),
        ("You need to file the form first.", "You must file the form first."),
        ("You should file the form first.", "You may file the form first."),
        ("Repeat steps 8 and 9 to enable it.", "Repeat steps 4 and 5 to enable it."),
        ("The limit for calendar year 2018 is $18,000.", "The limit for calendar year 2019 is $18,500."),
        ("If the part isn't there, ask the desk.", "If the part isn't there or not approved, ask the desk."),
        ("It is not so that guests never pay here.", "It is so that guests never, never do not pay here."),
        ("Guests must report the loss of a key at once.", "Guests may replace the loss of a key at once."),
        ("The *do not* rule holds for all calls.", "The _do not_ rule holds for all calls."),
        ("Reset the router and wait 30 seconds.", "Guests sign in at the desk by 9 am."),
    ],
)  # fmt: skip
def test_equal_values_references_and_other_matters_do_not(left: str, right: str) -> None:
    assert align_sentences(left, right).disagreements == ()
    assert align_sentences(right, left).disagreements == ()


def test_a_renamed_subject_is_told() -> None:
    here = align_sentences("Meals are $71 a day in Washington.", "Meals are $56 a day in Atlanta.")
    assert here.renamed and here.disagreements
    assert not align_sentences("Meals are $71 a day.", "Meals are $56 a day.").renamed


@given(st.text(max_size=120))
def test_any_sentence_agrees_with_itself(text: str) -> None:
    assert align_sentences(text, text).disagreements == ()


@given(st.text(alphabet=" .,-:/$€%@#0123456789aApmPMxv'ndthMayFriFY\n", max_size=60))
def test_no_text_breaks_the_reading_of_values(text: str) -> None:
    assert all(word.text for word in read_words(text))
