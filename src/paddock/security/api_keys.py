"""Keys of programs: `pk_<id>_<secret>`. The id finds the row; the row holds the digest of the secret, never the secret."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paddock.db.engine import Database
from paddock.db.tables import ApiKeyRow
from paddock.errors import NotFound, UsageError
from paddock.security.callers import ALL, SPEAKING, Scope

NAME_CHARACTERS_MAX: Final = 64
KEYS_MAX: Final = 10_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]*")
_KEY: Final = re.compile(r"pk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_MODELS_MAX: Final = 100
_PATTERN: Final = re.compile(r"[A-Za-z0-9*?\[\]!._:/@+-]{1,256}")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """What a key may."""

    scopes: frozenset[Scope] = SPEAKING
    models: tuple[str, ...] = ()  # patterns such as `qwen*`; none is every model
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is told of a key."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...]
    requests_per_minute: int | None
    tokens_per_day: int | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    tokens_today: int

    @property
    def terms(self) -> KeyTerms:
        """What it may."""
        return KeyTerms(
            scopes=frozenset(self.scopes),
            models=self.models,
            requests_per_minute=self.requests_per_minute,
            tokens_per_day=self.tokens_per_day,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made: the only time that it is shown."""

    key: ApiKey
    secret: str = field(repr=False)


class ApiKeys:
    """All of them. Those that are named and not known raise NotFound."""

    def __init__(self, *, database: Database, now: Callable[[], datetime], changed: Callable[[], None]) -> None:
        """`changed` is called after each change: whoever remembers keys has to look again."""
        self._database = database
        self._now = now
        self._changed = changed

    async def list(self) -> Sequence[ApiKey]:
        async with self._database.session() as session:
            rows = await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name))
            return [self._told(row) for row in rows]

    async def get(self, which: str) -> ApiKey:
        """One of them, by id or name."""
        async with self._database.session() as session:
            return self._told(await _row(session, which))

    async def add(self, name: str, terms: KeyTerms) -> NewKey:
        """Make a key. Raises UsageError for a name that is taken, or terms that make no sense."""
        _check_name(name)
        self._check(terms)
        key_id, text = _new()
        async with self._database.session(exclusive=True) as session:
            names = set(await session.scalars(select(ApiKeyRow.name)))
            if name in names:
                raise UsageError(
                    f"There is a key `{name}` already.", hint="Choose another name, or rotate that key.", param="name"
                )
            if len(names) >= KEYS_MAX:
                raise UsageError(f"There are {KEYS_MAX} keys.", hint="Remove some first: `paddock key remove`.")
            row = ApiKeyRow(id=key_id, name=name, digest=_digest(text), created_at=self._now(), tokens_used=0)
            _settle(row, terms)
            session.add(row)
        self._changed()
        return NewKey(key=self._told(row), secret=text)

    async def edit(self, which: str, terms: KeyTerms) -> ApiKey:
        """Give a key other terms; what it may from the next request on. `which` is an id or a name."""
        self._check(terms, now_too=False)
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, which)
            _settle(row, terms)
        self._changed()
        return self._told(row)

    async def rotate(self, which: str, *, grace: timedelta = timedelta(0)) -> NewKey:
        """A new secret for the same key. The old one holds for `grace`. Raises UsageError for one that was revoked."""
        if grace < timedelta(0):
            raise UsageError("A grace below nothing is none.", hint="Give a duration such as `24h`.", param="grace")
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, which)
            if row.revoked_at is not None:
                raise UsageError(f"`{row.name}` was revoked.", hint="Make a new key: `paddock key add`.")
            text = _new(row.id)[1]
            row.previous_digest, row.previous_until = (row.digest, self._now() + grace) if grace else (None, None)
            row.digest = _digest(text)
        self._changed()
        return NewKey(key=self._told(row), secret=text)

    async def revoke(self, which: str) -> ApiKey:
        """It opens nothing any more, and stays listed."""
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, which)
            row.revoked_at = row.revoked_at or self._now()
        self._changed()
        return self._told(row)

    async def remove(self, which: str) -> ApiKey:
        """Forget it; the answer is what it was."""
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, which)
            await session.delete(row)
        self._changed()
        return self._told(row)

    def _check(self, terms: KeyTerms, *, now_too: bool = True) -> None:
        if len(terms.models) > _MODELS_MAX or not all(_PATTERN.fullmatch(pattern) for pattern in terms.models):
            raise UsageError(
                "Models are given as names, or patterns with `*` and `?`.", hint="Such as `qwen*`.", param="models"
            )
        for name in ("requests_per_minute", "tokens_per_day"):
            value = getattr(terms, name)
            if value is not None and not 1 <= value <= 1 << 50:
                raise UsageError(f"`{name}` is at least 1.", hint="Leave it out for no limit.", param=name)
        if not terms.scopes <= ALL or not terms.scopes:
            raise UsageError("A key has at least one scope.", hint=f"There are {', '.join(Scope)}.", param="scopes")
        if now_too and terms.expires_at is not None and terms.expires_at <= self._now():
            raise UsageError("The key would have expired already.", hint="Give a later time.", param="expires_at")

    def _told(self, row: ApiKeyRow) -> ApiKey:
        today = self._now().date().isoformat()
        return ApiKey(
            id=row.id,
            name=row.name,
            scopes=tuple(sorted(Scope(name) for name in row.scopes)),
            models=tuple(row.models),
            requests_per_minute=row.requests_per_minute,
            tokens_per_day=row.tokens_per_day,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            tokens_today=row.tokens_used if row.tokens_day == today else 0,
        )


def id_in(text: str) -> str | None:
    """The id in something that looks like a key of ours."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def opens(row: ApiKeyRow, text: str, now: datetime) -> bool:
    """Whether `text` is the key of `row`. Takes the same time however near a guess is."""
    presented = _digest(text)
    right = hmac.compare_digest(row.digest, presented)
    before = hmac.compare_digest(row.previous_digest or "", presented)
    return right or (before and row.previous_until is not None and now < row.previous_until)


def digest_of(secret: SecretStr) -> str:
    """The digest of a key that comes from elsewhere, such as the environment."""
    return _digest(secret.get_secret_value())


def _digest(text: str) -> str:
    # The secret is random and long: a plain hash is as good as a slow one, and costs nothing a request.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _new(key_id: str | None = None) -> tuple[str, str]:
    key_id = key_id or secrets.token_hex(6)
    return key_id, f"pk_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def _settle(row: ApiKeyRow, terms: KeyTerms) -> None:
    row.scopes = sorted(terms.scopes)
    row.models = list(terms.models)
    row.requests_per_minute, row.tokens_per_day = terms.requests_per_minute, terms.tokens_per_day
    row.expires_at = terms.expires_at


async def _row(session: AsyncSession, which: str) -> ApiKeyRow:
    row = await session.get(ApiKeyRow, which) or await session.scalar(select(ApiKeyRow).where(ApiKeyRow.name == which))
    if row is None:
        raise NotFound(
            f"There is no key `{which[:NAME_CHARACTERS_MAX]}`.", hint="See those that there are: `paddock key`."
        )
    return row


def _check_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name) or name != name.strip():
        raise UsageError(
            f"`{name[:40]}` cannot name a key.",
            hint=f"Use letters, digits, blanks and `._@+-`, {NAME_CHARACTERS_MAX} at most.",
            param="name",
        )
