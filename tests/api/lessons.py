"""A made-up desk whose requesters say things in words that no article has, so that there is
something to learn."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.settings.reading import Settings, read_settings
from api.wiring import Application
from ingest.chunking import chunk_document
from kb import intake
from kb.clock import FixedClock
from kb.types import Audience, ParsedDocument, SearchRequest, SearchResponse
from kb.vectors import embed_live
from tests.api.factories import CONFIG, NOW
from tests.kb.factories import ids_of, make_parsed

TOPICS = 8
LEARNING = '\n[learning]\nsettle_days = 0\n\n[gaps]\naudience_by_product = { open = "public", shop = "customer", trade = "partner", own = "internal" }\n'
PRODUCTS = {
    Audience.PUBLIC: "open", Audience.CUSTOMER: "shop", Audience.PARTNER: "trade",
    Audience.INTERNAL: "own",
}  # fmt: skip
SHARED = [f"shared{number}" for number in range(12)]


def said_of(topic: int) -> list[str]:
    """Words of a topic's article."""
    return [f"article{topic}word{number}" for number in range(6)]


def asked_of(topic: int) -> list[str]:
    """Words in which requesters ask for it."""
    return [f"slang{topic}word{number}" for number in range(6)]


def make_question(rng: random.Random, topic: int) -> str:
    """Mostly slang, and a few words that lead to any article."""
    words = [*rng.sample(asked_of(topic), 4), *rng.sample(SHARED, 2)]
    rng.shuffle(words)
    return " ".join(words)


def make_articles(rng: random.Random, topics: int = TOPICS, **said: Any) -> list[ParsedDocument]:
    return [
        make_parsed(
            f"topic-{topic}",
            " ".join([*said_of(topic), *rng.sample(SHARED, 6)]) + ".",
            title=f"About {said_of(topic)[0]}",
            **said,
        )
        for topic in range(topics)
    ]


def make_solved(
    number: int | str, question: str, *links: str, at: datetime | None = None, **said: Any
) -> dict[str, Any]:
    """A solved ticket as a line of a file; each of its own requester unless told otherwise."""
    moment = at or NOW - timedelta(days=30)
    if isinstance(number, int):
        moment += timedelta(minutes=number)
    instant = moment.isoformat().replace("+00:00", "Z")
    return {
        "id": f"T-{number}", "created_at": instant, "solved_at": instant, "subject": "",
        "body": question, "status": "solved", "linked_articles": list(links),
        "requester": f"person {number}", "product": "open", **said,
    }  # fmt: skip


def make_history(
    rng: random.Random, count: int, topics: int = TOPICS, **said: Any
) -> list[dict[str, Any]]:
    """Solved tickets, topic after topic."""
    return [
        make_solved(n, make_question(rng, n % topics), f"topic-{n % topics}", **said)
        for n in range(count)
    ]


class Lessons:
    """An installation with articles and solved tickets."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.database = application.database

    @classmethod
    def open(cls, folder: Path, settings: Settings | None = None) -> Lessons:
        """A new one in an empty folder, or over a data folder that is there."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "kb.toml"
        if settings is None:
            path.write_text(CONFIG + LEARNING, encoding="utf-8")
            application = Application.open(path, FixedClock(NOW))
        else:
            application = Application(settings, folder, FixedClock(NOW))
        return cls(application)

    def put(self, documents: Sequence[ParsedDocument], *, at: datetime = NOW) -> None:
        with self.database.write() as connection:
            for parsed in documents:
                intake.write_source(
                    connection, name=parsed.source, kind="markdown", location="x",
                    authority="help_article", audience=Audience.PUBLIC, owner="ana",
                    review_every_days=90,
                )  # fmt: skip
                intake.write_version(
                    connection, parsed, chunk_document(parsed), now=at, author="t", reason="t"
                )
        embed_live(self.database, self.application.encoder)

    def delete(self, document_id: str) -> None:
        with self.database.write() as connection:
            intake.delete_document(connection, document_id, now=NOW)

    def solve(self, tickets: Iterable[dict[str, Any]]) -> None:
        lines = [json.dumps(ticket).encode() for ticket in tickets]
        report = self.application.desk.import_tickets(lines, "t")
        assert not report["refused"], report["refused"]

    def learn(self, **said: Any) -> dict[str, Any]:
        return self.application.learning.learn(actor="t", **said)

    def later(self, **passed: float) -> None:
        now = self.application.clock.now() + timedelta(**passed)
        self.application.clock = FixedClock(now)

    def ask(
        self, question: str, audience: Audience = Audience.INTERNAL, **said: Any
    ) -> SearchResponse:
        return self.application.retriever.search(SearchRequest(question, **said), audience)

    def find(self, question: str, audience: Audience = Audience.INTERNAL, **said: Any) -> list[str]:
        """Ids of the documents found, best first."""
        return ids_of(self.ask(question, audience, **said).hits)

    def serving(self) -> str | None:
        return next(
            (m["model_id"] for m in self.application.learning.list_models() if m["serving"]), None
        )

    def close(self) -> None:
        self.application.close()


def shape(response: SearchResponse) -> object:
    """Everything a caller sees of an answer, its timing left out."""
    return replace(response, took_ms=0.0, served_with={})


def settings_of(folder: Path) -> Settings:
    return read_settings(folder / "kb.toml")
