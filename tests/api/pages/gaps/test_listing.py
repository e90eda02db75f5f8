from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.gaps.listing import (
    GapQuery,
    Sort,
    choose_gaps,
    count_values,
    rule_place,
    weekly_rise,
)
from gaps.ranking.impact import pareto_count
from gaps.types import Gap, GapKind, GapStatus
from kb.types import Audience

START = datetime(2026, 9, 1, tzinfo=UTC)


def make_gap(gap_id: str, **said: object) -> Gap:
    plain = Gap(
        gap_id, f"top_{gap_id}", GapKind.MISSING, GapStatus.OPEN, "A gap", (), 10.0, 0.9, 1.0,
        Audience.PUBLIC, "ines", (), (), (), (), START, START,
    )  # fmt: skip
    return replace(plain, **said)  # type: ignore[arg-type]


GAPS = (
    make_gap("a", priority=10.0, impact_per_week=5.0, weekly_counts=(1, 1, 1, 1, 9, 9)),
    make_gap("b", priority=30.0, impact_per_week=3.0, kind=GapKind.STALE, owner="tom"),
    make_gap("c", priority=20.0, impact_per_week=9.0, first_seen_at=START + timedelta(days=3)),
    make_gap("d", status=GapStatus.DISMISSED, audience=Audience.INTERNAL, title="VPN drops",
             terms=("corvid",)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "order"),
    [("priority", "bca"), ("impact", "cab"), ("growth", "abc"), ("newest", "cba")],
)
def test_gaps_come_in_the_order_asked_for_whatever_order_they_are_in(sort: str, order: str) -> None:
    query = GapQuery(sort=Sort(sort))
    for gaps in (GAPS, GAPS[::-1]):
        assert "".join(gap.gap_id for gap in choose_gaps(gaps, query)) == order


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, "abc"),
        ({"status": "any"}, "abcd"),
        ({"status": "dismissed"}, "d"),
        ({"kind": "stale"}, "b"),
        ({"owner": "tom"}, "b"),
        ({"status": "any", "audience": "internal"}, "d"),
        ({"status": "any", "text": "DROPS corvid"}, "d"),
        ({"status": "any", "text": "drops nothing"}, ""),
        ({"kind": "'--", "sort": "x", "status": "x", "audience": "x", "offset": "-1"}, "abc"),
    ],
)
def test_filters_narrow_and_nonsense_counts_as_not_said(said: dict[str, str], found: str) -> None:
    chosen = choose_gaps(GAPS, GapQuery.parse(said))
    assert "".join(sorted(gap.gap_id for gap in chosen)) == found


def test_a_filter_counts_what_it_would_show_with_the_others_as_they_are() -> None:
    counts = count_values(GAPS, GapQuery(owner="ines"))
    assert counts["owner"] == {"ines": 2, "tom": 1}
    assert counts["kind"] == {"missing": 2}
    assert counts["status"] == {"open": 2, "dismissed": 1}


@given(
    st.builds(
        GapQuery,
        status=st.sampled_from(["any", *(s.value for s in GapStatus)]),
        kind=st.sampled_from(["", *(k.value for k in GapKind)]),
        owner=st.text(max_size=80),
        audience=st.sampled_from(["", *(a.value for a in Audience)]),
        text=st.text(max_size=40).map(lambda text: " ".join(text.split())),
        sort=st.sampled_from(list(Sort)),
        offset=st.integers(0, 9_999_999),
    )
)
def test_a_link_leads_back_to_the_same_query(query: GapQuery) -> None:
    address = urlsplit(query.link(offset=query.offset))
    assert address.path == "/gaps"
    assert not address.netloc
    assert GapQuery.parse(dict(parse_qsl(address.query))) == query


def test_another_filter_starts_at_the_first_page() -> None:
    assert GapQuery(offset=50).link(kind="stale") == "/gaps?kind=stale"


@given(st.lists(st.floats(0, 1e6), max_size=40))
def test_the_rule_of_falling_impacts_is_the_pareto_count(impacts: list[float]) -> None:
    falling = sorted(impacts, reverse=True)
    assert rule_place(falling) == pareto_count(impacts)


def test_the_rule_follows_the_order_shown() -> None:
    assert rule_place([1, 1, 8]) == 3
    assert rule_place([8, 1, 1]) == 1
    assert rule_place([]) == rule_place([0.0, 0.0]) == 0


def test_the_rise_compares_two_weeks_with_the_four_before() -> None:
    assert weekly_rise((7, 1, 1, 1, 1, 3, 5)) == 3.0
    assert weekly_rise((4, 4)) == 4.0
    assert weekly_rise(()) == 0.0
