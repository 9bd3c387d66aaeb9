"""The tables. Rows are plain records; the rooms that own them turn them into vocabulary.

Times are UTC. A change here needs a migration in `migrations/` (CONTRIBUTING, "Add a migration").
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """SQLite forgets time zones; every time goes in and comes out as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcTime}  # noqa: RUF012 (SQLAlchemy's form)


class ModelRow(Table):
    """One model in the library. `fingerprint` tells whether the files changed since `facts` were read from them."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    source: Mapped[str] = mapped_column(String(32))
    origin: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(Text)  # what to pull to get it again
    revision: Mapped[str | None] = mapped_column(String(256))
    format: Mapped[str] = mapped_column(String(32))
    path: Mapped[str] = mapped_column(Text)  # the folder, or the file of a single-file model
    root: Mapped[str] = mapped_column(Text)  # the folder that the files' names are relative to
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[list[Any]] = mapped_column(JSON)  # [{path, size, sha256, git_oid, key}]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(128), default="")
    license: Mapped[str | None] = mapped_column(String(256))
    pinned: Mapped[bool] = mapped_column(Boolean, default=False)
    keep_alive: Mapped[str | None] = mapped_column(String(32))
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    added_at: Mapped[datetime]
    modified_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]


class PullRow(Table):
    """One pull, finished or not. While its owner lives, its remaining bytes are reserved on `volume`."""

    __tablename__ = "pulls"
    __table_args__ = (Index("pulls_by_status", "status"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), index=True)
    reference: Mapped[str] = mapped_column(Text)
    revision: Mapped[str | None] = mapped_column(String(256))
    status: Mapped[str] = mapped_column(String(32))
    files: Mapped[list[Any]] = mapped_column(JSON)  # the files that the plan chose
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    downloaded_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    speed: Mapped[float] = mapped_column(Float, default=0.0)
    volume: Mapped[str] = mapped_column(String(128))  # host and disk that the bytes fill
    owner: Mapped[str | None] = mapped_column(String(128))  # host:pid:start time of the process that moves the bytes
    wish: Mapped[str | None] = mapped_column(String(16))  # pause or cancel, asked for by another process
    error_code: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class HubCacheRow(Table):
    """What a hub told last, so that `plan` and `show` still answer without it, marked stale."""

    __tablename__ = "hub_cache"

    key: Mapped[str] = mapped_column(String(512), primary_key=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    fetched_at: Mapped[datetime]


class AliasRow(Table):
    __tablename__ = "aliases"

    alias: Mapped[str] = mapped_column(String(256), primary_key=True)
    target: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime]


class RegistryRow(Table):
    """A model worth knowing by a short name: where to get it, what it must hash to, how to run it."""

    __tablename__ = "registry"

    name: Mapped[str] = mapped_column(String(256), primary_key=True)
    reference: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64))
    description: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime]


class TemplateRow(Table):
    """A prompt template with variables, validated before it was saved."""

    __tablename__ = "templates"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    defaults: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    updated_at: Mapped[datetime]


class MeasurementRow(Table):
    """What one load of a model took: one row a model, revision and device, the latest load."""

    __tablename__ = "measurements"

    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    revision: Mapped[str] = mapped_column(String(256), primary_key=True)  # or the fingerprint of files without one
    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    memory_bytes: Mapped[int] = mapped_column(BigInteger)  # of the process, before the first prompt
    load_seconds: Mapped[float] = mapped_column(Float)
    measured_at: Mapped[datetime] = mapped_column(index=True)


class MemoryPeakRow(Table):
    """The most that one load of a model took while it worked, and for what work."""

    __tablename__ = "memory_peaks"
    __table_args__ = (Index("ix_memory_peaks_model", "name", "revision", "device"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(512))
    revision: Mapped[str] = mapped_column(String(256))  # or the fingerprint of files without one
    device: Mapped[str] = mapped_column(String(32))
    context_window: Mapped[int] = mapped_column(Integer)  # as it was set for this load
    loaded_bytes: Mapped[int] = mapped_column(BigInteger)  # before the first prompt
    peak_bytes: Mapped[int] = mapped_column(BigInteger)
    kv_bytes: Mapped[int] = mapped_column(BigInteger)
    context: Mapped[int] = mapped_column(Integer)  # tokens of the longest sequence
    tokens: Mapped[int] = mapped_column(BigInteger)  # of all sequences together
    step_tokens: Mapped[int] = mapped_column(Integer)  # of the largest step
    measured_at: Mapped[datetime] = mapped_column(index=True)


class ChatRow(Table):
    """One conversation. What was said in it are its `chat_messages`, `length` of them, which take `size_bytes`."""

    __tablename__ = "chats"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(Text)  # empty until the first message gives it one
    title_folded: Mapped[str] = mapped_column(Text)  # as searches look at it
    model: Mapped[str] = mapped_column(String(512), index=True)
    length: Mapped[int] = mapped_column(Integer)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    # Counts every change of any conversation: the order of lists, which a clock that is set back would upset.
    touched: Mapped[int] = mapped_column(BigInteger, unique=True)
    branched_from: Mapped[str | None] = mapped_column(String(32), index=True)  # a conversation that may be gone by now
    branched_at: Mapped[int | None] = mapped_column(Integer)  # its last message that both have; -1 is none
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    options: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # how its answers are asked for
    owner: Mapped[str | None] = mapped_column(
        String(64), index=True
    )  # `user:…`, `key:…`; None is whoever runs the server


class ChatMessageRow(Table):
    """One message of a conversation, in the order of `position`."""

    __tablename__ = "chat_messages"

    chat_id: Mapped[str] = mapped_column(ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    parts: Mapped[list[Any]] = mapped_column(JSON)  # texts, thoughts, tool calls, results, images: `chats.messages`
    folded: Mapped[str] = mapped_column(Text)  # its texts as searches look at them
    model: Mapped[str | None] = mapped_column(String(512))  # of an answer: who gave it
    finish_reason: Mapped[str | None] = mapped_column(String(16))  # how it ended; `cancelled` is cut
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    first_token_seconds: Mapped[float | None] = mapped_column(Float)
    seconds: Mapped[float | None] = mapped_column(Float)  # from the question to the last token
    created_at: Mapped[datetime]


class ResponseRow(Table):
    """A response that a later one may go on from, with all that was said before it."""

    __tablename__ = "responses"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)  # the order in which they were kept
    id: Mapped[str] = mapped_column(String(128), unique=True, index=True)
    tenant: Mapped[str] = mapped_column(String(256))  # whose it is
    document: Mapped[dict[str, Any]] = mapped_column(JSON)  # as it was sent
    context: Mapped[list[Any]] = mapped_column(JSON)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(index=True)


class TrialRow(Table):
    """What a model showed when it was tried last: one row a model, revision and device."""

    __tablename__ = "trials"

    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    revision: Mapped[str] = mapped_column(String(256), primary_key=True)  # or the fingerprint of files without one
    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)  # `library.trials.results`
    tried_at: Mapped[datetime] = mapped_column(index=True)


class VaultKeyRow(Table):
    """A key that entries or recorded prompts are sealed with, itself wrapped by a master key outside the database."""

    __tablename__ = "vault_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), index=True)
    wrapped: Mapped[str] = mapped_column(Text)  # a JWE
    master_id: Mapped[str] = mapped_column(String(64))
    master_place: Mapped[str] = mapped_column(String(16))  # where that was kept: `file`, `keyring`
    current: Mapped[bool] = mapped_column(Boolean)  # new texts of its purpose are sealed with it
    created_at: Mapped[datetime]


class VaultEntryRow(Table):
    """A secret of somebody else's, such as a provider's key."""

    __tablename__ = "vault_entries"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)  # a JWE
    previous: Mapped[str | None] = mapped_column(Text)  # what it was before its last change, sealed alike
    key_id: Mapped[str] = mapped_column(ForeignKey("vault_keys.id"), index=True)  # of both
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RouteRuleRow(Table):
    """A rule: names that fit its pattern go to its targets."""

    __tablename__ = "route_rules"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    match: Mapped[str] = mapped_column(String(16))  # exact, prefix, regex
    pattern: Mapped[str] = mapped_column(Text)
    targets: Mapped[list[Any]] = mapped_column(JSON)  # [{provider, model, options}], in order
    priority: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool] = mapped_column(Boolean)
    description: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime]


class ProviderRow(Table):
    """Somebody else who answers. The key is in the vault."""

    __tablename__ = "providers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # openai, anthropic, ollama
    base_url: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    organization: Mapped[str] = mapped_column(Text)
    timeout_s: Mapped[float | None] = mapped_column(Float)
    enabled: Mapped[bool] = mapped_column(Boolean)
    automatic: Mapped[bool] = mapped_column(Boolean)
    updated_at: Mapped[datetime]


class UserRow(Table):
    """A person who may sign in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password: Mapped[str] = mapped_column(Text)  # an argon2 hash
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]


