"""Several conflicting statements between two documents, and passages that say the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0002_hierarchy"
down_revision = "0001"

_COLUMNS = (
    "winner_id", "loser_id", "winner_version", "loser_version", "winner_statement",
    "loser_statement", "similarity", "found_at",
)  # fmt: skip


def upgrade() -> None:
    # What was found is few and found anew every week: taken out and put back, which every
    # database can, where changing a primary key in place differs between them.
    old = sa.table(
        "conflicts",
        *(sa.column(name) for name in _COLUMNS if name != "found_at"),
        sa.column("found_at", tables.Instant(timezone=True)),
    )
    connection = op.get_bind()
    rows = [dict(row._mapping) for row in connection.execute(sa.select(old))]
    op.drop_table("conflicts")
    conflicts = op.create_table(
        "conflicts",
        sa.Column("winner_id", sa.String(length=200), nullable=False),
        sa.Column("loser_id", sa.String(length=200), nullable=False),
        sa.Column("statement_hash", sa.String(length=64), nullable=False),
        sa.Column("winner_version", sa.Integer(), nullable=False),
        sa.Column("loser_version", sa.Integer(), nullable=False),
        sa.Column("winner_statement", sa.Text(), nullable=False),
        sa.Column("loser_statement", sa.Text(), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("found_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["loser_id"], ["documents.id"], name=op.f("fk_conflicts_loser_id")),
        sa.ForeignKeyConstraint(
            ["winner_id"], ["documents.id"], name=op.f("fk_conflicts_winner_id")
        ),
        sa.PrimaryKeyConstraint(
            "winner_id", "loser_id", "statement_hash", name=op.f("pk_conflicts")
        ),
    )
    for row in rows:
        row["statement_hash"] = tables.hash_statements(
            row["winner_statement"], row["loser_statement"]
        )
        connection.execute(sa.insert(conflicts).values(**row))
    op.create_table(
        "twins",
        sa.Column("stronger_chunk", sa.String(length=64), nullable=False),
        sa.Column("weaker_chunk", sa.String(length=64), nullable=False),
        sa.Column("stronger_id", sa.String(length=200), nullable=False),
        sa.Column("weaker_id", sa.String(length=200), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("found_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stronger_id"], ["documents.id"], name=op.f("fk_twins_stronger_id")
        ),
        sa.ForeignKeyConstraint(["weaker_id"], ["documents.id"], name=op.f("fk_twins_weaker_id")),
        sa.PrimaryKeyConstraint("stronger_chunk", "weaker_chunk", name=op.f("pk_twins")),
    )
