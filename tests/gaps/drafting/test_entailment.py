from __future__ import annotations

import pytest

from gaps.drafting.writing.centrality import rank_sentences
from gaps.drafting.writing.entailment import find_unsupported, is_corroborated_by, read_sentence
from gaps.drafting.writing.evidence import Evidence
from gaps.drafting.writing.merging import Point
from gaps.drafting.writing.spine import order_by_spine
from gaps.drafting.writing.tracing import find_unstated, trace_statements
from gaps.types import Citation, Statement
from kb.encoding.hashing import HashingEncoder

QUOTE = 'Open Company Portal → Devices, choose "Renew device certificate" and wait 5 minutes.'


@pytest.mark.parametrize(
    "text",
    [
        "Choose Renew device certificate in Company Portal.",
        "Wait five minutes.",
        "Go to Company Portal → Devices.",
    ],
)
def test_what_the_quote_says_is_entailed(text: str) -> None:
    assert find_unsupported(text, [QUOTE]) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Wait 15 minutes.", "number"),
        ("Do not choose Renew device certificate.", "denied"),
        ("Delete the device certificate in Company Portal.", "delete"),
        ("Open Company Portal on portal.evil.example.", "portal.evil.example"),
        ("Ask Rui to renew the device certificate.", "Rui"),
        ("Choose the cheapest plan of the shop.", "words"),
        ("Wait at least 5 minutes.", "bound"),
        ("Turn off the device certificate.", "disable"),
    ],
)
def test_what_the_quote_does_not_say_is_not(text: str, why: str) -> None:
    found = find_unsupported(text, [QUOTE])
    assert found is not None
    assert why in found


def test_nothing_follows_from_no_quote() -> None:
    assert find_unsupported("Open it.", []) == "no evidence is cited"


@pytest.mark.parametrize(
    ("claim", "other", "agrees"),
    [
        ("Uninstall the old client.", "I removed the old client, works.", True),
        ("Rebuild the search index.", "try rebuilding the index of the search", True),
        ("Enable the soft close option.", "Disable the soft close option.", False),
        ("Do not delete the profile folder.", "Delete the profile folder.", False),
        ("Delete the profile folder.", "Open the profile folder.", False),
        ("Set the valve to 3 bar.", "Set the valve to 2 bar.", False),
        ("Enter gw.example.org as the gateway.", "Gateway is gw.example.org for all.", True),
        ("Verify the mail settings.", "Check the configuration of the mail.", True),
        ("Select the folder.", "Select the account.", False),
    ],
)
def test_two_people_agree_where_act_and_object_are_the_same(
    claim: str, other: str, agrees: bool
) -> None:
    said, told = read_sentence(claim), read_sentence(other)
    assert is_corroborated_by(said, told, plain=frozenset()) is agrees


def test_words_of_the_whole_subject_show_nothing() -> None:
    said = read_sentence("Restart Thunderbird.")
    told = read_sentence("Thunderbird does this after a restart of Windows.")
    assert not is_corroborated_by(said, told, plain=frozenset(said.words))


def evidence(ticket: str, place: int, text: str) -> Evidence:
    return Evidence(text, "ticket", ticket, f"of-{ticket}", 0.5, text, place)


def point(row: int, *members: Evidence) -> Point:
    return Point(members, members[0], 0.5, 0.5, row)


def test_steps_follow_the_ticket_that_tells_most_and_others_are_put_where_they_fit() -> None:
    close = point(0, evidence("a", 3, "Close it."), evidence("b", 9, "Close it."))
    opened = point(1, evidence("a", 1, "Open it."), evidence("c", 1, "Open it."))
    between = point(2, evidence("b", 8, "Press it."), evidence("d", 1, "Press it."))
    apart = point(3, evidence("e", 1, "Paint it."), evidence("f", 1, "Paint it."))
    save = point(4, evidence("a", 4, "Save it."), evidence("c", 5, "Save it."))
    found = order_by_spine([apart, between, save, close, opened])
    assert [p.best.quote for p in found.steps] == [
        "Open it.",
        "Press it.",
        "Close it.",
        "Save it.",
    ]
    assert [p.best.quote for p in found.others] == ["Paint it."]


def test_between_two_steps_mere_navigation_is_kept_and_nothing_else() -> None:
    first = point(0, evidence("a", 1, "Open the portal."), evidence("b", 1, "Open the portal."))
    last = point(1, evidence("a", 4, "Restart the laptop."), evidence("0", 2, "Restart it."))
    told = [evidence("a", 2, "Click OK."), evidence("a", 3, "Delete the mailbox.")]
    found = order_by_spine([first, last], told)
    assert [p.best.quote for p in found.steps] == [
        "Open the portal.",
        "Click OK.",
        "Restart the laptop.",
    ]


def test_the_sentence_most_others_are_like_is_the_most_central() -> None:
    texts = ["renew the device certificate", "renew device certificate now", "renew certificate",
             "paint the garden fence"]  # fmt: skip
    ranks = rank_sentences(HashingEncoder(256).encode(texts))
    assert ranks.argmin() == 3
    assert abs(float(ranks.sum()) - len(texts)) < 0.2
    assert rank_sentences(HashingEncoder(256).encode(texts)[:0]).shape == (0,)


def test_the_tracer_names_what_is_not_borne_out() -> None:
    good = Statement("Wait five minutes.", (Citation("ticket", "T-1", "wait 5 minutes"),))
    astray = Statement("Wait.", (Citation("ticket", "T-1", "never written"),))
    more = Statement("Delete all.", (Citation("ticket", "T-1", "wait 5 minutes"),))
    bare = Statement("Wait.", ())
    texts = {"T-1": ["please wait 5 minutes"]}
    assert trace_statements([good], texts) == []
    assert [u.verbatim for u in trace_statements([good, astray, more, bare], texts)] == [
        False,
        True,
        False,
    ]


def test_entries_that_nobody_stated_are_found() -> None:
    stated = Statement("Open it.", (Citation("ticket", "T-1", "open it"),))
    text = "## Symptom\n\n- “it hisses”\n\n## What to do\n\n1. Open it.\n2. Sell it.\n"
    assert find_unstated(text, [stated], ["It hisses at night"]) == ["Sell it."]
    assert find_unstated(text, [stated], ["Nothing"]) == ["“it hisses”", "Sell it."]
