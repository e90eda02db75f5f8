"""What became of a publication at its source: commit, branch, or why it is held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("publications", sa.Column("delivery", sa.JSON()))


def downgrade() -> None:
    op.drop_column("publications", "delivery")
