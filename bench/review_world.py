"""A made-up knowledge base with an inbox to review: many drafts, and one that is big."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from api.keys import create_key
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import compute_draft_hash, write_draft
from gaps.keeping.rows import StoredTopic, write_members, write_topic
from gaps.types import (
    Check,
    Citation,
    Draft,
    DraftState,
    Gap,
    GapKind,
    GapStatus,
    Reason,
    Replayed,
    Statement,
    Ticket,
    TicketStatus,
    Topic,
)
from kb import articles
from kb.types import Audience, Role

OWNER = "ana"
CONFIG = f"""\
[encoder]
kind = "hashing"

[[owners]]
name = "{OWNER}"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "{OWNER}"
"""
WORDS = (
    "press open restart portal client laptop button menu settings wait green tick password account "
    "network printer badge window cable update remove install certificate gateway session error"
).split()
BIG, BIG_LINES, BIG_TICKETS, CITED = "drf_big", 2_000, 500, 150


class ReviewWorld:
    """A folder with a synced source; drafts are put in as the writer would."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        (folder / "articles").mkdir(parents=True)
        (folder / "kb.toml").write_text(CONFIG, encoding="utf-8")
        self.lines = [self._line(n) for n in range(BIG_LINES)]
        text = "---\nid: big\ntitle: The whole manual\n---\n" + "\n".join(self.lines) + "\n"
        (folder / "articles" / "big.md").write_text(text, encoding="utf-8")
        self.application = Application.open(folder / "kb.toml")
        for _ in self.application.sync_sources():
            pass

    def _line(self, number: int) -> str:
        if number % 25 == 0:
            return f"## Part {number // 25}: {' '.join(self.rng.sample(WORDS, 3))}"
        if number % 2 == 0:
            return ""
        return f"- Step {number}: {' '.join(self.rng.choices(WORDS, k=12))}."

    def make_key(self) -> str:
        with self.application.database.write() as connection:
            return create_key(
                connection, role=Role.OWNER, audience=Audience.INTERNAL, owner=OWNER,
                now=self.application.clock.now(), actor="bench",
            )[1]  # fmt: skip

    def add_drafts(self, count: int) -> list[Draft]:
        """Ordinary drafts of new articles, each of a gap of twelve tickets."""
        return [self.add_draft(number) for number in range(count)]

    def add_draft(self, number: int) -> Draft:
        steps = [f"{' '.join(self.rng.choices(WORDS, k=9))} {number}" for _ in range(8)]
        listed = [f"{place}. {step}." for place, step in enumerate(steps, start=1)]
        return self._store(
            f"drf_{number:04}", self._make_tickets(f"T{number}", 12), steps[:6],
            "\n".join(listed) + "\n", document_id=f"new-{number}", base_version=None,
            impact=self.rng.uniform(0.5, 30),
        )  # fmt: skip

    def add_big_draft(self) -> Draft:
        """A change of fifty lines in a 2,000-line article, for a gap of 500 tickets."""
        lines = list(self.lines)
        for place in range(1, BIG_LINES, BIG_LINES // 50):
            if lines[place].startswith("- "):
                lines[place] = lines[place].replace(" press ", " click ") + " Then close it."
        cited = [line[2:] for line in lines if line.startswith("- ")][:CITED]
        with self.application.database.read() as connection:
            base = articles.read_document(connection, "big").version
        return self._store(
            BIG, self._make_tickets("BIG", BIG_TICKETS), cited, "\n".join(lines) + "\n",
            document_id="big", base_version=base, impact=44.0,
        )  # fmt: skip

    def _make_tickets(self, prefix: str, count: int) -> list[Ticket]:
        first = datetime(2026, 9, 1, tzinfo=UTC)
        return [
            Ticket(
                f"{prefix}-{n}", first + timedelta(hours=n),
                " ".join(self.rng.choices(WORDS, k=5)), " ".join(self.rng.choices(WORDS, k=60)),
                TicketStatus.SOLVED, Audience.INTERNAL,
                resolution=" ".join(self.rng.choices(WORDS, k=40)), requester=f"r{n}",
            )
            for n in range(count)
        ]  # fmt: skip

    def _store(
        self, draft_id: str, tickets: Sequence[Ticket], cited: Sequence[str], markdown: str,
        *, document_id: str, base_version: int | None, impact: float,
    ) -> Draft:  # fmt: skip
        now = self.application.clock.now()
        title = " ".join(self.rng.sample(WORDS, 4)).capitalize()
        gap = Gap(
            f"gap_{draft_id}", f"top_{draft_id}", GapKind.MISSING, GapStatus.DRAFTING, title,
            tuple(self.rng.sample(WORDS, 5)), impact, 0.9, impact, Audience.PUBLIC, OWNER,
            tuple(t.ticket_id for t in tickets), (), (Reason("coverage", "No article fits."),),
            tuple(self.rng.randint(0, 20) for _ in range(13)), tickets[0].created_at, now,
            impact_low=impact / 2, impact_high=impact * 1.5, requester_count=len(tickets),
        )  # fmt: skip
        statements = tuple(
            Statement(text, tuple(
                Citation("ticket", t.ticket_id, " ".join(t.body.split()[:12]))
                for t in self.rng.sample(list(tickets), 2)
            ))
            for text in cited
        )  # fmt: skip
        rows = tuple(
            Replayed("ticket", t.ticket_id, Audience.INTERNAL, "", "gained", None, 1, False, True,
                     None, document_id)
            for t in tickets[:30]
        )  # fmt: skip
        draft = Draft(
            draft_id, gap.gap_id, DraftState.IN_REVIEW, title, markdown, statements,
            (Check("citations", "green", "all"), Check("regression", "green", "gains", rows)),
            Audience.PUBLIC, OWNER, "help", document_id, base_version, (), None, now, now,
            compute_draft_hash(title=title, markdown=markdown, document_id=document_id,
                               base_version=base_version, statements=statements),
        )  # fmt: skip
        run = f"run_{draft_id}"
        topic = StoredTopic(
            Topic(gap.topic_id, title, (), gap.ticket_ids), np.zeros(8), "x", now, now
        )
        with self.application.database.write() as connection:
            repository.write_gap_run(connection, run, at=now, since=None, until=None, report={})
            write_topic(connection, topic)
            write_members(connection, gap.topic_id, dict.fromkeys(gap.ticket_ids, 1.0), now=now)
            for ticket in tickets:
                repository.write_ticket(connection, ticket, "0" * 64, exists=False, now=now)
            repository.write_gap(connection, gap, run_id=run, now=now)
            write_draft(connection, draft)
        return draft
