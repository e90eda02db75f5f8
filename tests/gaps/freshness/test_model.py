"""The probability: floors hold, reasons multiply to it, habit alone never shouts."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaps.freshness.facts import Finding
from gaps.freshness.model import MOST_BASE, FreshnessModel, Judgement, read_shipped_model
from gaps.freshness.signals import EVIDENCE, HABIT, find_signals, read_features
from gaps.freshness.verdicts import CheckVerdict, pareto_line, rank_by_damage, report_on
from tests.gaps.freshness.factories import make_facts, make_world

MODEL = FreshnessModel(
    means={"revisions": 1.0},
    scales={"revisions": 0.5, "followed": 0.7, "old_version": 0.7},
    weights={"revisions": 1.0, "followed": 0.8, "old_version": 0.4},
    intercept=-2.5,
    evaluation={},
)
FOLLOWED = Finding("followed", "in vain", ("T-1",), 0.1, 2.0)
OLD = Finding("old_version", "names 102", value=1.0)
VALUES = {"followed": 1.1, "old_version": 0.7}


def whole(judged: Judgement) -> float:
    return 1.0 - (1.0 - judged.base) * prod(1.0 - r.weight for r in judged.reasons)


def test_the_reasons_multiply_to_the_probability_and_the_heavier_comes_first() -> None:
    judged = MODEL.judge([OLD, FOLLOWED], VALUES)
    assert judged.probability == pytest.approx(whole(judged))
    assert [r.signal for r in judged.reasons] == ["followed", "old_version"]
    assert judged.probability > judged.base


def test_without_evidence_only_the_base_is_left() -> None:
    judged = MODEL.judge([], {})
    assert judged.reasons == () and judged.evidence == 0.0
    assert judged.probability == pytest.approx(judged.base) == pytest.approx(0.0698, abs=1e-3)


def test_a_floor_holds_where_the_model_says_less() -> None:
    hard = Finding("superseded", "replaced by b", ("b",), 0.97, 1.0)
    assert MODEL.judge([hard], {}).probability > 0.97


def test_habit_alone_is_capped_and_never_stale() -> None:
    judged = MODEL.judge([], {"revisions": 50.0})
    assert judged.probability <= MOST_BASE
    facts = make_facts()
    assert report_on(facts, judged, ("help_article",)).verdict is CheckVerdict.FRESH


@given(st.dictionaries(st.sampled_from([*EVIDENCE, *HABIT]), st.floats(0, 1e6), max_size=8))
def test_more_evidence_never_lowers_the_probability(values: dict[str, float]) -> None:
    model = read_shipped_model()
    findings = [
        Finding("resolution_value" if key == "told" else key, "x", value=v)
        for key, v in values.items()
        if key in EVIDENCE
    ]
    bare = {key: v for key, v in values.items() if key in HABIT}
    with_evidence, without = model.judge(findings, values), model.judge([], bare)
    assert 0.0 <= without.probability <= with_evidence.probability + 1e-9 <= 1.0 + 1e-9
    assert with_evidence.probability == pytest.approx(whole(with_evidence))


def test_the_shipped_model_does_not_shout_at_a_young_base() -> None:
    facts = make_facts()
    findings = find_signals(facts, make_world())
    judged = read_shipped_model().judge(findings, read_features(facts, findings))
    assert judged.probability < 0.15


def test_damage_ranks_and_the_pareto_line_closes_most_of_it() -> None:
    judged = [MODEL.judge([FOLLOWED] * n, VALUES) for n in (1, 2, 3)]
    reports = rank_by_damage([report_on(make_facts(), j, ("help_article",)) for j in judged])
    assert pareto_line(reports) == 0
    costly = [replace(r, damage=d) for r, d in zip(reports, (1.0, 8.0, 1.0), strict=True)]
    assert pareto_line(rank_by_damage(costly)) == 1
    assert pareto_line(rank_by_damage(costly), 0.9) == 2
