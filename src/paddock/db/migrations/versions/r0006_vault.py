"""Keys of others, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("master_id", sa.String(64), nullable=False),
        sa.Column("master_place", sa.String(16), nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_vault_keys_purpose", "vault_keys", ["purpose"])
    op.create_table(
        "vault_entries",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("key_id", sa.String(64), sa.ForeignKey("vault_keys.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_vault_entries_key_id", "vault_entries", ["key_id"])
