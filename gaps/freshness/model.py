"""The probability that a version needs work, with each signal's part; pure but for reading.

A logistic regression over readable features, fitted by `bench/freshness.py` on dated help centres
and shipped beside its evaluation. What is ruled rather than guessed (replaced, ended, a lost
conflict, tickets counted) keeps a floor of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaps.freshness.facts import Finding, FreshnessReason
from gaps.freshness.signals import EVIDENCE, HABIT, feature_of

FARTHEST, FARTHEST_HABIT = 4.0, 10.0
"""Standard deviations at which a feature stops counting, so that no odd article is certain; habit
is capped as a whole (`MOST_BASE`)."""
MOST_BASE = 0.45
"""Habit alone comes near this and no further, in the order it says: an article that is edited often
is not untrue for it."""
SHIPPED = Path(__file__).parent / "freshness_model.json"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A probability and what it is made of."""

    probability: float
    base: float
    """Without any evidence: how often such articles need work in a quarter."""
    evidence: float
    """Of the evidence alone, 0 without any."""
    reasons: tuple[FreshnessReason, ...]
    """Heaviest first; `1 - (1 - base) * product of (1 - weight)` is the probability."""


@dataclass(frozen=True, slots=True)
class FreshnessModel:
    """Fitted weights; habit is read against its mean, evidence against its absence."""

    means: dict[str, float]
    scales: dict[str, float]
    weights: dict[str, float]
    intercept: float
    """Log odds of an article with average habits and no evidence."""
    evaluation: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, model: Mapping[str, Any]) -> FreshnessModel:
        return cls(**model)

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds to the log odds; 0 where it is not known."""
        return {
            key: weight * self._standardise(key, values[key]) if key in values else 0.0
            for key, weight in self.weights.items()
        }

    def _standardise(self, key: str, value: float) -> float:
        return standardise(key, value, self.means, self.scales)

    def judge(self, findings: Sequence[Finding], values: Mapping[str, float]) -> Judgement:
        """Combine findings into one probability.

        The model's evidence is shared out over the findings so that their complements multiply to
        it; a finding weighs its share or its floor, whichever is more.

        Args:
            findings: Of one version.
            values: What `read_features` reads of the same.
        """
        parts = self.contributions(values)
        habit = self.intercept + sum(parts.get(key, 0.0) for key in HABIT)
        base = MOST_BASE * (1.0 - math.exp(-_sigmoid(habit) / MOST_BASE))
        found = {key: parts.get(key, 0.0) for key in EVIDENCE if parts.get(key, 0.0) > 0}
        total = sum(found.values())
        raised = _sigmoid(habit + total)
        left = (1.0 - raised) / (1.0 - _sigmoid(habit))
        named = [feature_of(f.signal) for f in findings]
        reasons = []
        for finding, name in zip(findings, named, strict=True):
            share = found.get(name, 0.0) / total / named.count(name) if name in found else 0.0
            weight = max(finding.floor, 1.0 - left**share)
            reasons.append(FreshnessReason(finding.signal, weight, finding.evidence, finding.text))
        reasons.sort(key=lambda r: (-r.weight, r.signal, r.text))
        trusted = math.prod(1.0 - r.weight for r in reasons)
        return Judgement(1.0 - (1.0 - base) * trusted, base, 1.0 - trusted, tuple(reasons))


def standardise(
    key: str, value: float, means: Mapping[str, float], scales: Mapping[str, float]
) -> float:
    """A feature in standard deviations: habit from its mean, evidence from its absence."""
    habit = key in HABIT
    most = FARTHEST_HABIT if habit else FARTHEST
    return max(-most, min(most, (value - (means[key] if habit else 0.0)) / scales[key]))


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))


def read_shipped_model(path: Path = SHIPPED) -> FreshnessModel:
    """The model that comes with the product."""
    return FreshnessModel.from_json(json.loads(path.read_text(encoding="utf-8")))
