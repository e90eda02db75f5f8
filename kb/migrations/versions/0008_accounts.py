"""People with passwords or OpenID Connect, sessions that idle out, and earned autonomy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kb import tables

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _create_people()
    # Sessions last hours: signing in once more is simpler than rewriting them.
    op.drop_table("sessions")
    _create_sessions()
    _create_flows()
    _create_rules()


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=80)),
        sa.Column("password_hash", sa.Text()),
        sa.Column("openid_subject", sa.String(length=64)),
        sa.Column("setup_hash", sa.String(length=64)),
        sa.Column("setup_until", tables.Instant(timezone=True)),
        sa.Column("created_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("disabled_at", tables.Instant(timezone=True)),
        sa.Column("signed_in_at", tables.Instant(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
        sa.UniqueConstraint("openid_subject", name=op.f("uq_people_openid_subject")),
        sa.UniqueConstraint("setup_hash", name=op.f("uq_people_setup_hash")),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40)),
        sa.Column("person_id", sa.String(length=40)),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("seen_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("expires_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_sessions_key_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_key_id"), "sessions", ["key_id"])
    op.create_index(op.f("ix_sessions_person_id"), "sessions", ["person_id"])


def _create_flows() -> None:
    op.create_table(
        "openid_flows",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("code_verifier", sa.String(length=128), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("expires_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_openid_flows")),
    )


def _create_rules() -> None:
    op.create_table(
        "autonomy_rules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("raised_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("raised_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("draft_ids", sa.JSON(), nullable=False),
        sa.Column("withdrawn_at", tables.Instant(timezone=True)),
        sa.Column("withdrawn_by", sa.String(length=120)),
        sa.Column("withdrawn_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_autonomy_rules")),
    )
    op.create_index("ix_autonomy_rules_owner", "autonomy_rules", ["owner", "kind"])
