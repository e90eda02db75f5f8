"""How well the service's probability finds articles that are edited or retired next.

Replays dated help centres through the product (sync, ticket import, freshness check at the day of
each snapshot) and ranks the articles of each day. The model judged on an interval is fitted on all
other intervals only. `--write` ships the model fitted on everything, with these figures beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from freshness_data import COMMERCE, Snapshot, read_commerce, read_thunderbird
from freshness_replay import Row, read_rows, replay
from numpy.typing import NDArray
from thunderbird_data import FOLDER

from gaps.freshness.fitting import Example, fit_model, quarter_share
from gaps.freshness.model import SHIPPED, FreshnessModel
from gaps.freshness.signals import EVIDENCE, HABIT

LARGE = ("2023-06-08", "2024-07-04")
RESAMPLES = 1_000
MANY = 400
FOLD = 5
"""Months that are judged by one model."""
SEED = 20261121
Interval = tuple[Snapshot, list[Row]]
Scores = NDArray[np.float64]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, help="Keep the replayed bases here.")
    parser.add_argument("--write", action="store_true", help="Ship the model fitted on everything.")
    arguments = parser.parse_args()
    missing = _find_missing(arguments.data)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        replayed = (
            replay(read_thunderbird(arguments.data), work, tickets=arguments.data / FOLDER),
            replay(read_commerce(arguments.data), work, conflicts=False),
        )
    thunderbird, commerce = (
        [(snapshot, read_rows(all_of, conflicts=False)) for snapshot, all_of in base]
        for base in replayed
    )
    print(json.dumps(report(thunderbird, commerce, write=arguments.write), indent=1))
    return 0


def _find_missing(data: Path | None) -> str | None:
    if data is None:
        return "name the folder that holds the data sets with --data DIR"
    wanted = [data / FOLDER / "kb_changes.jsonl.gz", data / COMMERCE / "events.jsonl.gz"]
    missing = [str(path) for path in wanted if not path.is_file()]
    return f"no {', '.join(missing)}; data is read, never downloaded" if missing else None


def report(
    thunderbird: Sequence[Interval], commerce: Sequence[Interval], *, write: bool
) -> dict[str, Any]:
    """Figures of both sets, and where told the shipped model."""
    found = {
        "thunderbird": _measure_large(thunderbird, commerce),
        "commerce": _measure_months(thunderbird, commerce),
    }
    everything = [*thunderbird, *commerce]
    model = _fit(everything, (*HABIT, *EVIDENCE))
    found["shipped"] = {"weights": model.weights, "intercept": model.intercept}
    found["calibration"] = _calibration(thunderbird, commerce)
    if write:
        told = {"fitted_on": "sumo_thunderbird_dev, commerce_kb_dev", **found}
        told.pop("shipped")
        shipped = _fit(everything, (*HABIT, *EVIDENCE), told)
        SHIPPED.write_text(json.dumps(shipped.to_json(), indent=1) + "\n", encoding="utf-8")
    return found


def to_examples(intervals: Sequence[Interval]) -> list[Example]:
    """Of the commerce months one unchanged article in four, by its hash.

    Every interval has a level of its own, so that leaving out unchanged ones moves no weight
    (case-control sampling, Prentice and Pyke, Biometrika 1979).
    """
    return [
        Example(judged.values, judged.changed, f"{snapshot.day}:{len(all_of)}")
        for snapshot, all_of in intervals
        for judged in all_of
        if judged.changed or len(all_of) < MANY or _is_kept(judged.document_id, snapshot.day)
    ]


def _is_kept(document_id: str, day: str) -> bool:
    return hashlib.sha256(f"{document_id}@{day}".encode()).digest()[0] % 4 == 0


def _fit(
    intervals: Sequence[Interval],
    features: Collection[str],
    evaluation: Mapping[str, Any] | None = None,
) -> FreshnessModel:
    shares = [(np.mean([j.changed for j in all_of]), s.days) for s, all_of in intervals]
    share = quarter_share([(float(changed), float(days)) for changed, days in shares])
    examples = to_examples(intervals)
    return fit_model(examples, share=share, features=features, evaluation=evaluation)


def _probabilities(model: FreshnessModel, judged: Sequence[Row]) -> Scores:
    return np.asarray([model.judge(j.findings, j.values).probability for j in judged], float)


def lift(changed: Sequence[bool], scores: Scores) -> float:
    """Average precision over the base rate; 1 is chance."""
    truth = np.asarray(changed, bool)
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    # Articles of one score are one step: their order among each other says nothing.
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    precision = hits[ends] / (ends + 1)
    recall = np.diff(np.append(0, hits[ends])) / truth.sum()
    return float((precision * recall).sum() / truth.mean())


def bootstrap(changed: Sequence[bool], scores: Scores) -> list[float]:
    """Middle 95% of the lift over resampled articles."""
    generator = np.random.default_rng(SEED)
    truth, values = np.asarray(changed, bool), np.asarray(scores, float)
    found = []
    for _ in range(RESAMPLES):
        rows = generator.integers(0, len(truth), len(truth))
        if truth[rows].any():
            found.append(lift(truth[rows], values[rows]))
    return [round(float(v), 2) for v in np.percentile(found, [2.5, 97.5])]


def _say(changed: Sequence[bool], scores: Scores) -> dict[str, Any]:
    return {"lift": round(lift(changed, scores), 2), "interval": bootstrap(changed, scores)}


def _measure_large(thunderbird: Sequence[Interval], commerce: Sequence[Interval]) -> dict[str, Any]:
    """Each large interval, judged by a model that never saw it."""
    found: dict[str, Any] = {}
    for day in LARGE:
        others = [i for i in thunderbird if i[0].day != day]
        snapshot, judged = next(i for i in thunderbird if i[0].day == day)
        changed = [j.changed for j in judged]
        rows = {
            name: _say(changed, np.asarray([float(said.get(j.document_id, 0.0)) for j in judged]))
            for name, said in snapshot.single.items()
        }
        read = [j.values for j in judged]
        for name in (*HABIT, *EVIDENCE):
            values = np.asarray([v.get(name, 0.0) for v in read])
            if np.ptp(values) > 0:
                rows[f"signal: {name}"] = _say(changed, values)
        for name, features in SETS.items():
            model = _fit([*others, *commerce], features)
            rows[f"model: {name}"] = _say(changed, _probabilities(model, judged)) | {
                "weights": model.weights
            }
        alone = _fit(others, (*HABIT, *EVIDENCE))
        rows["model: all, fitted without commerce"] = _say(changed, _probabilities(alone, judged))
        found[day] = {
            "until": snapshot.until, "articles": len(judged), "changed": sum(changed), **rows,
        }  # fmt: skip
    for name in found[LARGE[0]]:
        if isinstance(found[LARGE[0]][name], dict) and name in found[LARGE[1]]:
            both = [found[day][name]["lift"] for day in LARGE]
            found.setdefault("mean of both", {})[name] = round(sum(both) / 2, 2)
    return found


SETS: Mapping[str, tuple[str, ...]] = {
    "all": (*HABIT, *EVIDENCE),
    "habit only": tuple(HABIT),
    "evidence only": tuple(EVIDENCE),
}


def _measure_months(
    thunderbird: Sequence[Interval], commerce: Sequence[Interval]
) -> dict[str, Any]:
    """Every month by itself, judged by a model fitted without its five months."""
    scorers: dict[str, Callable[[int], Scores]] = {}
    for name, features in SETS.items():
        models = [
            _fit(
                [*thunderbird, *(c for n, c in enumerate(commerce) if n // FOLD != fold)], features
            )
            for fold in range(-(-len(commerce) // FOLD))
        ]
        scorers[f"model: {name}"] = lambda p, m=models: _probabilities(m[p // FOLD], commerce[p][1])
    for name in ("oldest first", "revisions in the year before"):
        scorers[name] = lambda p, n=name: np.asarray(
            [float(commerce[p][0].single[n].get(j.document_id, 0.0)) for j in commerce[p][1]]
        )
    for name in HABIT:
        scorers[f"signal: {name}"] = lambda p, n=name: np.asarray(
            [j.values.get(n, 0.0) for j in commerce[p][1]]
        )
    places = [p for p, (_, judged) in enumerate(commerce) if any(j.changed for j in judged)]
    truths = {p: [j.changed for j in commerce[p][1]] for p in places}
    found: dict[str, Any] = {
        "months": len(places),
        "articles": [len(commerce[p][1]) for p in places],
        "changed": [sum(truths[p]) for p in places],
    }
    for name, score in scorers.items():
        lifts = np.asarray([lift(truths[p], score(p)) for p in places])
        generator = np.random.default_rng(SEED)
        means = [
            float(lifts[generator.integers(0, len(lifts), len(lifts))].mean())
            for _ in range(RESAMPLES)
        ]
        found[name] = {
            "mean lift": round(float(lifts.mean()), 2),
            "interval over months": [round(v, 2) for v in np.percentile(means, [2.5, 97.5])],
        }
    return found


def _without(months: Sequence[Interval], fold: int) -> list[Interval]:
    return [month for number, month in enumerate(months) if number // FOLD != fold]


def _calibration(thunderbird: Sequence[Interval], commerce: Sequence[Interval]) -> dict[str, Any]:
    """Stated chance within a quarter against what changed in a quarter, cross-fitted by set.

    Each set is judged by a model fitted on the other: the hardest case, another team's habits.
    """
    found = {}
    for name, mine, other in (
        ("thunderbird", thunderbird, commerce),
        ("commerce", commerce, thunderbird),
    ):
        model = _fit(other, (*HABIT, *EVIDENCE))
        stated = np.concatenate([_probabilities(model, judged) for _, judged in mine])
        seen = [(float(np.mean([j.changed for j in judged])), float(s.days)) for s, judged in mine]
        found[name] = {
            "stated": round(float(stated.mean()), 3),
            "seen": round(quarter_share(seen), 3),
        }
    return found


if __name__ == "__main__":
    sys.exit(main())
