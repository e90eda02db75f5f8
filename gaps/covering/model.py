"""What a topic looks like to the probability that no article answers it; pure but for reading.

A logistic regression over a few features, shipped as readable numbers, with a band inside
which it says *review* instead of guessing. Where it was fitted, and what it measured there, stands
in the file itself; `bench/coverage.py` writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

FEATURES: Mapping[str, str] = {
    "relative_exclusivity": "its best article is nearer to another topic",
    "relative_belonging": "the articles nearest to its tickets have nearer tickets elsewhere",
    "home_share": "few of its tickets are as near to their article as articles' own topics are",
    "sole": "another topic has the same best article",
}
"""Names, and what is wrong where one speaks against coverage. More of each never raises the
probability of a gap. How near an article is (`score`), its margin and the size of a topic are not
among them: they add nothing, or hold only for the sets they are fitted on (bench/README.md)."""
PRIOR_STRENGTH = 60
"""Topics that the fitted share of missing ones counts as, beside those at hand. With 60 (0, 20 and
60 were tried) the calibration error falls from .12 to .07 where a tenth is missing and stays where
it was at a half (bench/README.md)."""
ROUNDS = 50
FARTHEST = 4.0
"""Standard deviations at which a feature stops counting, so that no odd topic is certain."""
SHIPPED = Path(__file__).parent / "topic_coverage.json"


class Verdict(StrEnum):
    COVERED = "covered"
    MISSING = "missing"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class TopicCalibration:
    """A fitted probability of *missing*: weights on standardised features."""

    means: dict[str, float]
    scales: dict[str, float]
    weights: dict[str, float]
    intercept: float
    prior: float
    """Share of missing topics it was fitted on."""
    low: float
    high: float
    """Below `low` a topic is covered, above `high` missing, review between."""
    evaluation: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, model: Mapping[str, Any]) -> TopicCalibration:
        return cls(**model)

    def probability(self, values: Mapping[str, float]) -> float:
        """Chance that no article answers the topic, 0 to 1; the prior without any value."""
        if not values:
            return self.prior
        total = self.intercept + sum(self.contributions(values).values())
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds to the log odds, against the average topic; 0 where absent."""
        return {
            key: weight * self._standardise(key, values[key])
            for key, weight in self.weights.items()
            if key in values
        }

    def _standardise(self, key: str, value: float) -> float:
        return max(-FARTHEST, min(FARTHEST, (value - self.means[key]) / self.scales[key]))

    def likelihood_ratio(self, probability: float) -> float:
        """How much likelier the features are without an article than with one (Bayes' rule).

        What other evidence multiplies with, free of the share of gaps this was fitted on.
        """
        chance = min(max(probability, 1e-6), 1 - 1e-6)
        return chance / (1 - chance) * (1 - self.prior) / self.prior

    def adapt(self, probabilities: Sequence[float]) -> list[float]:
        """The probabilities at the share of missing topics that they themselves speak for.

        Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
        probabilities" (Neural Computation 14, 2002), the fitted share held on to as if it had been
        seen in `PRIOR_STRENGTH` topics more.
        """
        chances = np.clip(np.asarray(probabilities, float), 1e-6, 1 - 1e-6)
        odds = chances / (1 - chances) * (1 - self.prior) / self.prior
        share, adapted = self.prior, chances
        for _ in range(ROUNDS if len(chances) else 0):
            adapted = odds * share / (1 - share)
            adapted = adapted / (1 + adapted)
            total = adapted.sum() + self.prior * PRIOR_STRENGTH
            share = total / (len(chances) + PRIOR_STRENGTH)
        return [float(chance) for chance in adapted]

    def decide(self, probability: float) -> Verdict:
        if probability < self.low:
            return Verdict.COVERED
        return Verdict.MISSING if probability > self.high else Verdict.REVIEW


def read_shipped_calibration(path: Path = SHIPPED) -> TopicCalibration:
    """The calibration that comes with the product."""
    return TopicCalibration.from_json(json.loads(path.read_text(encoding="utf-8")))
