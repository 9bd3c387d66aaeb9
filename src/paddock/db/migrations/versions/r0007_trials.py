"""What models showed when they were tried."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trials",
        sa.Column("name", sa.String(512), primary_key=True),
        sa.Column("revision", sa.String(256), primary_key=True),
        sa.Column("device", sa.String(32), primary_key=True),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_trials_tried_at", "trials", ["tried_at"])
