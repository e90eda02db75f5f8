"""One fit on everything solved before a day, through the commands and over HTTP."""

from __future__ import annotations

from typing import Any

from learning_bench import (
    Desk,
    Ranked,
    ask_in_process,
    ask_over_http,
    compare,
    learn_in_process,
    read_gate,
    score,
    summarise,
)
from learning_data import LEARN_NOW, TRAIN_UNTIL, Links
from thunderbird_data import Query, write_lines
from thunderbird_service import Product

VARIANTS: tuple[Links, ...] = ("with routine", "grade 2")


def measure_once(desk: Desk, *, in_process: bool) -> dict[str, Any]:
    """Unlearned and learned nDCG@10 of the test questions, and with other choices of links.

    `without_ticket` are the questions none of whose relevant articles a training ticket links:
    learning knows nothing for them and must not push them down.
    """
    forum, late = desk.forum, desk.forum.late
    train = forum.read_solved(TRAIN_UNTIL)
    product = Product(desk.copy("once"), LEARN_NOW)
    places = {query.query_id: place for place, query in enumerate(forum.queries)}
    unlearned = _ask(desk, product, forum.queries, in_process=in_process)
    everything = score(forum.queries, unlearned)
    before = [everything[places[query.query_id]] for query in late]
    lines = product.config.parent / "tickets.jsonl"
    write_lines(train, lines)
    imported, import_seconds = product.run("tickets", "import", str(lines))
    report, learn_seconds = product.run("learn")
    after = score(late, _ask(desk, product, late, in_process=in_process))
    linked = {slug for ticket in train for slug in ticket["linked_articles"]}
    figures = {
        "asked": "in process" if in_process else "POST /v1/search",
        "train": {
            "tickets": len(train),
            "imported": imported["imported"],
            "articles_with_ticket": len(linked),
            "articles": len(forum.articles),
        },
        "seconds": {"import": round(import_seconds, 1), "learn": round(learn_seconds, 1)},
        "gate": read_gate(report),
        "unlearned_all": summarise(everything),
        "all": compare(before, after),
    }
    held = [not linked & query.relevant.keys() for query in late]
    for name, wanted in (("with_ticket", False), ("without_ticket", True)):
        chosen = [place for place, without in enumerate(held) if without is wanted]
        figures[name] = compare([before[p] for p in chosen], [after[p] for p in chosen])
    figures["variants"] = {name: _vary(desk, name, late, before) for name in VARIANTS}
    return figures


def _ask(desk: Desk, product: Product, queries: list[Query], *, in_process: bool) -> Ranked:
    if in_process:
        with desk.open(product.config, product.now) as application:
            return ask_in_process(application, queries)
    with product.serve() as client:
        return ask_over_http(client, queries)


def _vary(desk: Desk, links: Links, late: list[Query], before: list[float]) -> dict[str, Any]:
    """The same with other links taught; in process."""
    train = desk.forum.read_solved(TRAIN_UNTIL, links)
    with desk.open(desk.copy("variant"), LEARN_NOW) as application:
        gate = read_gate(learn_in_process(application, train))
        after = score(late, ask_in_process(application, late))
    return {"tickets": len(train), "gate": gate} | compare(before, after)
