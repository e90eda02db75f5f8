"""What a review needs beside its decision: dates, evidence as it was checked, notes, lessons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0007"
down_revision = "0006"

DUE_AFTER = timedelta(days=7)
WORST_FIRST = ("red", "look", "green")


def upgrade() -> None:
    instant = tables.Instant(timezone=True)
    _add("drafts", sa.Column("due_at", instant))
    _add("drafts", sa.Column("snoozed_until", instant))
    _add("drafts", sa.Column("verdict", sa.String(length=5), nullable=False, server_default=""))
    _add("drafts", sa.Column("evidence", sa.JSON()))
    _add("drafts", sa.Column("evidence_hash", sa.String(length=64)))
    _add("reviews", sa.Column("because", sa.String(length=30)))
    _add("reviews", sa.Column("because_value", sa.Text()))
    _add("reviews", sa.Column("evidence_hash", sa.String(length=64)))
    op.create_table(
        "draft_notes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("draft_id", sa.String(length=40), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=200)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.id"], name=op.f("fk_draft_notes_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_notes")),
    )
    op.create_index(op.f("ix_draft_notes_draft_id"), "draft_notes", ["draft_id"])
    _fill()


def _add(table: str, column: sa.Column[Any]) -> None:
    op.add_column(table, column)


def _fill() -> None:
    """Give the drafts there are their date and worst check; their evidence was not kept."""
    drafts = sa.table(
        "drafts", sa.column("id"), sa.column("created_at", tables.Instant(timezone=True)),
        sa.column("checks", sa.JSON()), sa.column("due_at", tables.Instant(timezone=True)),
        sa.column("verdict"),
    )  # fmt: skip
    connection = op.get_bind()
    rows = connection.execute(sa.select(drafts.c.id, drafts.c.created_at, drafts.c.checks)).all()
    for row in rows:
        said = {check["verdict"] for check in row.checks}
        connection.execute(
            sa.update(drafts)
            .where(drafts.c.id == row.id)
            .values(
                due_at=row.created_at + DUE_AFTER,
                verdict=next((verdict for verdict in WORST_FIRST if verdict in said), ""),
            )
        )
