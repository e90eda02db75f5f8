from __future__ import annotations

from gaps.grouping.joining import group_by_failed_article, merge_by_markers


def group(prefix: str, *numbers: int) -> frozenset[str]:
    return frozenset(f"{prefix}{number}" for number in numbers)


def people(*groups: frozenset[str]) -> dict[str, str]:
    return {key: f"r-{key}" for found in groups for key in found}


def alike(_left: frozenset[str], _right: frozenset[str]) -> float:
    return 1.0


def test_failures_of_an_article_join_the_group_that_is_about_it() -> None:
    main, stray = group("a", *range(8)), group("x", 1, 2, 3)
    failed = dict.fromkeys([*main, *stray], "guide")
    [joined] = group_by_failed_article([main], failed, people(main, stray))
    assert joined == main | stray


def test_failures_of_another_article_leave_a_group() -> None:
    main, other = group("a", *range(8)), group("b", 1, 2, 3)
    failed = dict.fromkeys(main, "refund") | dict.fromkeys(other, "warranty")
    groups = group_by_failed_article([main | other], failed, people(main, other))
    assert set(groups) == {main, other}


def test_two_people_failing_on_an_article_are_no_topic() -> None:
    two = group("b", 1, 2)
    assert group_by_failed_article([], dict.fromkeys(two, "guide"), people(two)) == []


def test_a_name_no_document_knows_joins_groups_and_strays() -> None:
    one, two, stray = group("a", *range(6)), group("b", *range(5)), group("s", 1)
    other = group("o", *range(6))
    holders = {"corvid": sorted(one | two | stray)}
    groups = merge_by_markers([one, two, other], holders, people(one, two, stray, other), alike)
    assert set(groups) == {one | two | stray, other}


def test_a_name_spread_over_everything_joins_nothing() -> None:
    groups = [group(name, *range(5)) for name in "abcd"]
    holders = {"thing": ["a0", "a1", "b0", "c0", "c1", "d0", "d1", "b1"]}
    holders["thing"] = [key for key in holders["thing"] if key[0] in "ab"] + ["c0", "d0"]
    assert set(merge_by_markers(groups, holders, people(*groups), alike)) == set(groups)


def test_an_ordinary_word_no_document_holds_joins_nothing_that_is_unlike() -> None:
    one, two = group("a", *range(6)), group("b", *range(5))
    holders = {"number": sorted(one | two)}
    groups = merge_by_markers([one, two], holders, people(one, two), lambda _one, _two: 0.1)
    assert set(groups) == {one, two}
