"""Every signal of one version, and what of it the model reads; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gaps.freshness.age import find_age, find_ending
from gaps.freshness.facts import ArticleFacts, Finding, World
from gaps.freshness.links import find_links
from gaps.freshness.redundancy import find_redundancy
from gaps.freshness.reports import find_reports
from gaps.freshness.standing import find_standing
from gaps.freshness.usefulness import find_usefulness
from gaps.freshness.world import find_world

HABIT: Mapping[str, str] = {
    "revisions": "edited often in the last year",
    "recent_revisions": "edited lately",
    "views": "read often",
    "uses": "used on many tickets",
}
"""Of how editors work: a busy article gets edited whether it was untrue or not."""
EVIDENCE: Mapping[str, str] = {
    "age": "overdue",
    "release": "a release named what it names",
    "releases_since": "releases since it was confirmed",
    "old_version": "names an old version",
    "vanished": "names what nobody speaks of any more",
    "new_terms": "its tickets speak of what it does not name",
    "date_passed": "names a date that has passed",
    "old_title": "its title names an old version",
    "tickets": "tickets it was used on came back",
    "told": "resolutions state something else",
    "followed": "requesters followed it in vain",
    "marked_wrong": "answers that showed it were marked wrong",
    "dead_link": "dead addresses",
    "falling": "helps less than it did",
    "shown_in_vain": "searches that showed it ended in a ticket",
}
"""Of untruth; more of each never lowers the probability."""


def find_signals(facts: ArticleFacts, world: World) -> list[Finding]:
    """Everything that speaks against a version, or for merging it, at a moment."""
    return [
        *find_age(facts, world),
        *find_ending(facts, world),
        *find_standing(facts),
        *find_reports(facts, world),
        *find_world(facts, world),
        *find_links(facts),
        *find_usefulness(facts, world),
        *find_redundancy(facts, world),
    ]


def feature_of(signal: str) -> str | None:
    """The feature that a signal counts under; None for rulings, dates and candidates to merge."""
    if signal.startswith("resolution_"):
        return "told"
    return signal if signal in EVIDENCE else None


def read_features(facts: ArticleFacts, findings: list[Finding]) -> dict[str, float]:
    """What the model reads: logarithms of counts; what is not known is left out.

    Returns:
        By names of `HABIT` and `EVIDENCE`; every name of `EVIDENCE` is there, 0 without a finding.
    """
    values = dict.fromkeys(EVIDENCE, 0.0)
    for finding in findings:
        name = feature_of(finding.signal)
        if name is not None:
            values[name] += math.log1p(max(0.0, finding.value))
    activity = facts.activity
    if activity.known:
        values["revisions"] = math.log1p(activity.revisions)
        values["recent_revisions"] = math.log1p(activity.recent_revisions)
        values["uses"] = math.log1p(facts.uses.year)
    if activity.views is not None:
        values["views"] = math.log1p(activity.views)
    return values
