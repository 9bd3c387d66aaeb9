"""What models took when they were loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("name", sa.String(512), primary_key=True),
        sa.Column("revision", sa.String(256), primary_key=True),
        sa.Column("device", sa.String(32), primary_key=True),
        sa.Column("memory_bytes", sa.BigInteger, nullable=False),
        sa.Column("load_seconds", sa.Float, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_measurements_measured_at", "measurements", ["measured_at"])
