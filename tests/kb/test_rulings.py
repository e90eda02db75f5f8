"""The order rulings put hits in: winners above losers, everything else as relevance had it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kb.hierarchy import rule_between
from kb.rulings import drop_circles, order_by_rulings
from kb.types import Document, Ruling
from tests.kb.factories import AUTHORITIES, make_document

KEYS = [f"d{number}" for number in range(7)]
PAIRS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=12)


def to_ruling(pair: tuple[str, str]) -> Ruling:
    return Ruling(*pair, "stronger_authority", "because")


def test_the_winner_takes_the_place_of_what_it_overrules() -> None:
    assert order_by_rulings(["help", "other", "policy"], [to_ruling(("policy", "help"))]) == [
        "policy",
        "help",
        "other",
    ]


def test_a_chain_comes_out_strongest_first() -> None:
    rulings = [to_ruling(("b", "a")), to_ruling(("c", "b"))]
    assert order_by_rulings(["a", "x", "b", "c"], rulings) == ["c", "b", "a", "x"]


def test_several_winners_over_one_come_in_their_own_order() -> None:
    keys = ["lost", *(f"w{number}" for number in range(8))]
    rulings = [to_ruling((key, "lost")) for key in reversed(keys[1:])]
    assert order_by_rulings(keys, rulings) == [*keys[1:], "lost"]


def test_in_a_circle_nobody_wins_and_relevance_decides() -> None:
    rulings = [to_ruling(("a", "b")), to_ruling(("b", "c")), to_ruling(("c", "a"))]
    assert order_by_rulings(["c", "a", "b"], [*rulings, to_ruling(("z", "c"))]) == ["c", "a", "b"]
    assert drop_circles([*rulings, to_ruling(("z", "c"))]) == [to_ruling(("z", "c"))]


@given(PAIRS)
def test_what_is_kept_of_any_rulings_has_no_circle(pairs: list[tuple[str, str]]) -> None:
    kept = drop_circles(map(to_ruling, pairs))
    left = {key for ruling in kept for key in (ruling.winner, ruling.loser)}
    while left:
        unbeaten = {k for k in left if not any(r.loser == k and r.winner in left for r in kept)}
        assert unbeaten, f"a circle among {sorted(left)}"
        left -= unbeaten


@given(st.permutations(KEYS), PAIRS, st.randoms())
def test_every_winner_stands_above_its_loser_and_nothing_is_lost(
    ranked: list[str], pairs: list[tuple[str, str]], random: Any
) -> None:
    rulings = [to_ruling(pair) for pair in pairs]
    ordered = order_by_rulings(ranked, rulings)
    assert sorted(ordered) == sorted(ranked)
    for ruling in drop_circles(rulings):
        assert ordered.index(ruling.winner) < ordered.index(ruling.loser)
    shuffled = random.sample(rulings, len(rulings))
    assert order_by_rulings(ranked, shuffled) == ordered


@given(st.permutations(KEYS), PAIRS)
def test_what_no_ruling_names_keeps_its_order(
    ranked: list[str], pairs: list[tuple[str, str]]
) -> None:
    named = {key for pair in pairs for key in pair}
    ordered = order_by_rulings(ranked, map(to_ruling, pairs))
    assert [k for k in ordered if k not in named] == [k for k in ranked if k not in named]


@given(st.permutations(KEYS), PAIRS)
def test_nobody_who_only_wins_falls_and_nobody_who_only_loses_passes_a_stranger(
    ranked: list[str], pairs: list[tuple[str, str]]
) -> None:
    kept = drop_circles(map(to_ruling, pairs))
    ordered = order_by_rulings(ranked, kept)
    losers, winners = {r.loser for r in kept}, {r.winner for r in kept}
    for one, two in combinations(ranked, 2):
        if ordered.index(one) > ordered.index(two):
            assert two in winners, f"{two} passed {one} and won against nobody"
        if two in losers - winners and one not in losers:
            assert ordered.index(one) < ordered.index(two)


AUTHORITY = st.sampled_from(["policy", "procedure", "help_article"])


def rulings_of(documents: list[Document], disputed: set[tuple[str, str]]) -> list[Ruling]:
    found = []
    for left, right in combinations(documents, 2):
        if (left.document_id, right.document_id) in disputed:
            ruling = rule_between(left, right, AUTHORITIES)
            found += [ruling] if ruling is not None else []
    return found


@given(st.lists(AUTHORITY, min_size=2, max_size=6), st.data())
def test_a_weaker_source_never_changes_a_stronger_ones_answer(
    authorities: list[str], data: Any
) -> None:
    documents = [make_document(f"d{n}", authority=name) for n, name in enumerate(authorities)]
    keys = [d.document_id for d in documents]
    disputed = {p for p in combinations([*keys, "weak"], 2) if data.draw(st.booleans())}
    ranked = data.draw(st.permutations([*keys, "weak"]))
    weak = make_document("weak", authority="crm_note")
    before = rulings_of(documents, disputed)
    after = rulings_of([*documents, weak], disputed)
    assert [r for r in after if "weak" not in (r.winner, r.loser)] == before
    assert not [r for r in after if r.winner == "weak"]
    alone = order_by_rulings([k for k in ranked if k != "weak"], before)
    beside = order_by_rulings(ranked, after)
    beats_weak = {r.winner for r in after if r.loser == "weak"}
    for one, two in combinations(alone, 2):
        # Only what overrules the weaker one, or overrules that, may come to stand higher for it.
        if beside.index(one) > beside.index(two):
            assert two in beats_weak | {r.winner for r in before}
