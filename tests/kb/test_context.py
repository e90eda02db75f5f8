"""Packing: in order, whole passages, within the budget, nothing overruled or twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.context import estimate_tokens, pack_context
from kb.types import Ruling
from tests.kb.factories import make_hit

RULING = Ruling("policy", "a", "stronger_authority", "policy is stronger")


@given(st.lists(st.text("ab \n", max_size=400), max_size=12), st.integers(0, 300))
def test_the_budget_holds_citations_count_up_and_order_stays(texts: list[str], budget: int) -> None:
    hits = [make_hit(text, document_id=f"d{place}") for place, text in enumerate(texts)]
    packed = pack_context(hits, budget)
    assert sum(p.tokens for p in packed) <= budget
    assert all(p.tokens == estimate_tokens(p.text) for p in packed)
    assert [p.citation for p in packed] == [f"[{n}]" for n in range(1, len(packed) + 1)]
    places = [hits.index(p.hit) for p in packed]
    assert places == sorted(places)
    bodies = [" ".join(p.hit.chunk.text.split()) for p in packed]
    assert len(set(bodies)) == len(bodies)


def test_a_passage_is_taken_whole_or_not_and_a_later_shorter_one_still_fits() -> None:
    long, short = make_hit("word " * 200, document_id="long"), make_hit("Short.", document_id="s")
    packed = pack_context([long, short], 20)
    assert [p.hit for p in packed] == [short]
    assert packed[0].text == "[1] T\nShort."


def test_overruled_unverified_and_repeated_passages_stay_out() -> None:
    hits = [
        make_hit("Refunds take 30 days.", overruled_by=RULING),
        make_hit("Call the manager.", unverified="manager's instruction without approver"),
        make_hit("Press  the\nbutton.", document_id="b"),
        make_hit("Press the button.", document_id="c"),
    ]
    assert [p.hit.chunk.document.document_id for p in pack_context(hits, 1_000)] == ["b"]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("a" * 400, 100)])
def test_tokens_are_estimated_on_the_safe_side(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
