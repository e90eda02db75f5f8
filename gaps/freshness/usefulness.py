"""Whether a version helps less than it did; pure.

Helped and not helped are counted over the last 30 days and the 60 before; both shares get a Beta
posterior from a common prior, and only a fall that such counts seldom show by chance is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import beta

from gaps.freshness.facts import ArticleFacts, Finding, World

PRIOR_STRENGTH = 8.0
"""As in gaps/freshness/reports.py."""
SURE = 0.9
"""Probability that the later share is lower, from which on the fall is told."""
FEWEST = 4
GRID = 200
FALL_FLOOR, ENDED_FLOOR = 0.25, 0.15


def fall_probability(
    bad_before: int, all_before: int, bad_late: int, all_late: int, usual: float
) -> float:
    """Chance that the late share of bad outcomes is the higher one.

    Beta posteriors with a prior worth 8 outcomes at the usual share, integrated on a grid
    of quantiles (independent Betas, Gelman et al., Bayesian Data Analysis, 3rd ed., §5.3).
    """
    usual = min(0.98, max(0.02, usual))
    a, b = PRIOR_STRENGTH * usual, PRIOR_STRENGTH * (1.0 - usual)
    before = beta(a + bad_before, b + all_before - bad_before)
    late = beta(a + bad_late, b + all_late - bad_late)
    steps = [(step + 0.5) / GRID for step in range(GRID)]
    return float(before.cdf(late.ppf(steps)).mean())


def share_interval(bad: int, total: int, usual: float) -> tuple[float, float]:
    """Middle 80% of the posterior of a share of bad outcomes."""
    usual = min(0.98, max(0.02, usual))
    a, b = PRIOR_STRENGTH * usual + bad, PRIOR_STRENGTH * (1.0 - usual) + total - bad
    low, high = beta.ppf([0.1, 0.9], a, b)
    return float(low), float(high)


def find_usefulness(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """A fall of what helped, and searches that showed it and ended in a ticket."""
    uses, shown = facts.uses, facts.shown
    late = uses.linked_month + shown.rated_month
    bad_late = uses.failed_month + shown.bad_month
    total, bad = uses.linked + shown.rated, uses.failed + shown.bad
    if late >= FEWEST and bad_late:
        sure = fall_probability(bad - bad_late, total - late, bad_late, late, world.failure_share)
        if sure >= SURE:
            low, high = share_interval(bad_late, late, world.failure_share)
            text = (
                f"{bad_late} of {late} uses failed in 30 days ({low:.0%} to {high:.0%}), "
                f"{bad - bad_late} of {total - late} in the 60 before"
            )
            yield Finding("falling", text, uses.failed_tickets[:10], FALL_FLOOR, sure)
    ended = shown.ended_in_ticket
    if len(ended) >= 2:
        share = len(ended) / max(1, shown.quarter)
        text = f"{len(ended)} of {shown.quarter} searches that showed it ended in a ticket"
        yield Finding("shown_in_vain", text, ended[:20], ENDED_FLOOR * min(1.0, 2 * share), share)
