"""What differs between the answer that was served and today's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kb.comparing import compare_hits


def hit(document_id: str, version: int = 1, **said: Any) -> dict[str, Any]:
    return {"document_id": document_id, "version": version, "freshness": "fresh", **said}


def changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = compare_hits(before, after, by="document_id")
    return [(c.kind, c.hit, c.before, c.after, c.what) for c in found]


def test_each_kind_of_change_is_told_once() -> None:
    before = [hit("a"), hit("b"), hit("c"), hit("d")]
    after = [hit("a", 2), hit("c"), hit("e"), hit("d", freshness="stale")]
    assert changes(before, after) == [
        ("version_changed", "a", 1, 2, ""),
        ("gone", "b", 2, None, ""),
        ("moved", "c", 3, 2, ""),
        ("verdict_changed", "d", "fresh", "stale", "freshness"),
        ("new", "e", None, 3, ""),
    ]


def test_what_an_older_search_did_not_keep_is_not_compared() -> None:
    assert changes([hit("a")], [hit("a", overruled_by="b", authority="policy")]) == []
    assert changes([hit("a", overruled_by=None)], [hit("a", overruled_by="b")]) == [
        ("verdict_changed", "a", None, "b", "overruled_by")
    ]


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(names, names)
def test_the_changes_lead_from_one_answer_to_the_other(before: list[str], after: list[str]) -> None:
    found = compare_hits([hit(n) for n in before], [hit(n) for n in after], by="document_id")
    gone = {c.hit for c in found if c.kind == "gone"}
    new = {c.hit: c.after for c in found if c.kind == "new"}
    moved = {c.hit: c.after for c in found if c.kind == "moved"}
    places = {name: moved.get(name, before.index(name) + 1) for name in before if name not in gone}
    rebuilt = places | new
    assert sorted(rebuilt, key=lambda name: rebuilt[name]) == after
    assert (found == []) == (before == after)
