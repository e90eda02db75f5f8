"""What the ranking looks like to the probability that it answers; pure.

A logistic regression over a handful of features, fitted on a frozen question set and stored as
readable numbers (`Calibration`). No single cosine decides: within one product the best article's
cosine was seen to separate answered from unanswered tickets at an AUROC of only 0.58.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FEATURES = (
    "semantic_top",
    "semantic_margin",
    "title_top",
    "term_share",
    "term_share_best",
    "rarest_missing",
    "agreement",
)


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
        total = self.intercept
        for key, weight in self.weights.items():
            total += weight * (features[key] - self.means[key]) / self.scales[key]
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
