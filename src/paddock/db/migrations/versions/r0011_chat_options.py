"""How a conversation's answers are asked for, and its branches found by where they came from."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chats", sa.Column("options", sa.JSON, nullable=True))
    op.create_index("ix_chats_branched_from", "chats", ["branched_from"])
