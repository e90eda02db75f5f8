from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gaps.drafting.writing.extractive import WrittenArticle
from gaps.drafting.writing.smallest_edit import write_smallest_edit
from gaps.types import GapKind, Refusal, Ticket
from kb.encoding.hashing import HashingEncoder
from kb.types import StoredChunk
from tests.gaps.drafting.factories import make_chunk, make_gap, make_ticket

ENCODER = HashingEncoder(256)
RETURNS = "# Returns\n\nSend the parcel back within 14 days of delivery.\tKeep  the receipt.\n"
PHONE = """Got a new phone?

1. Go to id.fennmark.example/reset and sign in.
2. Enter the backup code.

Tip: keep the old phone.
"""
BATTERY = """## Which batteries

We recommend lithium cells for longest life. They last for years. Change both at once.

1. Open the cover.
"""


def edit(
    markdown: str,
    resolutions: list[str],
    *,
    kind: GapKind = GapKind.STALE,
    stronger: list[StoredChunk] | None = None,
    **ticket: Any,
) -> WrittenArticle | Refusal:
    tickets: list[Ticket] = [make_ticket(n, text, **ticket) for n, text in enumerate(resolutions)]
    gap = make_gap(tickets, kind=kind, title="the article")
    return write_smallest_edit(gap, "doc", "A title", markdown, tickets, stronger or [], ENCODER)


def edited(markdown: str, resolutions: list[str], **said: Any) -> WrittenArticle:
    result = edit(markdown, resolutions, **said)
    assert isinstance(result, WrittenArticle), result
    return result


def test_only_the_value_that_two_people_state_otherwise_changes() -> None:
    told = "You can send the parcel back within 30 days of delivery."
    result = edited(RETURNS, [told, told, "Something else entirely."])
    assert result.markdown == RETURNS.replace("14 days", "30 days")
    assert {c.id for c in result.statements[0].citations} == {"T-0", "T-1"}


def test_one_person_does_not_change_a_value() -> None:
    told = "You can send the parcel back within 30 days of delivery."
    assert isinstance(edit(RETURNS, [told]), Refusal)


def test_a_stronger_document_changes_a_value_alone() -> None:
    policy = make_chunk(
        "Send the parcel back within 30 days of delivery.", "pol", authority="policy"
    )
    result = edited(RETURNS, [], stronger=[policy])
    assert result.markdown == RETURNS.replace("14 days", "30 days")
    assert result.statements[0].citations[0].kind == "chunk"


def test_steps_that_rest_on_a_page_that_is_gone_are_replaced_as_a_list() -> None:
    told = (
        "The reset page no longer exists. Sign in at my.fennmark.example, choose Lost my device"
        " and add the new phone."
    )
    result = edited(PHONE, [told] * 5)
    assert "id.fennmark.example/reset" not in result.markdown
    assert "1. Sign in at my.fennmark.example" in result.markdown
    assert result.markdown.startswith("Got a new phone?\n\n1. ")
    assert result.markdown.endswith("\n\nTip: keep the old phone.\n")


def test_denied_advice_is_replaced_with_what_was_said_of_it() -> None:
    told = "Lithium cells must not be used. Use two alkaline cells for the longest life."
    result = edited(BATTERY, [told] * 4, kind=GapKind.WRONG)
    assert "lithium" not in result.markdown
    assert "They last" not in result.markdown
    assert "Use two alkaline cells for the longest life. Change both at once." in result.markdown
    assert result.markdown.endswith("1. Open the cover.\n")


def test_nothing_concrete_to_replace_is_a_refusal_with_questions() -> None:
    refusal = edit(BATTERY, ["Cleaned the contacts and it worked."] * 4)
    assert isinstance(refusal, Refusal)
    assert len(refusal.questions) >= 3


def test_what_nobody_finds_gets_the_requesters_words_and_loses_nothing() -> None:
    text = "Set the pump to constant pressure.\n"
    result = edited(
        text,
        [""] * 4,
        kind=GapKind.UNFINDABLE,
        subject="radiator hisses at night",
        body="It hisses.",
    )
    assert result.markdown.endswith(text)
    assert "radiator hisses at night" in result.markdown
    again = edit(
        result.markdown, [""] * 4, kind=GapKind.UNFINDABLE, subject="radiator hisses at night",
        body="It hisses.",
    )  # fmt: skip
    assert isinstance(again, Refusal)


@given(st.text(max_size=200), st.text(max_size=200))
def test_everything_outside_the_changed_sentence_stays_byte_for_byte(
    before: str, after: str
) -> None:
    told = "You can send the parcel back within 30 days of delivery."
    sentence = "Send the parcel back within 14 days of delivery."
    markdown = f"{before}\n\n{sentence}\n\n{after}"
    result = edit(markdown, [told, told])
    if isinstance(result, WrittenArticle) and len(result.statements) == 1:
        assert result.markdown == markdown.replace(sentence, sentence.replace("14", "30"))


def test_what_a_stronger_document_states_anew_replaces_that_sentence_alone() -> None:
    text = "Intro stays.\n\nSet the cache of plan 2.3.x to the pool on each node.\n\nEnd stays.\n"
    new = "Set the cache of plan 2.3.x - 2.4.x to the pool on each node."
    gap = make_gap([], kind=GapKind.WRONG, document_ids=("doc",))
    result = write_smallest_edit(
        gap, "doc", "Cache", text, [], [make_chunk(new, authority="policy")], HashingEncoder(256)
    )
    assert isinstance(result, WrittenArticle)
    assert result.markdown == f"Intro stays.\n\n{new}\n\nEnd stays.\n"
    assert result.statements[0].citations[0].quote == new


def test_other_words_for_the_same_are_left_alone() -> None:
    text = "Set the cache of the plan to the pool on each node.\n"
    new = "Set the cache of this plan to the pool on each node."
    gap = make_gap([], kind=GapKind.WRONG, document_ids=("doc",))
    found = write_smallest_edit(gap, "doc", "C", text, [], [make_chunk(new)], HashingEncoder(256))
    assert isinstance(found, Refusal)
