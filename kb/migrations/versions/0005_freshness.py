"""Freshness: its history, what it read of texts and tickets, verdicts on links, duplicates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0005"
down_revision = "0004"

KEY, HASH = sa.String(length=200), sa.String(length=64)
TICKET, MOMENT = sa.String(length=120), tables.Instant(timezone=True)


def upgrade() -> None:
    _create_verdicts()
    _create_readings()


def _create_verdicts() -> None:
    op.create_table(
        "freshness_history",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("period", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("damage", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        _of_document("freshness_history", "document_id"),
        sa.PrimaryKeyConstraint("document_id", "at", name=op.f("pk_freshness_history")),
    )
    op.create_table(
        "links",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("target", sa.Text()),
        sa.Column("checked_at", MOMENT, nullable=False),
        _of_document("links", "document_id"),
        sa.PrimaryKeyConstraint("document_id", "url", name=op.f("pk_links")),
    )
    op.create_table(
        "duplicates",
        sa.Column("left_id", KEY, nullable=False),
        sa.Column("right_id", KEY, nullable=False),
        sa.Column("left_hash", HASH, nullable=False),
        sa.Column("right_hash", HASH, nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        _of_document("duplicates", "left_id"),
        _of_document("duplicates", "right_id"),
        sa.PrimaryKeyConstraint("left_id", "right_id", name=op.f("pk_duplicates")),
    )


def _create_readings() -> None:
    op.create_table(
        "freshness_texts",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("content_hash", HASH, nullable=False),
        sa.Column("recipe", sa.String(length=120), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("vector", sa.LargeBinary()),
        _of_document("freshness_texts", "document_id"),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_freshness_texts")),
    )
    op.create_table(
        "freshness_tickets",
        sa.Column("ticket_id", TICKET, nullable=False),
        sa.Column("content_hash", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_freshness_tickets")),
    )
    op.create_table(
        "freshness_uses",
        sa.Column("ticket_id", TICKET, nullable=False),
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("origin", sa.String(length=140), nullable=False),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
        sa.Column("compared", HASH),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "document_id", name=op.f("pk_freshness_uses")),
    )
    op.create_index(op.f("ix_freshness_uses_document_id"), "freshness_uses", ["document_id"])
    op.create_index(op.f("ix_freshness_uses_at"), "freshness_uses", ["at"])
    op.create_table(
        "freshness_terms",
        sa.Column("ticket_id", TICKET, nullable=False),
        sa.Column("term", sa.String(length=80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "term", name=op.f("pk_freshness_terms")),
    )
    op.create_index(op.f("ix_freshness_terms_at"), "freshness_terms", ["at"])


def _of_document(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["documents.id"], name=op.f(f"fk_{table}_{column}"))
