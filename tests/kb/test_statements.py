from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.quantities import extract_slots
from kb.statements import find_disagreement, mask_values, split_sentences

TEXT = """Intro line. Wait 5 min. e.g. like this.

## Steps
1. Open the app.
2. Hold for **5 seconds**. Then release.

### Deep
- A list entry
- Another entry. macOS asks again.

| a | b |
|---|---|
| x | 30 days |
"""


def test_sentences_know_their_headings_and_lists() -> None:
    found = {s.text: s for s in split_sentences(TEXT)}
    assert found["Open the app."].numbered
    assert found["Open the app."].heading_path == ("Steps",)
    assert found["A list entry"].heading_path == ("Steps", "Deep")
    assert not found["A list entry"].numbered
    assert "macOS asks again." in found
    assert "Wait 5 min. e.g. like this." in found


@given(st.text(max_size=400))
def test_every_sentence_is_a_verbatim_piece_in_order(text: str) -> None:
    position = 0
    for sentence in split_sentences(text):
        assert text[sentence.start : sentence.start + len(sentence.text)] == sentence.text
        assert sentence.start >= position
        position = sentence.start + len(sentence.text)


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("within 14 days", "days", 14, 14),
        ("two weeks", "days", 14, 14),
        ("5–7 working days", "working days", 5, 7),
        ("between 2 and 4 hours", "hours", 2, 4),
        ("EUR 1,000 after probation", "money:EUR", 1000, 1000),
        ("€3.90 a month", "money:EUR", 3.9, 3.9),
        ("2 years", "months", 24, 24),
        ("12 % off", "percent", 12, 12),
        ("at 21 °C", "degrees", 21, 21),
        ("at least 14 characters", "count:character", 14, 14),
    ],
)
def test_values_are_read_with_their_unit(text: str, unit: str, low: float, high: float) -> None:
    slot = extract_slots(text)[0]
    assert (slot.unit, slot.low, slot.high) == (unit, low, high)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Returns within 14 days of delivery.", "You have 30 days from delivery."),
        ("Warranty of 2 years.", "Warranty of 3 years."),
        ("The cap is EUR 120 a night.", "The cap is EUR 140 a night."),
        ("Leave it out for 30 seconds.", "Wait 10 seconds."),
        ("Opened boxes are accepted.", "Opened boxes are not accepted."),
        ("You may use rechargeable cells here.", "You may not use rechargeable cells here."),
    ],
)
def test_contradictions_are_found_both_ways(left: str, right: str) -> None:
    assert find_disagreement(left, right) is not None
    assert find_disagreement(right, left) is not None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Within 2 weeks.", "Within 14 days."),
        ("It takes 5 to 7 working days.", "Paid in 5 working days."),
        ("Two years.", "24 months."),
        ("Wait 10 seconds.", "Wait 5 minutes."),
        ("It cannot see a 5 GHz network.", "It uses a 2.4 GHz network."),
        ("Three of your 26 days are used.", "The three days are taken."),
        ("The Hub is white.", "The Hub is not red because of the battery."),
    ],
)
def test_agreeing_or_unrelated_values_are_left_alone(left: str, right: str) -> None:
    assert find_disagreement(left, right) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_disagreement_does_not_depend_on_the_order(left: str, right: str) -> None:
    assert (find_disagreement(left, right) is None) == (find_disagreement(right, left) is None)


def test_masking_hides_every_number() -> None:
    assert mask_values("Pay EUR **1,000** in 14 days or two weeks") == (
        "Pay EUR N in N days or N weeks"
    )
