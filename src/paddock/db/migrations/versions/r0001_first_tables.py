"""The first tables: models, pulls, what hubs told, aliases, the registry, prompt templates."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.String(512), primary_key=True),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("revision", sa.String(256)),
        sa.Column("format", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("fingerprint", sa.String(128), nullable=False),
        sa.Column("license", sa.String(256)),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("keep_alive", sa.String(32)),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("verified_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "pulls",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("revision", sa.String(256)),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.Column("downloaded_bytes", sa.BigInteger, nullable=False),
        sa.Column("speed", sa.Float, nullable=False),
        sa.Column("volume", sa.String(128), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("wish", sa.String(16)),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_pulls_name", "pulls", ["name"])
    op.create_index("pulls_by_status", "pulls", ["status"])
    op.create_table(
        "hub_cache",
        sa.Column("key", sa.String(512), primary_key=True),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String(256), primary_key=True),
        sa.Column("target", sa.String(512), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "registry",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("description", sa.Text),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "templates",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("defaults", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
