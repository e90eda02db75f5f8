"""Whether a learned ranking may serve: no worse anywhere that matters; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from kb.learning.ranker import Ranker
from kb.metrics import bootstrap_interval, ndcg
from kb.retrieval.learned_ranking import Shown, order_shown
from kb.training.fitting import Example

DEPTH = 10
LEAST_DIFFERENCE = -0.01
"""The lower end of the difference's 95% interval may lie this far below nothing: with 100 held-back
questions the interval is some .05 wide, and a gate without allowance would never open."""
SLICE_LOSS = 0.02
"""More than this, and with the whole 95% interval of the difference: one of 33 questions answered
worse is .03, and kept every later fit of a weekly replay from serving."""
FEWEST_IN_SLICE = 15
"""A slice of questions of fewer requesters is shown and decides nothing."""
HISTORY_FREE = "without history"


@dataclass(frozen=True, slots=True)
class Compared:
    """One held-back question under both rankings."""

    requester: str
    slices: frozenset[str]
    unlearned: float
    learned: float


def compare(
    examples: Sequence[Example],
    ranker: Ranker,
    passed_over: AbstractSet[str],
    slices_of: Callable[[Example], AbstractSet[str]],
) -> list[Compared]:
    """nDCG@10 of each question, unlearned and learned."""
    compared = []
    for example in examples:
        relevant = dict.fromkeys(example.solved_by, 1.0)
        protected = set(example.keys) - example.proven - passed_over
        shown = Shown(example.keys, example.matrix, {}, len(example.ranked))
        order = [key for key, _ in order_shown(shown, ranker, protected)]
        before = [key for key in example.keys if key in example.ranked]
        slices = set(slices_of(example))
        if not example.solved_by & example.proven:
            slices.add(HISTORY_FREE)
        compared.append(
            Compared(
                example.requester,
                frozenset(slices),
                ndcg(before, relevant, DEPTH),
                ndcg(order, relevant, DEPTH),
            )
        )
    return compared


def judge(compared: Sequence[Compared], newest: Sequence[Compared] = ()) -> dict[str, Any]:
    """Both means, the difference with its interval, every slice, and why it may not serve.

    Each requester counts once: several questions of one are averaged first. Questions taken out in
    turn are many and decide closely; the newest are few and must not say the contrary.

    Returns:
        `{"questions", "requesters", "unlearned", "learned", "difference", "interval", "slices":
        {name: {"questions", "requesters", "unlearned", "learned", "interval"}}, "newest"?:
        {"questions", "requesters", "unlearned", "learned"},
        "refused": None | reason}`.
    """
    differences = _of_each(compared, lambda c: c.learned - c.unlearned)
    interval = bootstrap_interval(differences)
    report = _means(compared) | {
        "difference": _mean(differences),
        "interval": list(interval) if interval is not None else None,
        "slices": {
            name: _describe([c for c in compared if name in c.slices])
            for name in sorted({name for c in compared for name in c.slices})
        },
    }
    if newest:
        report["newest"] = _means(newest)
    return report | {"refused": _refuse(report)}


def _refuse(report: Mapping[str, Any]) -> str | None:
    if report["difference"] < 0:
        return f"held-back questions are answered worse, by {-report['difference']:.3f}"
    if report["interval"] is not None and report["interval"][0] < LEAST_DIFFERENCE:
        return f"it may be worse by {-report['interval'][0]:.3f}"
    late = report.get("newest")
    if late is not None and late["learned"] - late["unlearned"] < LEAST_DIFFERENCE:
        loss = late["unlearned"] - late["learned"]
        return f"the newest questions are answered worse, by {loss:.3f}"
    for name, found in report["slices"].items():
        loss = found["unlearned"] - found["learned"]
        surely = found["interval"] is not None and found["interval"][1] < 0
        if found["requesters"] >= FEWEST_IN_SLICE and loss > SLICE_LOSS and surely:
            return f"{name}: worse by {loss:.3f} on {found['questions']} questions"
    return None


def _describe(compared: Sequence[Compared]) -> dict[str, Any]:
    """A slice's means, and the interval of their difference."""
    interval = bootstrap_interval(_of_each(compared, lambda c: c.learned - c.unlearned))
    return _means(compared) | {"interval": list(interval) if interval is not None else None}


def _means(compared: Sequence[Compared]) -> dict[str, Any]:
    return {
        "questions": len(compared),
        "requesters": len({c.requester for c in compared}),
        "unlearned": _mean(_of_each(compared, lambda c: c.unlearned)),
        "learned": _mean(_of_each(compared, lambda c: c.learned)),
    }


def total_learned(compared: Sequence[Compared]) -> float:
    """Sum over requesters of how well each is answered."""
    return sum(_of_each(compared, lambda c: c.learned))


def _of_each(compared: Sequence[Compared], read: Callable[[Compared], float]) -> list[float]:
    """Each requester's mean, in order of first appearance."""
    values: dict[str, list[float]] = {}
    for one in compared:
        values.setdefault(one.requester, []).append(read(one))
    return [_mean(found) for found in values.values()]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
