"""Fits the probability that a version needs work on dated help centres; pure, owns sklearn's model.

Each interval between two snapshots has a level of its own, for one is long and another short; what
is kept is how articles of one interval differ.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gaps.freshness.model import FreshnessModel, standardise
from gaps.freshness.signals import EVIDENCE, HABIT
from kb.errors import InvalidInputError

INVERSE_REGULARISATION = 0.3
LEVEL_SCALE = 10.0
"""Of the intervals' own columns, so that regularisation hardly touches them."""
FEWEST_OF_A_KIND = 20
LEAST_SEEN = 5
"""Examples that must have a feature for it to get a weight."""


@dataclass(frozen=True, slots=True)
class Example:
    """One version at one date with what became of it."""

    values: Mapping[str, float]
    changed: bool
    group: str
    """The interval; examples of one interval share a level."""


def fit_model(
    examples: Sequence[Example],
    *,
    share: float,
    features: Collection[str] = (*HABIT, *EVIDENCE),
    evaluation: Mapping[str, Any] | None = None,
) -> FreshnessModel:
    """Weights by ridge logistic regression (sklearn); evidence never speaks for truth.

    Args:
        examples: What `read_features` read, with the truth.
        share: Of versions that need work within a quarter: sets the level that is shipped.
        features: Those that may get a weight.
        evaluation: Where they are from and what was measured, kept in the file.

    Raises:
        InvalidInputError: Fewer than 20 examples of either kind.
    """
    labels = np.asarray([example.changed for example in examples], bool)
    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < FEWEST_OF_A_KIND:
        raise InvalidInputError(
            f"freshness needs {FEWEST_OF_A_KIND} versions of each kind; the rarer has {fewest}"
        )
    names = [name for name in (*HABIT, *EVIDENCE) if name in features]
    names = [n for n in names if sum(e.values.get(n, 0.0) > 0 for e in examples) >= LEAST_SEEN]
    means, scales = _measure(examples, names)
    groups = [example.group for example in examples]
    levels, sizes = _levels(groups), Counter(groups)
    # Intervals count alike, however many articles their help centre has.
    weights_of = [len(examples) / len(sizes) / sizes[group] for group in groups]
    while True:
        rows = np.asarray(
            [
                [
                    standardise(n, e.values[n], means, scales) if n in e.values else 0.0
                    for n in names
                ]
                for e in examples
            ],
            float,
        ).reshape(len(examples), len(names))
        model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=2_000, fit_intercept=False)
        model.fit(np.hstack([rows, levels]), labels, sample_weight=weights_of)
        weights = dict(zip(names, model.coef_[0], strict=False))
        wrong = [n for n in names if n in EVIDENCE and weights[n] <= 0.0]
        if not wrong:
            break
        names = [n for n in names if n not in wrong]
    return FreshnessModel(
        means={n: round(means[n], 5) for n in names},
        scales={n: round(scales[n], 5) for n in names},
        weights={n: round(float(weights[n]), 5) for n in names},
        intercept=round(math.log(share / (1.0 - share)), 5),
        evaluation=dict(evaluation or {}),
    )


def _measure(
    examples: Sequence[Example], names: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    means, scales = {}, {}
    for name in names:
        held = np.asarray([e.values[name] for e in examples if name in e.values], float)
        means[name] = float(held.mean()) if len(held) else 0.0
        spread = float(held.std()) if len(held) else 0.0
        scales[name] = spread if spread > 1e-9 else 1.0
    return means, scales


def _levels(groups: Sequence[str]) -> NDArray[np.float64]:
    known = sorted(set(groups))
    return np.asarray([[LEVEL_SCALE * (g == k) for k in known] for g in groups], float)


def quarter_share(shares: Sequence[tuple[float, float]]) -> float:
    """Share that changes within 90 days, of shares over intervals of other lengths.

    A constant rate is assumed in each interval; intervals weigh by their length.

    Args:
        shares: Share changed, 0 to below 1, and days.
    """
    days = sum(length for _, length in shares)
    rate = sum(-math.log(1.0 - min(share, 0.99)) for share, _ in shares) / max(days, 1.0)
    return 1.0 - math.exp(-90.0 * rate)
