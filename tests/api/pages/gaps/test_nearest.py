from __future__ import annotations

from dataclasses import replace

from api.pages.gaps.nearest import Asked, find_nearest
from gaps.types import Reason
from tests.api.pages.gaps.test_listing import make_gap

GAP = replace(
    make_gap("a"),
    document_ids=("vpn",),
    reasons=(
        Reason("linked_article_failed", "“VPN” was linked and did not help", ("vpn", "T-1")),
        Reason("asked", "found by these tickets", ("T-1",)),
    ),
)


def test_what_the_gap_is_about_comes_first_then_what_is_found_most_often() -> None:
    asked = [Asked(0.2, ("refunds", "hr")), Asked(0.1, ("refunds",)), Asked(0.4, ("hr", "refunds"))]
    near = find_nearest(GAP, asked)
    assert [one.document_id for one in near] == ["vpn", "refunds", "hr"]
    assert near[0].reasons == (
        "“VPN” was linked and did not help.",
        "None of the 3 questions finds it among the first 3.",
    )
    assert near[1].reasons == (
        "3 of 3 questions find it among the first 3; where it comes first, search is 15 % "
        "sure that it answers.",
    )


def test_nothing_is_claimed_before_coverage_is_known() -> None:
    near = find_nearest(GAP, [])
    assert [one.reasons for one in near] == [("“VPN” was linked and did not help.",)]
    assert find_nearest(make_gap("b"), []) == []


def test_results_nobody_looks_at_do_not_count_and_five_are_enough() -> None:
    deep = Asked(0.1, ("a", "b", "c", "too-deep"))
    assert [one.document_id for one in find_nearest(make_gap("b"), [deep])] == ["a", "b", "c"]
    many = [Asked(0.1, (f"d{n}",)) for n in range(9)]
    assert len(find_nearest(make_gap("b"), many)) == 5
