"""What was found behind links, and what people are to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    _create_links()
    _create_notices()


def _create_links() -> None:
    op.create_table(
        "links",
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("target", sa.Text()),
        sa.Column("checked_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_links_document_id"),
        sa.PrimaryKeyConstraint("document_id", "url", name="pk_links"),
    )


def _create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("not_before", tables.Instant(timezone=True), nullable=False),
        sa.Column("sent_at", tables.Instant(timezone=True)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("dedupe_key", name="uq_notices_dedupe_key"),
    )
    op.create_index("ix_notices_kind", "notices", ["kind"])
    op.create_index("ix_notices_waiting", "notices", ["sent_at", "not_before"])
