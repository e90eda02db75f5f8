"""The tables of what is known: sources, documents, their versions, the index and who asked."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultExecutionContext

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored instant needs its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


sources = Table(
    "sources",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("location", Text, nullable=False),
    Column("authority", String(60), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("review_every_days", Integer),
    Column("synced_at", Instant),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("source", ForeignKey("sources.name"), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("audience", String(20), nullable=False),
    Column("authority", String(60), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("confidence_state", String(30), nullable=False),
    Column("governance", String(20), nullable=False),
    Column("effective_from", Instant),
    Column("effective_until", Instant),
    Column("last_verified_at", Instant),
    Column("verified_by", String(80)),
    Column("review_every_days", Integer),
    Column("supersedes", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("products", JSON, nullable=False),
    Column("regions", JSON, nullable=False),
    Column("plans", JSON, nullable=False),
    Column("action_class", String(30)),
    Column("url", Text),
    Column("approved_by", Text),
    Column("customer", String(80)),
    Column("version", Integer, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("metadata_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)

versions = Table(
    "versions",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("title", Text, nullable=False),
    Column("markdown", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("author", String(80), nullable=False),
    Column("reason", Text, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("heading_path", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("content_hash", String(64), nullable=False, index=True),
    Column("live", Boolean, nullable=False),
    Column("index_seq", Integer, nullable=False),
    Index("ix_chunks_live_seq", "live", "index_seq"),
    Index("ix_chunks_document", "document_id", "version"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("content_hash", String(64), primary_key=True),
    Column("recipe", String(120), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("recipe", String(120), nullable=False),
    Column("watermark_seq", Integer, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("manifest_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("activated_at", Instant),
    Column("evaluation", JSON),
)

index_state = Table(
    "index_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("active_generation", ForeignKey("generations.id")),
    Column("last_seq", Integer, nullable=False),
)


def hash_statements(winner_statement: str, loser_statement: str) -> str:
    return hashlib.sha256(f"{winner_statement}\n{loser_statement}".encode()).hexdigest()


def _hash_of_row(context: DefaultExecutionContext) -> str:
    row: dict[str, str] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return hash_statements(row["winner_statement"], row["loser_statement"])


conflicts = Table(
    "conflicts",
    metadata,
    Column("winner_id", ForeignKey("documents.id"), primary_key=True),
    Column("loser_id", ForeignKey("documents.id"), primary_key=True),
    Column("statement_hash", String(64), primary_key=True, default=_hash_of_row),
    Column("winner_version", Integer, nullable=False),
    Column("loser_version", Integer, nullable=False),
    Column("winner_statement", Text, nullable=False),
    Column("loser_statement", Text, nullable=False),
    Column("similarity", Float, nullable=False),
    Column("found_at", Instant, nullable=False),
)

twins = Table(
    "twins",
    metadata,
    Column("stronger_chunk", String(64), primary_key=True),
    Column("weaker_chunk", String(64), primary_key=True),
    Column("stronger_id", ForeignKey("documents.id"), nullable=False),
    Column("weaker_id", ForeignKey("documents.id"), nullable=False),
    Column("similarity", Float, nullable=False),
    Column("found_at", Instant, nullable=False),
)

freshness_verdicts = Table(
    "freshness_verdicts",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("probability", Float, nullable=False),
    Column("damage", Float, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("judged_at", Instant, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("url", String(2000), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("status_code", Integer),
    Column("target", Text),
    Column("checked_at", Instant, nullable=False),
)

duplicates = Table(
    "duplicates",
    metadata,
    Column("left_id", ForeignKey("documents.id"), primary_key=True),
    Column("right_id", ForeignKey("documents.id"), primary_key=True),
    Column("left_hash", String(64), nullable=False),
    Column("right_hash", String(64), nullable=False),
    Column("similarity", Float, nullable=False),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("fitted_at", Instant, nullable=False),
    Column("model", JSON, nullable=False),
    Column("evaluation", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
)

judgements = Table(
    "judgements",
    metadata,
    Column("ref", String(200), primary_key=True),
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("requester", String(120), nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

learned_models = Table(
    "learned_models",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("fitted_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("recipe", String(120), nullable=False),
    Column("model", JSON, nullable=False),
    Column("evaluation", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
)

passed_over = Table(
    "passed_over",
    metadata,
    Column("model_id", ForeignKey("learned_models.id"), primary_key=True),
    Column("audience", String(20), primary_key=True),
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("owner", String(80)),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("per_minute", Integer),
)

people = Table(
    "people",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("owner", String(80)),
    Column("password_hash", Text),
    Column("openid_subject", String(64), unique=True),
    Column("setup_hash", String(64), unique=True),
    Column("setup_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("signed_in_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("key_id", ForeignKey("api_keys.id"), index=True),
    Column("person_id", ForeignKey("people.id"), index=True),
    Column("csrf_token", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

openid_flows = Table(
    "openid_flows",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("code_verifier", String(128), nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

searches = Table(
    "searches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("key_id", String(40)),
    Column("audience", String(20), nullable=False),
    Column("query", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("generation", String(40)),
    Column("calibration", String(80), nullable=False),
    Column("answerable", Boolean, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("degraded", JSON, nullable=False),
    Column("took_ms", Float, nullable=False),
    Column("hits", JSON, nullable=False),
    Column("conversation_id", String(120)),
    Column("served", JSON),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("search_id", ForeignKey("searches.id"), nullable=False),
    Column("key_id", String(40)),
    Column("outcome", String(20), nullable=False),
    Column("document_ids", JSON, nullable=False),
    Column("note", Text),
    Column("ticket_id", String(120)),
    Column("at", Instant, nullable=False),
    UniqueConstraint("search_id", "key_id", name="uq_outcomes_search_key"),
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("job", String(60), primary_key=True),
    Column("period", String(40), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("report", JSON),
    Column("error", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(260), nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("idempotency_key", String(200), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("response", JSON, nullable=False),
    Column("at", Instant, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("recipient", String(80), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("dedupe_key", String(200), nullable=False),
    UniqueConstraint("dedupe_key", name="uq_notices_dedupe_key"),
    Index("ix_notices_waiting", "sent_at", "not_before"),
)
