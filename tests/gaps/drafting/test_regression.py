from __future__ import annotations

from dataclasses import replace

from gaps.drafting.regression import (
    MOST_KEPT,
    QUESTION,
    TICKET,
    Answer,
    AskedTwice,
    check_regression,
    compare_answers,
)
from kb.types import Audience

DRAFT = "new-page"


def ask(
    before: str, after: str, *, right: str = "r", answered: str = "yy", kind: str = QUESTION,
    id: str = "q-1", audience: Audience = Audience.PUBLIC,
) -> AskedTwice:  # fmt: skip
    """Documents as letters, best first; `answered` says y or n without and with the draft."""
    found = [
        Answer(tuple(DRAFT if letter == "n" else letter for letter in letters), told == "y")
        for letters, told in zip((before, after), answered, strict=True)
    ]
    labels = frozenset(DRAFT if letter == "n" else letter for letter in right)
    return AskedTwice(kind, id, "how?", audience, labels, *found)


def ticket(before: str, after: str, answered: str, id: str = "T-1") -> AskedTwice:
    return ask(before, after, right="n", answered=answered, kind=TICKET, id=id)


GAIN = ticket("ab", "nab", "ny")
KEPT = ask("abr", "anr")


def test_a_gain_that_harms_nobody_is_green() -> None:
    check = check_regression([KEPT, GAIN], Audience.PUBLIC)
    assert (check.name, check.verdict) == ("regression", "green")
    assert "first three: 1 → 1" in check.detail
    assert "answered tickets 0 → 1 of 1, this article in their first three 0 → 1" in check.detail


def test_a_labelled_question_that_loses_its_answer_is_red_by_name() -> None:
    harmed = ask("abr", "anbr", id="q-7")
    check = check_regression([harmed, GAIN], Audience.PUBLIC)
    assert check.verdict == "red"
    assert "q-7 (gives way to new-page)" in check.detail
    row = check.replayed[0]
    assert (row.outcome, row.rank_before, row.rank_after) == ("lost", 3, 4)
    assert row.displaced_by == (DRAFT,)


def test_moving_within_the_first_three_or_below_them_harms_nothing() -> None:
    for before, after in (("rab", "nar"), ("abcr", "abcnr"), ("abc", "nab")):
        assert check_regression([ask(before, after), GAIN], Audience.PUBLIC).verdict == "green"


def test_an_unlabelled_question_cannot_be_harmed_but_its_change_is_shown() -> None:
    check = check_regression([KEPT, ask("ab", "nab", right=""), GAIN], Audience.PUBLIC)
    assert check.verdict == "green"
    assert [row.outcome for row in check.replayed] == ["gained", "moved"]


def test_no_gain_and_no_frozen_question_are_a_look_each() -> None:
    same = ticket("ab", "ab", "nn")
    assert check_regression([KEPT, same], Audience.PUBLIC).verdict == "look"
    assert "no ticket gains" in check_regression([KEPT, same], Audience.PUBLIC).detail
    alone = check_regression([GAIN], Audience.PUBLIC)
    assert alone.verdict == "look"
    assert "no frozen questions" in alone.detail
    assert check_regression([], Audience.PUBLIC).verdict == "look"
    assert check_regression([ask("ab", "ab", right=""), GAIN], Audience.PUBLIC).verdict == "look"


def test_a_ticket_that_is_no_longer_answered_is_a_look_by_name() -> None:
    worse = ticket("ab", "ab", "yn", id="T-9")
    check = check_regression([KEPT, GAIN, worse], Audience.PUBLIC)
    assert check.verdict == "look"
    assert "tickets that lose: T-9" in check.detail


def test_a_labelled_question_that_is_refused_now_is_a_look_by_name() -> None:
    check = check_regression([ask("rab", "rab", answered="yn", id="q-5"), GAIN], Audience.PUBLIC)
    assert check.verdict == "look"
    assert "no longer answered: q-5" in check.detail
    assert [row.outcome for row in check.replayed] == ["gained", "moved"]


def test_a_ticket_gains_only_where_it_is_answered() -> None:
    assert compare_answers(ticket("ab", "nab", "yy")).outcome == "gained"
    assert compare_answers(ticket("ab", "nab", "nn")).outcome == "moved"
    assert compare_answers(ticket("nab", "abcn", "yy")).outcome == "lost"
    assert compare_answers(ticket("ab", "ab", "yy")).outcome == "same"
    assert compare_answers(ticket("", "", "nn")).outcome == "same"


def test_what_the_drafts_readers_may_not_know_of_is_counted_without_a_name() -> None:
    hidden = ask("sbr", "nsbr", id="q-secret", audience=Audience.INTERNAL)
    check = check_regression([hidden, GAIN], Audience.PUBLIC)
    assert check.verdict == "red"
    assert "harmed: 1 that only others may read" in check.detail
    assert "q-secret" not in check.detail
    assert "s 1" not in check.detail
    named = check_regression([hidden, GAIN], Audience.INTERNAL).detail
    assert "q-secret (gives way to new-page)" in named
    assert "s 1" in named


def test_documents_that_lose_first_places_are_counted() -> None:
    rows = [ask("ar", "nar", id=f"q-{n}") for n in range(3)] + [ask("br", "nbr", id="q-9")]
    assert "first places lost: a 3, b 1" in check_regression(rows, Audience.PUBLIC).detail


def test_the_worst_rows_are_kept_first_whatever_the_order_they_were_asked_in() -> None:
    rows = [ask("ar", "nar", id=f"q-{n:03}") for n in range(MOST_KEPT + 5)]
    rows += [replace(GAIN, id="T-2"), ask("abr", "anbr", id="q-999")]
    kept = check_regression(rows, Audience.PUBLIC).replayed
    assert [row.id for row in kept[:2]] == ["q-999", "T-2"]
    assert len(kept) == MOST_KEPT
    assert check_regression(rows[::-1], Audience.PUBLIC).replayed == kept
