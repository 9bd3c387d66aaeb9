"""What models took at the most, and for what work."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "memory_peaks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("revision", sa.String(256), nullable=False),
        sa.Column("device", sa.String(32), nullable=False),
        sa.Column("context_window", sa.Integer, nullable=False),
        sa.Column("loaded_bytes", sa.BigInteger, nullable=False),
        sa.Column("peak_bytes", sa.BigInteger, nullable=False),
        sa.Column("kv_bytes", sa.BigInteger, nullable=False),
        sa.Column("context", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("step_tokens", sa.Integer, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_memory_peaks_model", "memory_peaks", ["name", "revision", "device"])
    op.create_index("ix_memory_peaks_measured_at", "memory_peaks", ["measured_at"])
