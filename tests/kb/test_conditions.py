from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.conditions import (
    DENIALS,
    MOST_COMPARISONS,
    MOST_DEPTH,
    OPERATORS,
    check_size,
    matches,
    read_attributes,
    read_kept,
)
from kb.freshness import judge_freshness
from kb.types import Condition, Conditions
from tests.kb.factories import make_document

ATTRIBUTES: dict[str, Any] = {
    "title": "Reset the Router", "version": 3, "labels": ("vpn", "home office"), "url": None,
    "products": (), "updated_at": datetime(2026, 5, 1, 12, tzinfo=UTC), "note": "",
}  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.tuples(inner, inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("key", "operator", "value", "met"),
    [
        ("title", "eq", "Reset the Router", True),
        ("title", "eq", "reset the router", False),
        ("title", "contains", "ROUTER", True),
        ("title", "not_contains", "router", False),
        ("title", "starts_with", "reset", True),
        ("title", "starts_with", "router", False),
        ("title", "ends_with", "router", True),
        ("title", "ends_with", "reset", False),
        ("title", "in", ("x", "Reset the Router"), True),
        ("title", "not_in", ("x", "Reset the Router"), False),
        ("title", "gt", "Aaa", True),
        ("version", "eq", 3, True),
        ("version", "eq", "3", True),
        ("version", "eq", "three", False),
        ("version", "eq", True, False),
        ("version", "ne", 4, True),
        ("version", "gt", 2, True),
        ("version", "gt", 3, False),
        ("version", "gte", 3, True),
        ("version", "lt", 3, False),
        ("version", "lte", 3.0, True),
        ("version", "in", (1, 3), True),
        ("version", "lt", "many", False),
        ("labels", "eq", "vpn", True),
        ("labels", "contains", "office", True),
        ("labels", "ne", "vpn", False),
        ("labels", "ne", "wifi", True),
        ("labels", "not_in", ("wifi", "lan"), True),
        ("labels", "empty", None, False),
        ("products", "empty", None, True),
        ("products", "not_empty", None, False),
        ("note", "empty", None, True),
        ("url", "empty", None, True),
        ("url", "eq", "https://example.org", False),
        ("url", "ne", "https://example.org", True),
        ("unheard", "eq", "x", False),
        ("unheard", "not_contains", "x", True),
        ("updated_at", "before", "2026-05-02", True),
        ("updated_at", "before", "2026-05-01", False),
        ("updated_at", "after", "2026-05-01", True),
        ("updated_at", "after", "2026-05-01T14:00:00+02:00", False),
        ("updated_at", "gte", "2026-05-01T14:00:00+02:00", True),
        ("updated_at", "lt", datetime(2026, 5, 2, tzinfo=UTC).timestamp(), True),
        ("updated_at", "before", "yesterday", False),
        ("updated_at", "after", 1e300, False),
        ("title", "before", "2026-05-02", False),
    ],
)  # fmt: skip
def test_each_operator_means_what_it_says(key: str, operator: str, value: Any, met: bool) -> None:
    assert matches(Condition(key, operator, value), ATTRIBUTES) is met


def test_groups_are_all_or_any() -> None:
    yes, no = Condition("version", "eq", 3), Condition("version", "eq", 4)
    assert matches(Conditions("and", (yes, yes)), ATTRIBUTES)
    assert not matches(Conditions("and", (yes, no)), ATTRIBUTES)
    assert matches(Conditions("or", (no, Conditions("and", (yes,)))), ATTRIBUTES)
    assert not matches(Conditions("or", (no, no)), ATTRIBUTES)


@given(st.sampled_from(sorted(OPERATORS)), st.sampled_from([*ATTRIBUTES, "unheard"]), VALUES)
def test_no_value_breaks_a_comparison_and_denials_are_opposites(
    operator: str, key: str, value: Any
) -> None:
    met = matches(Condition(key, operator, value), ATTRIBUTES)
    assert isinstance(met, bool)
    if operator in DENIALS:
        assert met is not matches(Condition(key, DENIALS[operator], value), ATTRIBUTES)


def test_what_is_too_deep_or_too_much_is_told() -> None:
    leaf = Condition("version", "eq", 1)
    deep: Condition | Conditions = leaf
    for _ in range(MOST_DEPTH):
        deep = Conditions("and", (deep,))
    assert check_size(leaf) is None and check_size(deep) is None
    assert "deep" in str(check_size(Conditions("or", (deep,))))
    assert check_size(Conditions("or", (leaf,) * MOST_COMPARISONS)) is None
    assert "comparisons" in str(check_size(Conditions("or", (leaf,) * (MOST_COMPARISONS + 1))))


def test_a_kept_condition_is_read_back() -> None:
    where = Conditions(
        "and",
        (Condition("labels", "in", ("a", "b")), Conditions("or", (Condition("url", "empty"),))),
    )
    assert read_kept(json.loads(json.dumps(asdict(where)))) == where
    assert read_kept(None) is None


def test_attributes_are_what_a_document_says_of_itself() -> None:
    document = make_document("help-1")
    now = datetime(2026, 11, 21, tzinfo=UTC)
    found = read_attributes(document, judge_freshness(document, now))
    assert found["document_id"] == "help-1" and found["audience"] == "public"
    assert not {"approved_by", "customer", "supersedes", "path"} & found.keys()
