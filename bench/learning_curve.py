"""How many solved tickets it takes: fits on random subsets, in process."""

from __future__ import annotations

import random
import sys
from typing import Any

from learning_bench import Desk, ask_in_process, learn_in_process, read_gate, score, summarise
from learning_data import LEARN_NOW, TRAIN_UNTIL

SIZES = (0, 10, 30, 100, 300)
SEEDS = (1, 2, 3, 4, 5)


def measure_curve(desk: Desk) -> dict[str, Any]:
    """nDCG@10 of the test questions after each fit, and how often the gate let it serve.

    Where nothing is served the unlearned ranking answers; so it does after 0 tickets.
    """
    late = desk.forum.late
    train = desk.forum.read_solved(TRAIN_UNTIL)
    with desk.open(desk.copy("curve"), LEARN_NOW) as application:
        unlearned = summarise(score(late, ask_in_process(application, late)))
    figures: dict[str, Any] = {"unlearned": unlearned, "sizes": []}
    for size in (*SIZES, len(train)):
        seeds = SEEDS if 0 < size < len(train) else SEEDS[:1]
        runs = [_run(desk, size, seed) for seed in seeds]
        values = [run["ndcg"] for run in runs]
        row = {
            "tickets": size,
            "runs": runs,
            "mean": round(sum(values) / len(values), 4),
            "min": min(values),
            "served": sum(run["served"] for run in runs) / len(runs),
        }
        print(f"curve: {size} tickets, {row['mean']:.3f}", file=sys.stderr)
        figures["sizes"].append(row)
    return figures


def _run(desk: Desk, size: int, seed: int) -> dict[str, Any]:
    late = desk.forum.late
    train = desk.forum.read_solved(TRAIN_UNTIL)
    chosen = random.Random(seed).sample(train, size)
    with desk.open(desk.copy("curve"), LEARN_NOW) as application:
        gate = read_gate(learn_in_process(application, chosen))
        values = score(late, ask_in_process(application, late))
    return {
        "seed": seed,
        "ndcg": round(sum(values) / len(values), 4),
        "served": gate["serving"] is not None,
        "refused": gate["refused"],
    }