class SessionRow(Table):
    """A browser that is signed in."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the token in its cookie
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ApiKeyRow(Table):
    """A key of a program. The key itself was shown once, when it was made."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    previous_digest: Mapped[str | None] = mapped_column(String(64))  # of the secret before the last change of it
    previous_until: Mapped[datetime | None]
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    models: Mapped[list[Any]] = mapped_column(JSON)  # patterns; empty is every model
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]  # written now and then
    tokens_day: Mapped[str | None] = mapped_column(String(10))  # the day, in UTC, that `tokens_used` counts
    tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)


class AuditRowRow(Table):
    """One request. `hash` covers every other column and the hash of the row before."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    request_id: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(Text)
    dialect: Mapped[str] = mapped_column(Text)
    method: Mapped[str] = mapped_column(Text)
    endpoint: Mapped[str] = mapped_column(Text)
    asked_model: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    route: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    status: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str] = mapped_column(Text)
    duration_us: Mapped[int] = mapped_column(BigInteger)
    first_token_us: Mapped[int | None] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nanos: Mapped[int | None] = mapped_column(BigInteger)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    prompt: Mapped[str | None] = mapped_column(Text)  # a JWE
    hash: Mapped[str] = mapped_column(String(64))


class AuditStateRow(Table):
    """Where the chain of `audit` begins and ends. One row."""

    __tablename__ = "audit_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    anchor_seq: Mapped[int] = mapped_column(BigInteger)  # the last row that was let go, and its hash
    anchor_hash: Mapped[str] = mapped_column(String(64))
    head_seq: Mapped[int] = mapped_column(BigInteger)  # the last row that was written, and its hash
    head_hash: Mapped[str] = mapped_column(String(64))
    dropped: Mapped[int] = mapped_column(BigInteger)  # requests that could not be written down
