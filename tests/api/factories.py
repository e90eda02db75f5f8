"""Builders shared by the tests of `api` and by the guards."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.keys import create_key
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import compute_draft_hash, make_id, write_draft
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
from kb.types import Audience, Role

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
CONFIG = """\
[encoder]
kind = "hashing"

[[owners]]
name = "ana"

[[owners]]
name = "ben"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ana"

[[sources]]
name = "rules"
kind = "markdown"
location = "policies"
authority = "policy"
audience = "internal"
owner = "ben"
"""


def write_installation(folder: Path, config: str = CONFIG) -> Path:
    """A kb.toml with two sources and four documents; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kb.toml"
    path.write_text(config, encoding="utf-8")
    for number in range(3):
        write_article(
            folder / "articles" / f"help-{number}.md",
            f"How to reset the router, way {number}.",
            title=f"Reset the router {number}",
        )
    write_article(folder / "policies" / "refunds.md", "Refunds take 14 days.", title="Refunds")
    return path


def write_article(path: Path, body: str, **keys: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    front = "".join(f"{key}: {value}\n" for key, value in keys.items())
    path.write_text(f"---\n{front}---\n\n{body}\n", encoding="utf-8")
    return path


def make_key(
    application: Application,
    role: Role = Role.AGENT,
    audience: Audience = Audience.PUBLIC,
    **said: Any,
) -> str:
    owner = said.pop("owner", "ana" if role is Role.OWNER else None)
    with application.database.write() as connection:
        _, key = create_key(
            connection, role=role, audience=audience, owner=owner, now=NOW, actor="t", **said
        )
    return key


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def sync(application: Application) -> list[dict[str, Any]]:
    return list(application.sync_sources())


def make_draft(
    application: Application,
    document_id: str = "wanted",
    *,
    changes: bool = False,
    markdown: str = "Press the green lever twice.\n",
) -> Draft:
    """A draft in review, with a gap behind it: for a new article, or for one there is."""
    base_version: int | None = None
    with application.database.read() as connection:
        if changes:
            base_version = articles.read_document(connection, document_id).version
    title = f"About {document_id}"
    gap = Gap(
        gap_id=make_id("gap"), topic_id=make_id("top"), kind=GapKind.MISSING,
        status=GapStatus.DRAFTING, title=title, terms=("lever",), priority=1.0, probability=0.9,
        impact_per_week=1.0, audience=Audience.PUBLIC, owner="ana", ticket_ids=("t1",),
        document_ids=(), reasons=(), weekly_counts=(1,), first_seen_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    statements = (Statement(markdown.strip(), (Citation("ticket", "t1", "twice"),)),)
    draft = Draft(
        draft_id=make_id("dr"), gap_id=gap.gap_id, state=DraftState.IN_REVIEW, title=title,
        markdown=markdown, statements=statements, checks=(Check("text", "green", "fine"),),
        audience=Audience.PUBLIC, owner="ana", source="help", document_id=document_id,
        base_version=base_version, held_back_ids=(), refused=None, created_at=NOW, updated_at=NOW,
        draft_hash=compute_draft_hash(
            title=title, markdown=markdown, document_id=document_id, base_version=base_version,
            statements=statements,
        ),
    )  # fmt: skip
    vector = application.encoder.encode([title])[0]
    topic = Topic(gap.topic_id, title, ("lever",), ("t1",))
    with application.database.write() as connection:
        run_id = make_id("run")
        recipe = application.encoder.recipe
        write_topic(connection, StoredTopic(topic, vector, recipe, NOW, NOW))
        repository.write_gap_run(connection, run_id, at=NOW, since=None, until=None, report={})
        repository.write_gap(connection, gap, run_id=run_id, now=NOW)
        write_draft(connection, draft)
    return draft
