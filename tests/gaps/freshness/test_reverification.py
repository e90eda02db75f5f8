from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gaps.freshness.facts import ArticleFacts, FreshnessReason, Shown, Uses
from gaps.freshness.reverification import NEEDED_USES, find_doubt, find_ready
from gaps.freshness.verdicts import CheckVerdict, FreshnessReport
from kb.types import Governance
from tests.gaps.freshness.factories import make_facts

AGE = FreshnessReason("age", 0.1, (), "last confirmed 400 days ago")
GOOD = Uses(linked=NEEDED_USES - 4)
SHOWN = Shown(rated=4)


def used(**known: Any) -> ArticleFacts:
    return make_facts(**{"uses": GOOD, "shown": SHOWN, **known})


def due(*more: FreshnessReason, verdict: CheckVerdict = CheckVerdict.DUE) -> FreshnessReport:
    return FreshnessReport("a", 1, verdict, 0.1, 0.02, 0.0, (AGE, *more))


def test_due_only_by_age_and_used_well_is_ready() -> None:
    assert find_doubt(used(), due()) is None
    assert find_ready([used()], [due()]) == {
        "a": "due only by its age; 10 uses with a known outcome in 90 days, none ended badly"
    }


@pytest.mark.parametrize(
    ("article", "report", "why"),
    [
        (used(), due(verdict=CheckVerdict.STALE), "it is stale"),
        (used(), due(verdict=CheckVerdict.FRESH), "it is fresh"),
        (used(), due(FreshnessReason("moved_link", 0.0, (), "")), "moved_link"),
        (used(uses=Uses(linked=30, failed=1)), due(), "1 uses ended badly"),
        (used(shown=Shown(rated=30, bad=2)), due(), "2 uses ended badly"),
        (used(shown=Shown()), due(), "6 uses with a known outcome, 10 are needed"),
        (used(said={"last_verified_at": None}), due(), "no person ever confirmed it"),
        (used(said={"governance": Governance.COMPLIANCE}), due(), "compliance needs people"),
    ],
)
def test_anything_else_is_for_a_person(
    article: ArticleFacts, report: FreshnessReport, why: str
) -> None:
    doubt = find_doubt(article, report)
    assert doubt is not None and why in doubt
    assert find_ready([article], [report]) == {}


def test_what_a_rule_confirmed_is_a_persons_the_next_time() -> None:
    article = used()
    by_rule = replace(article.document, verified_by="kbops (earned rule rul_1)")
    doubt = find_doubt(replace(article, document=by_rule), due())
    assert doubt == "it was confirmed without a person the last time"
    by_person = replace(article.document, verified_by="ines")
    assert find_doubt(replace(article, document=by_person), due()) is None
