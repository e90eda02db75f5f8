"""Learning every Monday, replayed: what was solved and has stood, then the questions asked.

In process, as a week is another present: over HTTP each would take a server of its own. One
week is asked over HTTP too, to see that nothing differs.
"""

from __future__ import annotations

import sys
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


def measure_weekly(desk: Desk) -> dict[str, Any]:
    """The test questions by unlearned, frozen (fitted once) and weekly learned ranking."""
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
    rows, http = [], {}
    for monday, asked in weeks.items():
        fresh = _read_fresh(desk, monday, known)
        with desk.open(config, monday) as application:
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
        print(f"weekly: {monday}, {report['judgements']} solved", file=sys.stderr)
    return {
        "weeks": rows,
        "http": http,
        "unlearned": summarise(unlearned),
        "frozen": compare(unlearned, frozen),
        "weekly": compare(unlearned, weekly),
        "weekly_minus_frozen": summarise([w - f for w, f in zip(weekly, frozen, strict=True)]),
        "let_through": sum(row["gate"]["refused"] is None for row in rows),
    }


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
