"""The verdict on a version: hand-worked cases, with the reason a person reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.freshness import judge_freshness
from kb.types import FreshnessVerdict
from tests.kb.factories import NOW, make_document

VERIFIED = {"last_verified_at": NOW - timedelta(days=10)}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, list[str]]] = [
    ("verified in time", VERIFIED, {}, "fresh", []),
    ("never verified", {}, {}, "unknown", ["never verified by a person"]),
    (
        "a day over its interval",
        {"last_verified_at": NOW - timedelta(days=31), "review_every_days": 30},
        {},
        "due",
        ["last confirmed 31 days ago, due every 30 days"],
    ),
    ("on the last day", {"last_verified_at": NOW - timedelta(days=30), "review_every_days": 30},
     {}, "fresh", []),
    (
        "past twice its interval",
        {"last_verified_at": NOW - timedelta(days=61), "review_every_days": 30},
        {},
        "stale",
        ["last confirmed 61 days ago, due every 30 days"],
    ),
    (
        "the source's interval, where it names none",
        {"last_verified_at": NOW - timedelta(days=8)},
        {"review_every_days": 7},
        "due",
        ["last confirmed 8 days ago, due every 7 days"],
    ),
    ("the document's own interval before the source's", VERIFIED | {"review_every_days": 90},
     {"review_every_days": 7}, "fresh", []),
    (
        "half a year without one",
        {"last_verified_at": NOW - timedelta(days=181)},
        {},
        "due",
        ["last confirmed 181 days ago, due every 180 days"],
    ),
    ("about to end", VERIFIED | {"effective_until": NOW + timedelta(days=30)}, {}, "due",
     ["ends on 2026-12-21"]),
    ("ends later", VERIFIED | {"effective_until": NOW + timedelta(days=31)}, {}, "fresh", []),
    ("has ended", VERIFIED | {"effective_until": NOW}, {}, "superseded", ["ended on 2026-11-21"]),
    ("replaced", VERIFIED, {"superseded_by": ["z", "b"]}, "superseded", ["replaced by b, z"]),
    ("contradicted", VERIFIED, {"contradicted_by": ["z", "b"]}, "stale", ["contradicted by b, z"]),
    ("reported", VERIFIED, {"reported_stale": "three tickets say no"}, "stale",
     ["three tickets say no"]),
    ("replaced and contradicted", VERIFIED,
     {"superseded_by": ["b"], "contradicted_by": ["c"]}, "superseded",
     ["contradicted by c", "replaced by b"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "known", "verdict", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_each_verdict_has_its_reason(
    said: dict[str, Any], known: dict[str, Any], verdict: str, reasons: list[str]
) -> None:
    found = judge_freshness(make_document(**said), NOW, **known)
    assert (found.verdict.value, list(found.reasons)) == (verdict, reasons)


def test_age_counts_from_the_verification_else_from_the_text_and_is_never_negative() -> None:
    written = NOW - timedelta(days=400)
    assert judge_freshness(make_document(updated_at=written), NOW).age_days == 400
    verified = make_document(updated_at=written, last_verified_at=NOW - timedelta(hours=47))
    assert judge_freshness(verified, NOW).age_days == 1
    assert judge_freshness(make_document(updated_at=NOW + timedelta(days=3)), NOW).age_days == 0


@given(st.integers(0, 4_000), st.integers(0, 4_000), st.integers(1, 400))
def test_a_text_never_gets_fresher_by_waiting(first: int, more: int, interval: int) -> None:
    order = [FreshnessVerdict.FRESH, FreshnessVerdict.DUE, FreshnessVerdict.STALE]
    document = make_document(
        last_verified_at=datetime(2020, 1, 1, tzinfo=UTC), review_every_days=interval
    )
    early = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=first)
    verdicts = [
        judge_freshness(document, at).verdict for at in (early, early + timedelta(days=more))
    ]
    assert order.index(verdicts[0]) <= order.index(verdicts[1])
