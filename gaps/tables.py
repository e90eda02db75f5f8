"""The tables of what was asked in vain: tickets, topics, gaps, drafts, reviews, effects."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
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
    Column("level", String(10), nullable=False),
    Column("parent_id", String(40), index=True),
    Column("merged_into", String(40)),
    Column("radius", Float, nullable=False),
    Column("place", JSON),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

topic_members = Table(
    "topic_members",
    metadata,
    Column("ticket_id", String(120), primary_key=True),
    Column("topic_id", ForeignKey("topics.id"), index=True),
    Column("similarity", Float, nullable=False),
    Column("anew", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
)

topic_events = Table(
    "topic_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("run_id", String(40)),
    Column("topic_id", ForeignKey("topics.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("others", JSON, nullable=False),
    Column("ticket_count", Integer, nullable=False),
)

topic_corrections = Table(
    "topic_corrections",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", String(80), nullable=False),
    Column("topic_id", ForeignKey("topics.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("value", String(200)),
    Column("ticket_ids", JSON, nullable=False),
    Column("reason", Text),
    Column("judged", JSON, nullable=False),
)

signals = Table(
    "gap_signals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("key_id", String(40)),
    Column("audience", String(20), nullable=False),
    Column("question", Text, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("searched", JSON, nullable=False),
    Column("found", JSON, nullable=False),
    Column("ticket_id", String(120)),
    UniqueConstraint("content_hash", name="uq_gap_signals_content"),
)

coverages = Table(
    "coverages",
    metadata,
    Column("ticket_id", String(120), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("state", String(120), nullable=False),
    Column("probability", Float, nullable=False),
    Column("best_documents", JSON, nullable=False),
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
    Column("impact_low", Float, nullable=False),
    Column("impact_high", Float, nullable=False),
    Column("requester_count", Integer, nullable=False),
    Column("needs_look", Boolean, nullable=False),
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
    Column("dismissed_weekly", Float),
    Column("dismissed_growth", Float),
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
    Column("due_at", Instant),
    Column("snoozed_until", Instant),
    Column("verdict", String(5), nullable=False, server_default=""),
    Column("evidence", JSON),
    Column("evidence_hash", String(64)),
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
    Column("because", String(30)),
    Column("because_value", Text),
    Column("evidence_hash", String(64)),
)

draft_notes = Table(
    "draft_notes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("draft_id", ForeignKey("drafts.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("by", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("value", String(200)),
    Column("text", Text, nullable=False),
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
    Column("delivery", JSON),
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

autonomy_rules = Table(
    "autonomy_rules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("raised_by", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("draft_ids", JSON, nullable=False),
    Column("withdrawn_at", Instant),
    Column("withdrawn_by", String(120)),
    Column("withdrawn_reason", Text),
    Index("ix_autonomy_rules_owner", "owner", "kind"),
)

drives = Table(
    "drives",
    metadata,
    Column("period", String(20), primary_key=True),
    Column("ran_at", Instant, nullable=False),
    Column("report", JSON, nullable=False),
)

freshness_history = Table(
    "freshness_history",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("run", String(40), nullable=False),
    Column("period", String(20), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("probability", Float, nullable=False),
    Column("damage", Float, nullable=False),
    Column("reasons", JSON, nullable=False),
)

freshness_texts = Table(
    "freshness_texts",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("recipe", String(120), nullable=False),
    Column("features", JSON, nullable=False),
    Column("vector", LargeBinary),
)

freshness_tickets = Table(
    "freshness_tickets",
    metadata,
    Column("ticket_id", String(120), primary_key=True),
    Column("content_hash", String(80), nullable=False),
)

freshness_uses = Table(
    "freshness_uses",
    metadata,
    Column("ticket_id", String(120), primary_key=True),
    Column("document_id", String(200), primary_key=True, index=True),
    Column("at", Instant, nullable=False, index=True),
    Column("origin", String(140), nullable=False),
    Column("linked", Boolean, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("followed", Boolean, nullable=False),
    Column("compared", String(64)),
    Column("told", JSON, nullable=False),
)

freshness_terms = Table(
    "freshness_terms",
    metadata,
    Column("ticket_id", String(120), primary_key=True),
    Column("term", String(80), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)
