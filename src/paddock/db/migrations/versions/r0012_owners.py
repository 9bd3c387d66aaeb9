"""Whose conversations are. Those from before are nobody's: whoever runs the server sees them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chats", sa.Column("owner", sa.String(64)))
    op.create_index("ix_chats_owner", "chats", ["owner"])
