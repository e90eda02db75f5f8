"""The knowledge base that the soak kills: its sources, its drafts, and what was acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import compute_draft_hash, make_id, read_draft, write_draft
from gaps.keeping.rows import StoredTopic, write_topic
from gaps.types import (
    Check,
    Citation,
    Draft,
    DraftState,
    Gap,
    GapKind,
    GapStatus,
    Statement,
    Topic,
)
from kb import articles
from kb.types import Audience

OWNER = "ana"
KEPT_ARTICLES, KEPT_POLICIES, CHANGED_BY_DRAFTS = 60, 15, 15
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

[[sources]]
name = "policies"
kind = "markdown"
location = "policies"
authority = "policy"
audience = "internal"
owner = "{OWNER}"
"""
WORDS = (
    "account battery billing cable delivery device error firmware heating hub invoice light "
    "network order password payment phone refund reset room router sensor signal update valve"
).split()


@dataclass(slots=True)
class World:
    """One knowledge base on disk, changed by a seeded hand."""

    folder: Path
    rng: random.Random
    counter: int = 0
    acknowledged: dict[str, dict[str, str]] = field(default_factory=dict)
    """Source to document id to content hash, as the last command that was heard of left it."""
    markers: dict[str, str] = field(default_factory=dict)
    """A word that only the present text of a document holds, by document id."""
    gone: list[str] = field(default_factory=list)
    """Words of texts that were replaced or deleted."""

    @property
    def config(self) -> Path:
        return self.folder / "kb.toml"

    @contextmanager
    def open(self) -> Iterator[Application]:
        application = Application.open(self.config)
        try:
            yield application
        finally:
            application.close()

    def create(self) -> None:
        """Write the sources as they stand before the first sync."""
        self.folder.mkdir(parents=True)
        self.config.write_text(CONFIG, encoding="utf-8")
        for number in range(KEPT_ARTICLES):
            self._write("articles", f"art-{number:03}")
        for number in range(CHANGED_BY_DRAFTS):
            self._write("articles", f"base-{number:03}")
        for number in range(KEPT_POLICIES):
            self._write("policies", f"pol-{number:03}")

    def mutate(self) -> None:
        """Change, add and delete some files, as people do between two syncs."""
        for folder, prefix in (("articles", "art"), ("policies", "pol")):
            files = sorted((self.folder / folder).glob(f"{prefix}-*.md"))
            for file in self.rng.sample(files, self.rng.randint(1, 4)):
                self._write(folder, file.stem)
            for file in self.rng.sample(files, self.rng.randint(0, 1)):
                file.unlink()
            if len(files) < KEPT_POLICIES * 2 or self.rng.random() < 0.4:
                self._write(folder, f"{prefix}-{self.rng.randint(100, 999)}")

    def _write(self, folder: str, document_id: str) -> None:
        self.counter += 1
        parts = [
            f"## {' '.join(self.rng.sample(WORDS, 2))}\n\n"
            f"{' '.join(self.rng.choices(WORDS, k=45))}."
            for _ in range(self.rng.randint(1, 4))
        ]
        body = "\n\n".join([f"Marker{self.counter:06} for {document_id}.", *parts])
        path = self.folder / folder / f"{document_id}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"---\ntitle: About {document_id}\n---\n\n{body}\n", encoding="utf-8")

    def make_draft(self, application: Application, *, new: bool) -> str:
        """A reviewed-ready draft with a gap behind it: for a new article, or for one there is."""
        self.counter += 1
        now = datetime.now(UTC)
        document_id = f"new-{self.counter:06}"
        base_version: int | None = None
        with application.database.read() as connection:
            if not new:
                document_id = f"base-{self.rng.randrange(CHANGED_BY_DRAFTS):03}"
                base_version = articles.read_document(connection, document_id).version
        markdown = f"Marker{self.counter:06} says: press the {self.rng.choice(WORDS)} twice.\n"
        statements = (Statement(markdown.strip(), (Citation("ticket", "t1", "press it twice"),)),)
        title = f"About {document_id}"
        gap = Gap(
            gap_id=make_id("gap"), topic_id=make_id("top"), kind=GapKind.MISSING,
            status=GapStatus.DRAFTING, title=title, terms=("press",), priority=1.0,
            probability=0.9, impact_per_week=1.0, audience=Audience.PUBLIC, owner=OWNER,
            ticket_ids=("t1",), document_ids=(), reasons=(), weekly_counts=(1,),
            first_seen_at=now, last_seen_at=now,
        )  # fmt: skip
        draft = Draft(
            draft_id=make_id("dr"), gap_id=gap.gap_id, state=DraftState.IN_REVIEW, title=title,
            markdown=markdown, statements=statements, checks=(Check("text", "green", "fine"),),
            audience=Audience.PUBLIC, owner=OWNER, source="help", document_id=document_id,
            base_version=base_version, held_back_ids=(), refused=None, created_at=now,
            updated_at=now,
            draft_hash=compute_draft_hash(
                title=title, markdown=markdown, document_id=document_id,
                base_version=base_version, statements=statements,
            ),
        )  # fmt: skip
        vector = application.encoder.encode([title])[0]
        topic = Topic(gap.topic_id, title, ("press",), ("t1",))
        with application.database.write() as connection:
            recipe = application.encoder.recipe
            write_topic(connection, StoredTopic(topic, vector, recipe, now, now))
            run_id = make_id("run")
            repository.write_gap_run(connection, run_id, at=now, since=None, until=None, report={})
            repository.write_gap(connection, gap, run_id=run_id, now=now)
            write_draft(connection, draft)
        return draft.draft_id

    def read_draft(self, application: Application, draft_id: str) -> Draft:
        with application.database.read() as connection:
            return read_draft(connection, draft_id)

    def listed_of(self, application: Application, name: str) -> dict[str, str]:
        """What one source says, as the product itself reads it."""
        source = application.open_source(application.find_source(name))
        return {p.document_id: p.content_hash for p in source.read_documents().documents}

    def listed(self, application: Application) -> dict[str, dict[str, str]]:
        """What the folders say, as the product itself reads them."""
        return {
            source.name: self.listed_of(application, source.name)
            for source in application.settings.sources
        }

    def stored(self, application: Application) -> dict[str, dict[str, str]]:
        """What the database serves."""
        found: dict[str, dict[str, str]] = {s.name: {} for s in application.settings.sources}
        with application.database.read() as connection:
            for document in articles.read_documents(connection):
                found[document.source][document.document_id] = document.content_hash
        return found

    def accept(self, application: Application) -> None:
        """Take what is stored now as the state that must not be lost any more."""
        self.acknowledged = self.stored(application)
        with application.database.read() as connection:
            present = {}
            for document in articles.read_documents(connection):
                text = articles.read_version(connection, document.document_id, document.version)
                present[document.document_id] = text.markdown.split(maxsplit=1)[0]
        left = set(self.markers.values()) - set(present.values())
        self.gone = [*self.gone, *sorted(left)][-40:]
        self.markers = present
