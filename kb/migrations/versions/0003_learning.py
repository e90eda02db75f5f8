"""What retrieval learns from solved tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0003"
down_revision = "0002_hierarchy"


def upgrade() -> None:
    op.create_table(
        "judgements",
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("requester", sa.String(length=120), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_judgements_document_id")
        ),
        sa.PrimaryKeyConstraint("ref", "document_id", name=op.f("pk_judgements")),
    )
    op.create_index(op.f("ix_judgements_at"), "judgements", ["at"], unique=False)
    op.create_table(
        "learned_models",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("fitted_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("until", tables.Instant(timezone=True), nullable=False),
        sa.Column("recipe", sa.String(length=120), nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learned_models")),
    )
    op.create_table(
        "passed_over",
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["learned_models.id"], name=op.f("fk_passed_over_model_id")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_passed_over_document_id")
        ),
        sa.PrimaryKeyConstraint("model_id", "audience", "document_id", name=op.f("pk_passed_over")),
    )
