"""How well `POST /v1/search` finds the articles that helpers pointed to."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from thunderbird_data import LAST_SNAPSHOT, Query, read_articles, read_queries, write_knowledge_base
from thunderbird_service import CommandError, Product

from kb.metrics import bootstrap_interval, ndcg, recall, reciprocal_rank

DEPTH = 10
LATE_QUESTIONS = "2024-04-01"
QUERY_CHARACTERS = 20_000
Ranker = Callable[[str], list[str]]
"""A query to document ids, best first."""


def measure_retrieval(
    data: Path, work: Path, *, in_process: bool, limit: int | None
) -> dict[str, Any]:
    """Sync the knowledge base of the last snapshot, ask every question, score the rankings."""
    articles = read_articles(data, LAST_SNAPSHOT)
    queries = read_queries(data, {article.slug for article in articles})[:limit]
    config = write_knowledge_base(articles, work / "retrieval")
    product = Product(config, LAST_SNAPSHOT)
    report, seconds = product.run("sync")
    source = report["sources"][0]
    if source["listed"] != len(articles) or source["refused"]:
        raise CommandError(f"kb sync took {source['listed']} of {len(articles)} articles")
    open_ranker = _rank_in_process if in_process else _rank_over_http
    ranked, took = _ask(open_ranker(product), queries)
    return {
        "asked": "in process" if in_process else "POST /v1/search",
        "articles": len(articles),
        "sync_seconds": round(seconds, 1),
        "milliseconds": {
            "median": round(float(np.median(took)), 1),
            "p95": round(float(np.percentile(took, 95)), 1),
        },
        "all": score(queries, ranked),
        f"since_{LATE_QUESTIONS}": score(
            *_select(queries, ranked, lambda query: query.asked_on >= LATE_QUESTIONS)
        ),
    }


def score(queries: Sequence[Query], ranked: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Mean and 95% bootstrap interval of each measure over the questions."""
    pairs = list(zip(queries, ranked, strict=True))
    values = {
        "ndcg_at_10": [ndcg(found, query.relevant, DEPTH) for query, found in pairs],
        "recall_at_5": [recall(found, list(query.relevant), 5) for query, found in pairs],
        "recall_at_10": [recall(found, list(query.relevant), DEPTH) for query, found in pairs],
        "mrr": [reciprocal_rank(found, list(query.relevant)) for query, found in pairs],
    }
    measured: dict[str, Any] = {"questions": len(pairs)}
    for name, each in values.items():
        interval = bootstrap_interval(each) or (0.0, 0.0)
        measured[name] = {
            "mean": round(sum(each) / max(len(each), 1), 4),
            "interval": [round(interval[0], 4), round(interval[1], 4)],
        }
    return measured


def _select(
    queries: Sequence[Query], ranked: Sequence[Sequence[str]], wanted: Callable[[Query], bool]
) -> tuple[list[Query], list[Sequence[str]]]:
    kept = [(q, found) for q, found in zip(queries, ranked, strict=True) if wanted(q)]
    return [q for q, _ in kept], [found for _, found in kept]


def _ask(
    opened: AbstractContextManager[Ranker], queries: Sequence[Query]
) -> tuple[list[list[str]], list[float]]:
    """Rankings, and the milliseconds each took."""
    ranked, took = [], []
    with opened as rank:
        for place, query in enumerate(queries, start=1):
            started = time.perf_counter()
            ranked.append(rank(query.text[:QUERY_CHARACTERS]))
            took.append((time.perf_counter() - started) * 1000)
            if place % 200 == 0 or place == len(queries):
                print(f"asked {place}/{len(queries)}", file=sys.stderr)
    return ranked, took


@contextmanager
def _rank_over_http(product: Product) -> Iterator[Ranker]:
    with product.serve() as client:

        def rank(query: str) -> list[str]:
            response = client.post("/v1/search", json={"query": query, "top_k": DEPTH})
            if response.is_error:
                raise CommandError(f"POST /v1/search: {response.status_code} {response.text:.200}")
            answer = response.json()
            if answer["degraded"]:
                raise CommandError(f"POST /v1/search: degraded {answer['degraded']}")
            return [hit["document_id"] for hit in answer["hits"]]

        yield rank


@contextmanager
def _rank_in_process(product: Product) -> Iterator[Ranker]:
    from api.wiring import Application
    from kb.clock import FixedClock, parse_instant
    from kb.types import Audience, SearchRequest

    application = Application.open(product.config, FixedClock(parse_instant(product.now)))

    def rank(query: str) -> list[str]:
        [vector] = application.retriever.encode([query])
        request = SearchRequest(query, top_k=DEPTH)
        response = application.retriever.search(request, Audience.PUBLIC, vector=vector)
        return [hit.chunk.document.document_id for hit in response.hits]

    try:
        yield rank
    finally:
        application.close()
