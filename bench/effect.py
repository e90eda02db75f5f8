"""How often a publication that did nothing is called a success, and how often one that helped is.

Simulated: `python -m bench.effect [--worlds 60] [--seed 1]`. Prints the tables of bench/README.md.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import statsmodels.api as sm
from scipy.stats import binom, norm

from bench.effect_worlds import TRIGGER, World, make_world
from gaps.effect.controls import match_controls
from gaps.effect.demand import Demand, judge_run, measure_demand
from gaps.effect.difference import fit_difference
from gaps.effect.weeks import Weeks

ALPHA = 0.05
SINGLE_WEEKS = 8
Test = Callable[[World, int], float]
"""One-sided p-value for "fewer ask" of one picked topic."""


def exact_before_after(world: World, topic: int) -> float:
    """As many weeks after as before, the two sums compared; what a dashboard does."""
    row = world.counts[topic]
    before = int(row[world.known - SINGLE_WEEKS : world.known].sum())
    after = int(row[world.known : world.known + SINGLE_WEEKS].sum())
    return float(binom.cdf(after, before + after, 0.5))


def weekly_difference(world: World, topic: int, scale: float | str) -> float:
    controls = [n for n in range(world.counts.shape[0]) if n not in world.picked][:24]
    rows = world.counts[[topic, *controls], : world.known + SINGLE_WEEKS]
    topics, weeks = rows.shape
    late = np.arange(weeks) >= world.known
    design = np.zeros((topics * weeks, topics + 2))
    design[np.arange(topics * weeks), np.repeat(np.arange(topics), weeks)] = 1.0
    design[:, topics] = np.tile(late, topics)
    design[:weeks, topics + 1] = late
    offset = np.tile(np.log(world.counts[:, :weeks].sum(axis=0)), topics)
    fitted = sm.GLM(rows.ravel(), design, family=sm.families.Poisson(), offset=offset).fit(
        scale=scale
    )
    return float(norm.cdf(fitted.params[-1] / fitted.bse[-1]))


def poisson_difference(world: World, topic: int) -> float:
    return weekly_difference(world, topic, 1.0)


def quasi_difference(world: World, topic: int) -> float:
    return weekly_difference(world, topic, "X2")


def weeks_of(world: World, topic: int, after: int) -> Weeks:
    row = [int(count) for count in world.counts[topic]]
    split = world.known - TRIGGER
    return Weeks(
        tuple(row[:split]), tuple(row[split : world.known]),
        tuple(row[world.known : world.known + after]),
    )  # fmt: skip


def series_of(world: World, after: int) -> tuple[dict[str, Weeks], Weeks, set[str]]:
    series = {f"t{n:03}": weeks_of(world, n, after) for n in range(world.counts.shape[0])}
    sums = world.counts.sum(axis=0)
    whole = World(sums[None, :], (), world.known)
    return series, weeks_of(whole, 0, after), {f"t{n:03}" for n in world.picked}


def measure_world(world: World, after: int) -> list[Demand]:
    """Ours, every picked topic by itself."""
    series, totals, picked = series_of(world, after)
    return [
        measure_demand(
            series[key],
            {k: v for k, v in series.items() if k != key},
            totals,
            excluded=picked - {key},
        )
        for key in sorted(picked)
    ]


def peek_weekly(world: World, topic: int, last: int) -> bool:
    """Our fit with a plain 5% test every week from the fourth: what spending prevents."""
    series, totals, picked = series_of(world, last)
    key = f"t{topic:03}"
    others = {k: v for k, v in series.items() if k != key}
    controls = [series[k] for k in match_controls(series[key], others, excluded=picked)]
    for look in range(4, last + 1):
        sums = [control.until(look) for control in controls]
        found = fit_difference(series[key].until(look), sums, totals.until(look))
        if norm.cdf(found.z_score) <= ALPHA:
            return True
    return False


def show(name: str, hits: int, tries: int) -> None:
    """One row; the interval is Wilson's."""
    share, z = hits / tries, 1.96
    middle = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    reach = z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    reach /= 1 + z * z / tries
    print(
        f"| {name} | {share:.1%} ({max(0.0, middle - reach):.1%}–{middle + reach:.1%}) |"
        f" {hits}/{tries} |", flush=True,
    )  # fmt: skip


