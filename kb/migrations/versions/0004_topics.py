"""Topics on two levels with a history, agents' signals, corrections, and coverage kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_members()
    _create_history()
    _create_evidence()
    _move_members()
    # Column by column: other tables point at these two, so they cannot be written anew.
    op.drop_column("topics", "ticket_ids")
    text, number = sa.String(length=10), sa.Float()
    _add("topics", sa.Column("level", text, nullable=False, server_default="fine"))
    _add("topics", sa.Column("parent_id", sa.String(length=40)))
    _add("topics", sa.Column("merged_into", sa.String(length=40)))
    _add("topics", sa.Column("radius", number, nullable=False, server_default="1"))
    _add("topics", sa.Column("place", sa.JSON()))
    op.create_index(op.f("ix_topics_parent_id"), "topics", ["parent_id"], unique=False)
    _add("gaps", sa.Column("impact_low", number, nullable=False, server_default="0"))
    _add("gaps", sa.Column("impact_high", number, nullable=False, server_default="0"))
    _add("gaps", sa.Column("requester_count", sa.Integer(), nullable=False, server_default="0"))
    _add("gaps", sa.Column("needs_look", sa.Boolean(), nullable=False, server_default=sa.false()))
    _add("gaps", sa.Column("dismissed_weekly", number))
    _add("gaps", sa.Column("dismissed_growth", number))


def _add(table: str, column: sa.Column[Any]) -> None:
    op.add_column(table, column)


def _create_members() -> None:
    op.create_table(
        "topic_members",
        sa.Column("ticket_id", sa.String(length=120), nullable=False),
        sa.Column("topic_id", sa.String(length=40)),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("anew", sa.Boolean(), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["topic_id"], ["topics.id"], name=op.f("fk_topic_members_topic_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_topic_members")),
    )
    op.create_index(op.f("ix_topic_members_topic_id"), "topic_members", ["topic_id"])


def _create_history() -> None:
    op.create_table(
        "topic_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(length=40)),
        sa.Column("topic_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("others", sa.JSON(), nullable=False),
        sa.Column("ticket_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name=op.f("fk_topic_events_topic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_events")),
    )
    op.create_index(op.f("ix_topic_events_topic_id"), "topic_events", ["topic_id"])
    op.create_table(
        "topic_corrections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("topic_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=200)),
        sa.Column("ticket_ids", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("judged", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["topic_id"], ["topics.id"], name=op.f("fk_topic_corrections_topic_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_corrections")),
    )
    op.create_index(op.f("ix_topic_corrections_topic_id"), "topic_corrections", ["topic_id"])


def _create_evidence() -> None:
    op.create_table(
        "gap_signals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(length=40)),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("searched", sa.JSON(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("ticket_id", sa.String(length=120)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap_signals")),
        sa.UniqueConstraint("content_hash", name="uq_gap_signals_content"),
    )
    op.create_index(op.f("ix_gap_signals_at"), "gap_signals", ["at"])
    op.create_table(
        "coverages",
        sa.Column("ticket_id", sa.String(length=120), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=120), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("best_documents", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_coverages")),
    )


def _move_members() -> None:
    """From the list in each topic's row; a ticket stays in the topic that was seen last."""
    topics = sa.table(
        "topics", sa.column("id"), sa.column("ticket_ids", sa.JSON()), sa.column("updated_at")
    )
    members = sa.table(
        "topic_members", sa.column("ticket_id"), sa.column("topic_id"),
        sa.column("similarity"), sa.column("anew"), sa.column("at"),
    )  # fmt: skip
    connection = op.get_bind()
    rows = connection.execute(sa.select(topics).order_by(topics.c.updated_at, topics.c.id)).all()
    held = {
        ticket_id: (row.id, 1 - place / (len(row.ticket_ids) + 1), row.updated_at)
        for row in rows
        for place, ticket_id in enumerate(row.ticket_ids)
    }
    for ticket_id, (topic_id, similarity, at) in sorted(held.items()):
        connection.execute(
            sa.insert(members).values(
                ticket_id=ticket_id, topic_id=topic_id, similarity=similarity, anew=True, at=at
            )
        )
