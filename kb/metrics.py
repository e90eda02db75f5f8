"""Retrieval and calibration measures; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def ndcg(ranked: Sequence[str], grades: Mapping[str, float], depth: int = 10) -> float:
    """Normalised discounted cumulative gain with linear gains (Järvelin and Kekäläinen, 2002).

    Returns:
        0 to 1; 0 where nothing is relevant.
    """
    gained = sum(
        grades.get(key, 0.0) / math.log2(place + 1)
        for place, key in enumerate(ranked[:depth], start=1)
    )
    ideal = sum(
        grade / math.log2(place + 1)
        for place, grade in enumerate(sorted(grades.values(), reverse=True)[:depth], start=1)
    )
    return gained / ideal if ideal > 0 else 0.0


def recall(ranked: Sequence[str], relevant: Sequence[str], depth: int) -> float:
    """Share of the relevant documents among the first `depth`; 0 where none is relevant."""
    wanted = set(relevant)
    return len(wanted & set(ranked[:depth])) / len(wanted) if wanted else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Sequence[str]) -> float:
    wanted = set(relevant)
    return next((1 / place for place, key in enumerate(ranked, start=1) if key in wanted), 0.0)


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """Chance that a positive scores above a negative, ties counting half; None without both."""
    positive = [s for s, label in zip(scores, labels, strict=True) if label]
    negative = [s for s, label in zip(scores, labels, strict=True) if not label]
    if not positive or not negative:
        return None
    ordered = np.sort(np.asarray(negative))
    below = np.searchsorted(ordered, positive, side="left")
    upto = np.searchsorted(ordered, positive, side="right")
    return float(np.mean((below + upto) / 2) / len(negative))


def expected_calibration_error(
    probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10
) -> float:
    """Mean gap between stated and observed shares over equal-width bins (Naeini et al., 2015)."""
    if not probabilities:
        return 0.0
    stated = np.asarray(probabilities, float)
    observed = np.asarray(outcomes, float)
    places = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = [
        abs(stated[places == b].mean() - observed[places == b].mean()) * (places == b).mean()
        for b in range(bins)
        if (places == b).any()
    ]
    return float(sum(gaps))


def bootstrap_interval(
    values: Sequence[float], *, seed: int = 20_261_121, draws: int = 2_000
) -> tuple[float, float] | None:
    """95% percentile bootstrap interval of the mean (Efron, 1979); None without values."""
    if not values:
        return None
    sample = np.asarray(values, float)
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(sample), size=(draws, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def bootstrap_statistic(
    measure: Callable[[Sequence[float], Sequence[bool]], float | None],
    stated: Sequence[float],
    outcomes: Sequence[bool],
    *,
    seed: int = 20_261_121,
    draws: int = 500,
) -> tuple[float, float] | None:
    """As `bootstrap_interval`, of a measure over questions; None where it cannot be measured.

    A calibration error cannot be below 0, and drawing with repetition adds to it: its interval
    lies rather too high than too low.
    """
    if not stated or measure(stated, outcomes) is None:
        return None
    chances, seen = np.asarray(stated, float), np.asarray(outcomes, bool)
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        picks = generator.integers(0, len(chances), size=len(chances))
        value = measure(chances[picks].tolist(), seen[picks].tolist())
        if value is not None:
            found.append(value)
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95% interval of a share (Wilson, 1927); does not vanish where all or none are hits."""
    z = 1.959964
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def coverage_curve(
    stated: Sequence[float], outcomes: Sequence[bool], steps: int = 10
) -> list[dict[str, Any]]:
    """Accuracy if only the most confident were answered (El-Yaniv and Wiener, 2010).

    Returns:
        A point for each tenth: `{"coverage", "questions", "threshold", "accuracy", "interval"}`.
        Questions as confident as the last of a tenth count with it.
    """
    chances = np.asarray(stated, float)
    seen = np.asarray(outcomes, float)
    curve: list[dict[str, Any]] = []
    ordered = np.sort(chances)[::-1]
    for step in range(1, steps + 1):
        last = math.ceil(len(chances) * step / steps) - 1
        if last < 0:
            break
        kept = chances >= ordered[last]
        if curve and curve[-1]["questions"] == int(kept.sum()):
            continue
        curve.append(
            {
                "coverage": float(kept.mean()),
                "questions": int(kept.sum()),
                "threshold": float(ordered[last]),
                "accuracy": float(seen[kept].mean()),
                "interval": wilson_interval(int(seen[kept].sum()), int(kept.sum())),
            }
        )
    return curve
