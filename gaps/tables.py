"""The tables of what was asked in vain: tickets, topics, gaps, drafts, reviews, effects."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from kb.tables import Instant, metadata

tickets = Table(
    "tickets",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("solved_at", Instant),
    Column("resolution", Text),
    Column("replies", JSON, nullable=False),
    Column("linked_articles", JSON, nullable=False),
    Column("helpful", Boolean),
    Column("reopened", Boolean, nullable=False),
    Column("escalated", Boolean, nullable=False),
    Column("channel", String(40)),
    Column("product", String(80)),
    Column("tags", JSON, nullable=False),
    Column("requester", String(80)),
    Column("error_code", String(80)),
    Column("audience", String(20), nullable=False),
    Column("masked", JSON, nullable=False),
    Column("imported_at", Instant, nullable=False),
)

topics = Table(
    "topics",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("title", Text, nullable=False),
    Column("terms", JSON, nullable=False),
    Column("centroid", LargeBinary, nullable=False),
    Column("recipe", String(120), nullable=False),
    Column("ticket_ids", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

gap_runs = Table(
    "gap_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("since", Instant),
    Column("until", Instant),
    Column("report", JSON, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("topic_id", ForeignKey("topics.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("terms", JSON, nullable=False),
    Column("priority", Float, nullable=False),
    Column("probability", Float, nullable=False),
    Column("impact_per_week", Float, nullable=False),
    Column("audience", String(20), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("ticket_ids", JSON, nullable=False),
    Column("document_ids", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("weekly_counts", JSON, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("run_id", ForeignKey("gap_runs.id"), nullable=False),
    Column("dismissed_by", String(80)),
    Column("dismissed_reason", Text),
    Column("dismissed_ticket_count", Integer),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("gap_id", ForeignKey("gaps.id"), nullable=False, index=True),
    Column("state", String(30), nullable=False, index=True),
    Column("document_id", String(200)),
    Column("base_version", Integer),
    Column("source", String(80), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("title", Text, nullable=False),
    Column("markdown", Text, nullable=False),
    Column("statements", JSON, nullable=False),
    Column("checks", JSON, nullable=False),
    Column("refused", JSON),
    Column("held_back_ids", JSON, nullable=False),
    Column("draft_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("draft_id", ForeignKey("drafts.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("reviewer", String(80), nullable=False),
    Column("decision", String(20), nullable=False),
    Column("reason", Text),
    Column("draft_hash", String(64), nullable=False),
    Column("markdown", Text),
)

publications = Table(
    "publications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("draft_id", ForeignKey("drafts.id"), nullable=False),
    Column("document_id", String(200), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("previous_version", Integer),
    Column("path", Text),
    Column("file_written", Boolean, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", String(80), nullable=False),
    Column("rolled_back_at", Instant),
    UniqueConstraint("draft_id", name="uq_publications_draft"),
)

effects = Table(
    "effects",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("publication_id", ForeignKey("publications.id"), nullable=False, index=True),
    Column("measured_at", Instant, nullable=False),
    Column("verdict", String(30), nullable=False),
    Column("report", JSON, nullable=False),
)

drives = Table(
    "drives",
    metadata,
    Column("period", String(20), primary_key=True),
    Column("ran_at", Instant, nullable=False),
    Column("report", JSON, nullable=False),
)
