"""Does it know which topics the knowledge base answers?

    python bench/coverage.py --data DIR [--work DIR] [--json FILE] [--fit FILE]

Half the intents of a question set get an article of a few phrases, the others none; topics are
found as the product finds them, with its own number of them, and every topic is judged by a
calibration fitted on the other sets. `--fit` writes the one fitted on all. Method and figures:
bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coverage_data import (
    FILES,
    OUT_OF_SCOPE,
    QuestionSet,
    World,
    find_data,
    find_groups,
    read_set,
    write_articles,
)
from numpy.typing import NDArray

from gaps.covering.features import Places, TopicFeatures, fill_similarities, measure_closeness
from gaps.covering.features import measure_topics as measure
from gaps.covering.fitting import Example, fit_calibration, with_band
from gaps.covering.judging import find_diffuse, find_members
from gaps.covering.model import FEATURES, TopicCalibration, Verdict
from kb.encoding.choosing import choose_encoder
from kb.metrics import auroc, expected_calibration_error
from kb.ports import Vectors

SEEDS = (1, 2, 3)
DRAWS = 10
DRAWS_OF_OTHER_SHARES = 5
PHRASES = (3, 10)
HIDDEN_SHARES = (0.25, 0.5, 0.75)
DEPTH = 10
"""Documents a ticket's list holds in the product (gaps.finding.coverage.DEPTH)."""
GATE = 0.75
"""Cosine from which FreeITSM's per-ticket check, as the project's notes on peers describe it, takes
a ticket as answered."""
MEASURED = ("clinc150", "banking77")
FITTED = ("clinc150", "banking77", "bitext")
"""NatCS, spoken and loosely labelled, is left out and only judged: see bench/README.md."""
FITTED_SHARE = 0.5
OUT_OF_SCOPE_TEXTS = 1_200
"""Of CLINC150, all its parts together."""
SINGLE = (
    *FEATURES,
    "exclusivity",
    "belonging",
    "contrast",
    "score",
    "best",
    "margin",
    "above_share",
    "winner_share",
    "log_size",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One draw: topics with features and truth."""

    name: str
    seed: int
    phrases: int
    hidden_share: float
    topics: list[TopicFeatures]
    missing: NDArray[np.bool_]
    """By topic: more than half of its tickets have no article."""
    purity: NDArray[np.float64]
    out_of_scope: NDArray[np.int_]
    """Out-of-scope texts in each topic, strays left out."""
    out_of_scope_share: NDArray[np.float64]
    """Of each topic, strays included."""
    diffuse: NDArray[np.bool_]
    ticket: dict[str, float]

    @property
    def usable(self) -> list[int]:
        """Topics with features; with fewer than three tickets the product decides nothing."""
        return [place for place, found in enumerate(self.topics) if "exclusivity" in found.values]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    lacking = find_data(options.data)
    if lacking is not None:
        print(lacking, file=sys.stderr)
        return 2
    made = tempfile.TemporaryDirectory() if options.work is None else nullcontext(options.work)
    with made as work:
        report, shipped = run(options.data, Path(work))
    told = json.dumps(report, indent=1)
    if options.json is not None:
        options.json.write_text(told + "\n", encoding="utf-8")
    if options.fit is not None:
        options.fit.write_text(json.dumps(shipped.to_json(), indent=1) + "\n", encoding="utf-8")
    print(told)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="coverage", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--fit", type=Path, help="write the calibration fitted on every set here")
    return parser.parse_args(arguments)


def run(data: Path, work: Path) -> tuple[dict[str, Any], TopicCalibration]:
    encoder = choose_encoder(cache=Path.home() / ".cache" / "kbops")
    drawn: dict[str, list[Drawn]] = {}
    full: dict[str, list[Drawn]] = {}
    for name in FILES:
        questions = read_set(name, data, work, encoder)
        groups = {seed: find_groups(questions, seed) for seed in SEEDS}
        drawn[name] = draw_all(questions, groups, HIDDEN_SHARES, to_depth)
        if name in MEASURED:
            full[name] = draw_all(questions, groups, (0.5,), as_it_is)
        print(f"{name}: {[len(found) for found in groups.values()]} topics", file=sys.stderr)
    stray_set = read_set("clinc150", data, work, encoder, out_of_scope=True)
    groups = {seed: find_groups(stray_set, seed) for seed in SEEDS}
    strays = draw_all(stray_set, groups, (0.5,), to_depth)
    report: dict[str, Any] = {}
    for name in FILES:
        calibration = fit(choose(drawn, [other for other in FITTED if other != name]))
        report[name] = describe_set(drawn[name], full.get(name), calibration)
    alone = {"clinc150": "banking77", "banking77": "clinc150"}
    report["fitted_on_one_other_set"] = {
        name: describe_conditions(drawn[name], fit(choose(drawn, [other])))
        for name, other in alone.items()
    }
    calibration = fit(choose(drawn, [name for name in FITTED if name != "clinc150"]))
    report["out_of_scope"] = describe_out_of_scope(strays, calibration)
    shipped = fit(choose(drawn, FITTED), {"judged_without_the_set": condense(report)})
    report["shipped"] = {
        key: value for key, value in shipped.to_json().items() if key != "evaluation"
    }
    return report, shipped


def choose(drawn: dict[str, list[Drawn]], names: Sequence[str]) -> list[Drawn]:
    """What is fitted on: half of the intents hidden, as every figure's main row."""
    return [one for name in names for one in drawn[name] if one.hidden_share == FITTED_SHARE]


def condense(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What the shipped file says of itself: each set judged by a fit without it."""
    kept = ("auroc", "f1_missing", "review_share", "error_outside")
    told = {}
    for name in FILES:
        for phrases in PHRASES:
            found = report[name]["conditions"][f"{phrases} phrases, {FITTED_SHARE:.0%} hidden"]
            told[f"{name}, {phrases} phrases"] = {key: found[key][0] for key in kept} | {
                "calibration_error": found["calibration_error"]
            }
    return told


def to_depth(world: World) -> tuple[Vectors, Vectors]:
    """What the product knows: each ticket's ten nearest documents, by way of its own lists."""
    order = np.argsort(-world.cosines, axis=1, kind="stable")[:, :DEPTH]
    ranked = {
        f"{row:06}": [(f"{column:06}", float(world.cosines[row, column])) for column in columns]
        for row, columns in enumerate(order.tolist())
    }
    filled = fill_similarities(ranked)
    return filled.cosines, filled.floors


def as_it_is(world: World) -> tuple[Vectors, Vectors]:
    """The whole matrix; only the floor is the tenth document's, as `contrast` is defined by it."""
    depth = min(DEPTH, world.cosines.shape[1])
    floors = -np.partition(-world.cosines, depth - 1, axis=1)[:, depth - 1]
    return world.cosines, floors


def draw_all(
    questions: QuestionSet,
    groups_by_seed: dict[int, list[Places]],
    shares: Sequence[float],
    view: Callable[[World], tuple[Vectors, Vectors]],
) -> list[Drawn]:
    found = []
    for phrases in PHRASES:
        for share in shares:
            for draw in range(DRAWS if share == FITTED_SHARE else DRAWS_OF_OTHER_SHARES):
                seed = 1_000 * draw + 10 * phrases + round(4 * share)
                world = write_articles(questions, phrases=phrases, hidden_share=share, seed=seed)
                cosines, floors = view(world)
                for topic_seed, groups in groups_by_seed.items():
                    one = _describe_draw(questions, world, groups, cosines, floors)
                    found.append(Drawn(questions.name, topic_seed, phrases, share, *one))
    return found


def _describe_draw(
    questions: QuestionSet, world: World, groups: list[Places], cosines: Vectors, floors: Vectors
) -> tuple[Any, ...]:
    kept = [group[find_members(questions.vectors[group])] for group in groups]
    cohesion = [float(measure_closeness(questions.vectors[group]).mean()) for group in kept]
    stray = questions.intents == OUT_OF_SCOPE
    lacking = world.hidden | stray
    shares = np.asarray([lacking[group].mean() for group in groups])
    return (
        measure(cosines, floors, kept),
        shares > 0.5,
        np.maximum(shares, 1 - shares),
        np.asarray([stray[group].sum() for group in kept]),
        np.asarray([stray[group].mean() for group in groups]),
        find_diffuse(np.asarray(cohesion)),
        _measure_tickets(world, ~stray),
    )


def _measure_tickets(world: World, counted: NDArray[np.bool_]) -> dict[str, float]:
    """Deciding by ticket: the nearest article's cosine, and a fixed gate on it."""
    nearest, hidden = world.cosines.max(axis=1)[counted], world.hidden[counted]
    said = nearest < GATE
    return {
        "auroc": float(auroc((-nearest).tolist(), hidden.tolist()) or 0.0),
        "gate_accuracy": float((said == hidden).mean()),
        "gate_f1": f1(said, hidden),
        "gate_said_missing": float(said.mean()),
    }


def f1(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (said & truth).sum() / max(1, said.sum() + truth.sum()))


def fit(drawn: Sequence[Drawn], evaluation: dict[str, Any] | None = None) -> TopicCalibration:
    """Weights on everything; the band on probabilities stated by weights of the other half of the
    draws, or of the other sets where there are several."""
    parts = sorted({one.name for one in drawn})
    by_part: list[list[Drawn]] = [[one for one in drawn if one.name == part] for part in parts]
    if len(parts) == 1:
        by_part = [list(drawn[0::2]), list(drawn[1::2])]
    stated: list[float] = []
    truth: list[bool] = []
    for held in by_part:
        rest = [
            example
            for part in by_part
            if part is not held
            for one in part
            for example in examples(one)
        ]
        judge = fit_calibration(rest)
        for example in (example for one in held for example in examples(one)):
            stated.append(judge.probability(example.values))
            truth.append(example.missing)
    everything = [example for one in drawn for example in examples(one)]
    told = {
        "fitted_on": ", ".join(parts),
        "topics": len(everything),
        "hidden_shares": sorted({one.hidden_share for one in drawn}),
        "phrases": sorted({one.phrases for one in drawn}),
        **(evaluation or {}),
    }
    return with_band(fit_calibration(everything, evaluation=told), stated, truth)


def examples(one: Drawn) -> list[Example]:
    return [Example(one.topics[at].values, bool(one.missing[at])) for at in one.usable]


def describe_set(
    drawn: Sequence[Drawn], full: Sequence[Drawn] | None, calibration: TopicCalibration
) -> dict[str, Any]:
    """Every condition of one set, judged by a calibration that has not seen the set."""
    even = [one for one in drawn if one.hidden_share == 0.5]
    told: dict[str, Any] = {
        "topics": round(float(np.mean([len(one.topics) for one in even])), 1),
        "purity": summarise([float(one.purity.mean()) for one in even]),
        "conditions": describe_conditions(drawn, calibration),
        "single": {
            str(phrases): {
                key: summarise(_single(key, [o for o in even if o.phrases == phrases]))
                for key in SINGLE
            }
            for phrases in PHRASES
        },
        "per_ticket": {
            str(phrases): {
                key: summarise([one.ticket[key] for one in even if one.phrases == phrases])
                for key in even[0].ticket
            }
            for phrases in PHRASES
        },
    }
    if full is not None:
        told["full_matrix"] = describe_conditions(full, calibration)
    return told


def _single(key: str, drawn: Sequence[Drawn]) -> list[float]:
    return [
        float(
            auroc(
                [-one.topics[at].values[key] for at in one.usable],
                [bool(one.missing[at]) for at in one.usable],
            )
            or 0.0
        )
        for one in drawn
    ]


def describe_conditions(drawn: Sequence[Drawn], calibration: TopicCalibration) -> dict[str, Any]:
    told = {}
    for phrases in PHRASES:
        for share in HIDDEN_SHARES:
            some = [o for o in drawn if o.phrases == phrases and o.hidden_share == share]
            if some:
                told[f"{phrases} phrases, {share:.0%} hidden"] = measure_model(some, calibration)
    return told


def measure_model(drawn: Sequence[Drawn], calibration: TopicCalibration) -> dict[str, Any]:
    """Means and spread over draws; the calibration error over all draws together, ten bins."""
    by_draw: dict[str, list[float]] = {}
    pooled: tuple[list[float], list[bool]] = ([], [])
    for one in drawn:
        stated = [calibration.probability(one.topics[at].values) for at in one.usable]
        chances = np.asarray(calibration.adapt(stated))
        truth = one.missing[one.usable]
        for key, value in _measure_draw(chances, stated, truth, calibration).items():
            by_draw.setdefault(key, []).append(value)
        pooled[0].extend(chances.tolist())
        pooled[1].extend(truth.tolist())
    told: dict[str, Any] = {key: summarise(values) for key, values in by_draw.items()}
    told["calibration_error"] = round(expected_calibration_error(*pooled), 3)
    return told


def _measure_draw(
    chances: NDArray[np.float64],
    stated: Sequence[float],
    truth: NDArray[np.bool_],
    calibration: TopicCalibration,
) -> dict[str, float]:
    """Of the chances as adapted to the draw, and the verdicts, which stand on those before."""
    said = chances > 0.5
    verdicts = [calibration.decide(chance) for chance in stated]
    review = np.asarray([verdict is Verdict.REVIEW for verdict in verdicts])
    called = np.asarray([verdict is Verdict.MISSING for verdict in verdicts])
    wrong = (called != truth) & ~review
    return {
        "auroc": float(auroc(chances.tolist(), truth.tolist()) or 0.0),
        "accuracy": float((said == truth).mean()),
        "f1_missing": f1(said, truth),
        "review_share": float(review.mean()),
        "error_outside": float(wrong.sum() / max(1, (~review).sum())),
        "missing_called_covered": float((truth & ~called & ~review).sum() / max(1, truth.sum())),
        "covered_called_missing": float((~truth & called).sum() / max(1, (~truth).sum())),
    }


def describe_out_of_scope(drawn: Sequence[Drawn], calibration: TopicCalibration) -> dict[str, Any]:
    """Share of the out-of-scope texts that count as tickets of a topic called missing."""
    told: dict[str, Any] = {}
    for phrases in PHRASES:
        rows: dict[str, list[float]] = {}
        for one in (one for one in drawn if one.phrases == phrases):
            for key, value in _count_out_of_scope(one, calibration).items():
                rows.setdefault(key, []).append(value)
        told[f"{phrases} phrases"] = {key: summarise(values) for key, values in rows.items()}
    return told


def _count_out_of_scope(one: Drawn, calibration: TopicCalibration) -> dict[str, float]:
    chances = np.asarray([calibration.probability(topic.values) for topic in one.topics])
    called = (chances > calibration.high) & ~one.diffuse
    mostly = one.out_of_scope_share > 0.5
    return {
        "in_topics_called_missing": float(one.out_of_scope[called].sum() / OUT_OF_SCOPE_TEXTS),
        "chance_over_half_and_not_diffuse": float(
            one.out_of_scope[(chances > 0.5) & ~one.diffuse].sum() / OUT_OF_SCOPE_TEXTS
        ),
        "diffuse_allowed": float(
            one.out_of_scope[chances > calibration.high].sum() / OUT_OF_SCOPE_TEXTS
        ),
        "topics_called_missing": float(called.sum()),
        "of_them_mostly_out_of_scope": float((called & mostly).sum()),
        "f1_missing_in_scope": f1((chances > 0.5)[~mostly], one.missing[~mostly]),
    }


def summarise(values: Sequence[float]) -> list[float]:
    """Mean and standard deviation over draws."""
    return [round(float(np.mean(values)), 3), round(float(np.std(values)), 3)]


if __name__ == "__main__":
    raise SystemExit(main())
