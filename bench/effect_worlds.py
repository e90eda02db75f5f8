"""Made-up weekly ticket counts with the troubles real ones have; seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOPICS = 200
PICKED = 10
TRIGGER = 4
OVERDISPERSION = 2.0
CORRELATION = 0.5
SHARED_SPREAD = 0.15
LEVELS = (5.0, 60.0)


@dataclass(frozen=True)
class World:
    """Counts of 200 topics, and those that were picked because they had just risen."""

    counts: np.ndarray
    """(topics, weeks): before, trigger, after."""
    picked: tuple[int, ...]
    known: int
    """Weeks before publication, trigger weeks included."""


def make_world(
    rng: np.random.Generator,
    *,
    known: int = 26,
    after: int = 12,
    level: float | None = None,
    effect: float = 1.0,
    rise: float = 1.0,
    random_pick: bool = False,
) -> World:
    """One knowledge base.

    Weekly counts are Poisson around level · shared shock · own shock; both shocks follow a
    first-order autoregression of 0.5, and the own one makes the variance twice the mean.

    Args:
        rng: Seeded.
        known: Weeks before publication.
        after: Weeks after it.
        level: Tickets a week of the first hundred topics, which alone can then be picked; left
            out, 5 to 60 and all can.
        effect: What the publication multiplies the rate by.
        rise: What the picked topics' rate is multiplied by from the trigger weeks on, for good.
        random_pick: Pick without looking.
    """
    weeks = known + after
    levels = np.exp(rng.uniform(*np.log(LEVELS), TOPICS))
    candidates = np.arange(TOPICS)
    if level is not None:
        levels[:100] = level
        candidates = candidates[:100]
    shared = SHARED_SPREAD * _autoregression(rng, 1, weeks)
    spread = np.sqrt(np.log1p((OVERDISPERSION - 1) / levels))[:, None]
    own = spread * _autoregression(rng, TOPICS, weeks) - spread**2 / 2
    rates = levels[:, None] * np.exp(shared + own)
    early = rng.poisson(rates[:, :known])
    picked = candidates
    if random_pick:
        picked = rng.choice(candidates, PICKED, replace=False)
    elif rise == 1.0:
        recent = early[candidates, -TRIGGER:].mean(axis=1)
        usual = early[candidates, :-TRIGGER].mean(axis=1)
        score = (recent - usual) / np.sqrt(usual + 1.0)
        picked = candidates[np.argsort(-score, kind="stable")[:PICKED]]
    else:
        picked = rng.choice(candidates, PICKED, replace=False)
        rates[picked, known - TRIGGER :] *= rise
        early = rng.poisson(rates[:, :known])
    rates[picked, known:] *= effect
    late = rng.poisson(rates[:, known:])
    return World(np.hstack([early, late]), tuple(int(p) for p in picked), known)


def _autoregression(rng: np.random.Generator, rows: int, weeks: int) -> np.ndarray:
    """Stationary, of unit variance."""
    noise = rng.standard_normal((rows, weeks))
    values = np.empty_like(noise)
    values[:, 0] = noise[:, 0]
    for week in range(1, weeks):
        values[:, week] = (
            CORRELATION * values[:, week - 1] + np.sqrt(1 - CORRELATION**2) * noise[:, week]
        )
    return values
