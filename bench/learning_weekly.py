"""Learning every Monday, replayed: what was solved and has stood, then the questions asked.

In process, as a week is another present: over HTTP each would take a server of its own. One
week is asked over HTTP too, to see that nothing differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from learning_bench import (
    Desk,
    Ranked,
    Ticket,
    ask_in_process,
    ask_over_http,
    compare,
    learn_in_process,
    read_gate,
    score,
    summarise,
)
from learning_data import LEARN_NOW, TRAIN_UNTIL, split_weeks
from thunderbird_service import Product


def measure_weekly(desk: Desk, every: int = 1) -> dict[str, Any]:
    """The test questions by unlearned, frozen (fitted once) and weekly learned ranking.

    Args:
        desk: The knowledge base.
        every: Learns only every so many weeks, to try it out.
    """
    forum = desk.forum
    weeks = split_weeks(forum.late)
    queries = [query for asked in weeks.values() for query in asked]
    with desk.open(desk.copy("frozen"), LEARN_NOW) as application:
        unlearned = score(queries, ask_in_process(application, queries))
        learn_in_process(application, forum.read_solved(TRAIN_UNTIL))
        frozen = score(queries, ask_in_process(application, queries))
    config = desk.copy("weekly")
    busiest = max(weeks, key=lambda monday: len(weeks[monday]))
    known: dict[str, Ticket] = {}
    weekly: list[float] = []
    rows: list[dict[str, Any]] = []
    http: dict[str, Any] = {}
    report: dict[str, Any] = {}
    for week, (monday, asked) in enumerate(weeks.items()):
        fresh: list[Ticket] = []
        with desk.open(config, monday) as application:
            if week % every == 0:
                fresh = _read_fresh(desk, monday, known)
                report = learn_in_process(application, fresh)
            ranked = ask_in_process(application, asked)
        if monday == busiest:
            http = _check_http(Product(config, monday), asked, ranked)
        values = score(asked, ranked)
        place = len(weekly)
        weekly += values
        rows.append(
            {
                "monday": monday,
                "questions": len(asked),
                "imported": len(fresh),
                "gate": read_gate(report),
                "unlearned": sum(unlearned[place : len(weekly)]),
                "frozen": sum(frozen[place : len(weekly)]),
                "weekly": sum(values),
            }
        )
        _say_so_far(f"{monday}, {report['judgements']} solved", unlearned, frozen, weekly)
    return {
        "every": every,
        "weeks": rows,
        "http": http,
        "unlearned": summarise(unlearned),
        "frozen": compare(unlearned, frozen),
        "weekly": compare(unlearned, weekly),
        "weekly_minus_frozen": summarise([w - f for w, f in zip(weekly, frozen, strict=True)]),
        "let_through": sum(row["gate"]["refused"] is None for row in rows),
    }


def _say_so_far(
    week: str, unlearned: Sequence[float], frozen: Sequence[float], weekly: Sequence[float]
) -> None:
    asked = len(weekly)
    print(
        f"weekly: {week}; so far {asked} questions, {_mean(unlearned[:asked]):.3f} unlearned, "
        f"{_mean(frozen[:asked]):.3f} once, {_mean(weekly):.3f} weekly",
        file=sys.stderr,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _read_fresh(desk: Desk, monday: str, known: dict[str, Ticket]) -> list[Ticket]:
    """Tickets whose links became known since the last Monday; remembers them."""
    found = desk.forum.read_solved(monday)
    fresh = [
        ticket
        for ticket in found
        if known.get(ticket["id"], {}).get("linked_articles") != ticket["linked_articles"]
    ]
    known.update((ticket["id"], ticket) for ticket in fresh)
    return fresh


def _check_http(product: Product, asked: list[Any], ranked: Ranked) -> dict[str, Any]:
    with product.serve() as client:
        served = ask_over_http(client, asked)
    same = sum(a == b for a, b in zip(served, ranked, strict=True))
    return {"monday": product.now, "questions": len(asked), "same": same}
