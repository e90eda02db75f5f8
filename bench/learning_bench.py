"""One synced knowledge base, copied for each thing that is to be learned, and asked."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from learning_data import LEARN_NOW, TRAIN_UNTIL, Forum
from sqlalchemy import Connection
from thunderbird_data import Query, write_knowledge_base
from thunderbird_service import CommandError, Product

from api.wiring import Application
from gaps.reading.tickets import parse_ticket_line
from kb.clock import FixedClock, parse_instant
from kb.metrics import bootstrap_interval, ndcg
from kb.retrieval import retriever
from kb.retrieval.candidates import Candidates
from kb.retrieval.index import IndexView
from kb.types import Audience, SearchRequest

DEPTH = 10
Ranked = list[list[str]]
"""Article ids a question, best first."""
Ticket = dict[str, Any]


class Desk:
    """The synced folder nothing is learned in, and copies of it."""

    def __init__(self, forum: Forum, work: Path) -> None:
        self.forum = forum
        self.work = work
        self._config = write_knowledge_base(forum.articles, work / "synced")
        self._encoder: Any = None
        report, _ = Product(self._config, TRAIN_UNTIL).run("sync")
        source = report["sources"][0]
        if source["listed"] != len(forum.articles) or source["refused"]:
            raise CommandError(f"kb sync took {source['listed']} of {len(forum.articles)}")

    def embed_ahead(self, tickets: Sequence[Ticket]) -> None:
        """Questions and tickets, once for all copies: no figure here is a time."""
        with self.open(self._config, LEARN_NOW) as application:
            lines = [json.dumps(ticket).encode() for ticket in tickets]
            asked = {query.text for query in self.forum.queries} | {
                parse_ticket_line(line, place, application.audience_for).question
                for place, line in enumerate(lines, start=1)
            }
            application.retriever.encode(sorted(asked))

    def copy(self, name: str) -> Path:
        """kb.toml of a fresh copy."""
        target = self.work / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self._config.parent, target)
        return target / self._config.name

    @contextmanager
    def open(self, config: Path, day: str) -> Iterator[Application]:
        """The product in process at a day; the encoder is loaded once for all."""
        application = Application.open(config, FixedClock(parse_instant(day)))
        if self._encoder is None:
            self._encoder = application.encoder
        application.encoder = self._encoder
        try:
            yield application
        finally:
            application.close()


@contextmanager
def remember_candidates() -> Iterator[None]:
    """Read what the index holds for a question once for all fits: it never changes here.

    Candidates do not depend on what was learned, and reading them is most of the time.
    """
    usual = retriever.collect_candidates
    held: dict[tuple[str, Audience], Candidates] = {}

    def remembered(
        connection: Connection,
        view: IndexView,
        query: str,
        audience: Audience,
        vector: Any,
        within: Any = None,
    ) -> Candidates:
        found = held.get((query, audience))
        if found is None:
            found = held[query, audience] = usual(connection, view, query, audience, vector, within)
        return Candidates(
            dict(found.documents), found.chunks, {n: dict(s) for n, s in found.scores.items()}
        )

    retriever.collect_candidates = remembered
    try:
        yield
    finally:
        retriever.collect_candidates = usual


def learn_in_process(application: Application, tickets: Sequence[Ticket]) -> dict[str, Any]:
    """What `kb tickets import` and `kb learn` do; returns what the latter reports."""
    lines = [json.dumps(ticket, ensure_ascii=False).encode() for ticket in tickets]
    imported = application.desk.import_tickets(lines, "bench")
    if imported["refused"]:
        raise CommandError(f"tickets refused: {imported['refused'][:3]}")
    return application.learning.learn(actor="bench")


def ask_in_process(application: Application, queries: Sequence[Query]) -> Ranked:
    ranked = []
    vectors = application.retriever.encode([query.text for query in queries])
    for query, vector in zip(queries, vectors, strict=True):
        request = SearchRequest(query.text, top_k=DEPTH)
        response = application.retriever.search(request, Audience.PUBLIC, vector=vector)
        ranked.append([hit.chunk.document.document_id for hit in response.hits])
    return ranked


def ask_over_http(client: httpx.Client, queries: Sequence[Query]) -> Ranked:
    """`POST /v1/search`; a degraded answer ends the run."""
    ranked = []
    for place, query in enumerate(queries, start=1):
        response = client.post("/v1/search", json={"query": query.text, "top_k": DEPTH})
        if response.is_error:
            raise CommandError(f"POST /v1/search: {response.status_code} {response.text:.200}")
        answer = response.json()
        if answer["degraded"]:
            raise CommandError(f"POST /v1/search: degraded {answer['degraded']}")
        ranked.append([hit["document_id"] for hit in answer["hits"]])
        if place % 200 == 0:
            print(f"asked {place}/{len(queries)}", file=sys.stderr)
    return ranked


def score(queries: Sequence[Query], ranked: Ranked) -> list[float]:
    """nDCG@10 of each question."""
    return [ndcg(f, q.relevant, DEPTH) for q, f in zip(queries, ranked, strict=True)]


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean with its 95% bootstrap interval."""
    low, high = bootstrap_interval(values) or (0.0, 0.0)
    mean = sum(values) / max(len(values), 1)
    return {
        "questions": len(values),
        "ndcg": round(mean, 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def compare(before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    """Both means and the paired difference."""
    return {
        "unlearned": summarise(before),
        "learned": summarise(after),
        "difference": summarise([b - a for a, b in zip(before, after, strict=True)]),
    }


def read_gate(report: Mapping[str, Any]) -> dict[str, Any]:
    """What `kb learn` said of the public's ranking."""
    said = report["audiences"]["public"]
    kept = ("solved", "questions", "unlearned", "learned", "refused", "weights", "caution")
    return {name: said[name] for name in kept if name in said} | {"serving": report["serving"]}
