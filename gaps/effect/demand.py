"""Whether fewer people ask: the verdict on a topic's weeks after a publication; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy.stats import norm

from gaps.effect.controls import FEWEST_CONTROLS, FEWEST_TICKETS, match_controls
from gaps.effect.difference import Difference, adjust_p_values, fit_difference
from gaps.effect.planning import ALPHA, MOST_WEEKS, find_weeks_needed, plan_dispersion
from gaps.effect.spending import FIRST_LOOK, information, repeated_p_value
from gaps.effect.weeks import FEWEST_BASELINE_WEEKS, Weeks

WORKED, WORSE = "worked", "worse"
NO_EFFECT, NOT_YET = "no_effect_shown", "not_yet_measurable"


@dataclass(frozen=True, slots=True)
class Demand:
    """What the weekly counts of a topic say, and how sure that is."""

    verdict: str
    why: str
    weeks_after: int
    weeks_needed: int | None = None
    """Weeks after publication that the plan asks for; None where no plan can be made."""
    controls: tuple[str, ...] = ()
    difference: Difference | None = None
    """At the last look; None before the first."""
    p_worked: float = 1.0
    """Over all looks so far, one-sided."""
    p_worse: float = 1.0
    risen_before: bool = False
    """Whether the topic is not shown to be higher than right before publication either: then a
    rate above the baseline's may have come before it, and is not its doing."""

    @property
    def is_measured(self) -> bool:
        return self.difference is not None

    def to_json(self) -> dict[str, Any]:
        """As it is stored within the report of an effect."""
        found = self.difference
        return {
            "verdict": self.verdict,
            "why": self.why,
            "weeks_after": self.weeks_after,
            "weeks_needed": self.weeks_needed,
            "control_topics": len(self.controls),
            "rate_ratio": round(found.ratio, 4) if found else None,
            "rate_ratio_low": round(found.low, 4) if found else None,
            "rate_ratio_high": round(found.high, 4) if found else None,
            "dispersion": round(found.dispersion, 3) if found else None,
            "p_worked": round(self.p_worked, 5),
            "p_worse": round(self.p_worse, 5),
            "control_topic_ids": list(self.controls),
        }


def measure_demand(
    topic: Weeks, others: Mapping[str, Weeks], totals: Weeks, *, excluded: Collection[str] = ()
) -> Demand:
    """Hold a topic's weeks after publication against those of matched control topics.

    A look is taken after every week from the fourth to the one the plan asks for, so that it does
    not matter how often anybody measures; what comes after the planned week changes nothing.

    Args:
        topic: With the publication.
        others: Series by topic id over the same weeks.
        totals: All tickets over the same weeks.
        excluded: Topics with a publication of their own in these weeks.
    """
    after = len(topic.after)
    refusal = _refuse_topic(topic, after)
    if refusal is not None:
        return refusal
    controls = match_controls(topic, others, excluded=excluded)
    if len(controls) < FEWEST_CONTROLS:
        return _not_yet(
            after,
            f"only {len(controls)} other topic(s) are alike enough to compare with, at least"
            f" {FEWEST_CONTROLS} are needed",
            controls=controls,
        )
    series = [others[key] for key in controls]
    weekly = sum(topic.before) / len(topic.before)
    dispersion = plan_dispersion([topic, *series], totals)
    needed = find_weeks_needed(weekly, len(topic.before), dispersion, len(controls))
    if needed is None:
        return _not_yet(
            after,
            f"at {weekly:.1f} tickets a week even a halving would not show within {MOST_WEEKS}"
            " weeks",
            controls=controls,
        )
    if after < FIRST_LOOK:
        return _not_yet(
            after,
            f"{after} whole week(s) since publication: about {needed - after} more week(s) until a"
            f" halving would show at {weekly:.1f} tickets a week",
            weeks_needed=needed, controls=controls,
        )  # fmt: skip
    return _look(topic, series, totals, replace(_not_yet(after, ""), weeks_needed=needed,
                                                controls=controls))  # fmt: skip