def compare_tests(worlds: int, seed: int) -> None:
    """False "worked" of plain tests, at one look after eight weeks."""
    peeks = [
        ("our fit, 5% every week from 4 to 12, random topic", True),
        ("our fit, 5% every week from 4 to 12, picked topic", False),
    ]
    for name, random_pick in peeks:
        rng = np.random.default_rng(seed)
        found = [make_world(rng, random_pick=random_pick) for _ in range(worlds)]
        hits = sum(peek_weekly(world, topic, 12) for world in found for topic in world.picked[:5])
        show(name, hits, 5 * worlds)
    tests: list[tuple[str, Test, bool]] = [
        ("exact Poisson before/after, random topic", exact_before_after, True),
        ("exact Poisson before/after, picked topic", exact_before_after, False),
        ("Poisson difference-in-differences", poisson_difference, False),
        ("quasi-Poisson difference-in-differences, trigger weeks kept", quasi_difference, False),
    ]
    for name, test, random_pick in tests:
        rng = np.random.default_rng(seed)
        hits = tries = 0
        for _ in range(worlds):
            world = make_world(rng, random_pick=random_pick)
            hits += sum(test(world, topic) <= ALPHA for topic in world.picked)
            tries += len(world.picked)
        show(name, hits, tries)


def count_verdicts(
    worlds: int, seed: int, after: int, **said: float
) -> tuple[Counter[str], Counter[str]]:
    """Verdicts with each topic measured alone, and with the ten of a world adjusted together."""
    rng = np.random.default_rng(seed)
    alone: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for _ in range(worlds):
        world = make_world(rng, after=max(after, SINGLE_WEEKS), **said)  # type: ignore[arg-type]
        found = measure_world(world, after)
        alone.update(demand.verdict for demand in found)
        together.update(demand.verdict for demand in judge_run(found))
    return alone, together


def print_ours(
    name: str, found: tuple[Counter[str], Counter[str]], verdicts: tuple[str, ...]
) -> None:
    for how, counts in zip(("alone", "ten together"), found, strict=True):
        for verdict in verdicts:
            show(f"{name}, {how}: {verdict}", counts[verdict], counts.total())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("plain", "null", "power", "other"))
    said = parser.parse_args()
    worlds, seed, both = said.worlds, said.seed, ("worked", "worse")
    if said.only in (None, "plain"):
        compare_tests(worlds, seed)
    if said.only in (None, "null"):
        for known in (26, 13):
            found = count_verdicts(worlds, seed, 16, known=known)
            print_ours(f"no effect, {known} weeks known, weekly looks to 16", found, both)
        found = count_verdicts(worlds, seed, 16, random_pick=True)
        print_ours("no effect, topics picked at random, 26 known, looks to 16", found, both)
    if said.only in (None, "power"):
        for known, after in ((26, 4), (26, 6), (26, 8), (13, 8), (13, 12)):
            found = count_verdicts(worlds, seed + 1, after, level=20.0, effect=0.5, known=known)
            print_ours(f"−50% at 20 a week, {known} known, {after} after", found, both[:1])
    if said.only in (None, "other"):
        for level, effect, after in ((100.0, 0.7, 8), (20.0, 0.7, 8), (20.0, 2.0, 8)):
            found = count_verdicts(worlds, seed + 2, after, level=level, effect=effect)
            print_ours(f"times {effect:g} at {level:g} a week, 8 after", found, both)
        found = count_verdicts(worlds, seed + 3, 12, level=20.0, rise=3.0)
        print_ours("risen threefold for good before, no effect, 12 after", found, both)


if __name__ == "__main__":
    main()
