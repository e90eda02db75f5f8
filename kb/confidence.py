"""What the ranking looks like to the probability that it answers; pure.

A logistic regression over a handful of features, fitted on questions whose outcome is known and
stored as readable numbers (`Calibration`). No single cosine decides: within one product the best
article's cosine was seen to separate answered from unanswered tickets at an AUROC of only 0.58.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FEATURES: Mapping[str, str] = {
    "semantic_top": "no passage is close to the question",
    "semantic_margin": "no document stands out as the closest",
    "title_top": "no title is close to the question",
    "term_share": "the first hit holds few of the question's words",
    "rarest_missing": "a rare word of the question is in none of the first hits",
    "agreement": "the closest document is not the one the words point to",
    "chance": "the ranking is undecided between documents",
    "centre": "the first hit solved no similar question before",
}
"""Names, and what is wrong where one speaks against an answer."""
AGAINST = frozenset({"rarest_missing"})
"""More of these never raises the probability; more of the others never lowers it."""
FARTHEST = 4.0
"""Standard deviations at which a feature stops counting, so that no odd question is certain."""
UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted confidence: weights on standardised features."""

    name: str
    means: dict[str, float]
    scales: dict[str, float]
    weights: dict[str, float]
    intercept: float
    threshold: float
    """Probability from which on a query counts as answerable."""
    evaluation: dict[str, Any]
    ranking: str | None = None
    """The learned model whose ranking it was fitted on; None for the unlearned one."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, model: Mapping[str, Any]) -> Calibration:
        return cls(**model)

    @property
    def is_current(self) -> bool:
        """Whether it was fitted on the features this program computes."""
        return set(self.weights) == set(FEATURES)

    def probability(self, features: Mapping[str, float]) -> float:
        """Chance that the first hits answer, 0 to 1."""
        if not features:
            return 0.0
        total = self.intercept + sum(self.contributions(features).values())
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def contributions(self, features: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds to the log odds, against the average question."""
        return {
            key: weight * self._standardise(key, features[key])
            for key, weight in self.weights.items()
        }

    def _standardise(self, key: str, value: float) -> float:
        return max(-FARTHEST, min(FARTHEST, (value - self.means[key]) / self.scales[key]))

    def find_doubts(self, features: Mapping[str, float], most: int = 2) -> list[str]:
        """What speaks most against an answer, in words, strongest first."""
        against = sorted((added, key) for key, added in self.contributions(features).items())
        return [FEATURES[key] for added, key in against[:most] if added < 0]