def _refuse_topic(topic: Weeks, after: int) -> Demand | None:
    if len(topic.before) < FEWEST_BASELINE_WEEKS:
        return _not_yet(
            after,
            f"{len(topic.before)} week(s) are known from before those that made the gap, at least"
            f" {FEWEST_BASELINE_WEEKS} are needed",
        )
    if sum(topic.before) < FEWEST_TICKETS:
        return _not_yet(
            after,
            f"the topic is too young or too small: {sum(topic.before)} ticket(s) in the"
            f" {len(topic.before)} weeks before those that made the gap",
        )
    return None


def _not_yet(after: int, why: str, **said: Any) -> Demand:
    return Demand(NOT_YET, why, after, **said)


def _look(topic: Weeks, controls: Sequence[Weeks], totals: Weeks, start: Demand) -> Demand:
    needed = start.weeks_needed or FIRST_LOOK
    looks = list(range(FIRST_LOOK, needed + 1))
    taken = [look for look in looks if look <= start.weeks_after]
    found = []
    for look in taken:
        sums = [control.until(look) for control in controls]
        both = totals.until(look)
        if min(both) == 0 or sum(after for _, after in sums) == 0:
            return replace(start, why="no ticket at all came in since publication")
        found.append(fit_difference(topic.until(look), sums, both))
    shares = information(len(topic.before), looks)
    scores = [one.z_score for one in found]
    measured = replace(
        start,
        difference=found[-1],
        p_worked=repeated_p_value([-score for score in scores], shares),
        p_worse=repeated_p_value(scores, shares),
        risen_before=not _is_beyond_trigger(topic, controls, totals, taken[-1]),
    )
    return judge_demand(measured, measured.p_worked, measured.p_worse)


def _is_beyond_trigger(topic: Weeks, controls: Sequence[Weeks], totals: Weeks, look: int) -> bool:
    """Whether more is asked than in the weeks left out too, one-sided at `ALPHA`.

    Those weeks were picked for being high, so this errs towards not blaming the publication.
    """
    pairs = [(sum(one.left_out), sum(one.after[:look])) for one in (topic, *controls, totals)]
    own, *others, both = pairs
    if min(both) == 0 or min(sum(pair[side] for pair in others) for side in (0, 1)) == 0:
        return False
    beside = [pair for pair in others if sum(pair) > 0]
    return len(beside) > 1 and fit_difference(own, beside, both).z_score >= norm.isf(ALPHA)


def judge_run(demands: Sequence[Demand]) -> list[Demand]:
    """The verdicts of one run, with the p-values of all its topics adjusted together."""
    measured = [place for place, one in enumerate(demands) if one.is_measured]
    worked = adjust_p_values([demands[place].p_worked for place in measured])
    worse = adjust_p_values([demands[place].p_worse for place in measured])
    found = list(demands)
    for place, q_worked, q_worse in zip(measured, worked, worse, strict=True):
        found[place] = judge_demand(demands[place], q_worked, q_worse)
    return found


def judge_demand(demand: Demand, q_worked: float, q_worse: float) -> Demand:
    """The verdict on a measured topic.

    Args:
        demand: With a difference and a plan.
        q_worked: p-value for "worked", adjusted for the topics measured beside it.
        q_worse: The same for "worse".
    """
    found, needed = demand.difference, demand.weeks_needed
    if found is None or needed is None:
        return demand
    said = (
        f"{found.ratio:.2f} times the tickets that {len(demand.controls)} like topics lead one to"
        f" expect (95% interval {found.low:.2f} to {found.high:.2f})"
    )
    weeks = min(demand.weeks_after, needed)
    if q_worked <= ALPHA and q_worked <= q_worse:
        return replace(demand, verdict=WORKED, why=f"after {weeks} weeks {said}")
    if q_worse <= ALPHA:
        if not demand.risen_before:
            return replace(demand, verdict=WORSE, why=f"after {weeks} weeks {said}")
        return replace(
            demand, verdict=NO_EFFECT,
            why=f"more is asked than long before, but not surely more than right before: {said}",
        )  # fmt: skip
    if demand.weeks_after < needed:
        return replace(
            demand, verdict=NOT_YET,
            why=f"about {needed - demand.weeks_after} more week(s) until a halving would show: so"
            f" far {said}",
        )  # fmt: skip
    return replace(demand, verdict=NO_EFFECT, why=f"after {weeks} weeks {said}")
