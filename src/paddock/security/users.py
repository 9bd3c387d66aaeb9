"""People who sign in, and the browsers in which they have."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from paddock.db.engine import Database
from paddock.db.tables import SessionRow, UserRow
from paddock.errors import NotFound, SignInFailed, UsageError
from paddock.security.callers import Scope
from paddock.security.passwords import Passwords
from paddock.security.throttle import Pace, Throttle

NAME_CHARACTERS_MAX: Final = 64
USERS_MAX: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]*")
_TOKEN_BYTES: Final = 32
# From one address against one user; from one address; against one user, from wherever.
_PAIR: Final = Pace(free=5)
_ALONE: Final = Pace(free=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """What is told of a person."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    disabled: bool
    created_at: datetime
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A browser that has just been let in."""

    user: User
    token: str = field(repr=False)  # for its cookie
    expires_at: datetime


class Users:
    """All of them. Those that are named and not known raise NotFound."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        session: timedelta,
        changed: Callable[[], None],
    ) -> None:
        """`session` is how long a browser stays signed in; `changed` is called after each change, for who remembers users."""
        self._changed = changed
        self._database = database
        self._now = now
        self._session = session
        self._passwords = Passwords()
        self._throttle = Throttle(clock)

    async def list(self) -> Sequence[User]:
        async with self._database.session() as session:
            rows = await session.scalars(select(UserRow).order_by(UserRow.name))
            return [_told(row) for row in rows]

    async def any(self) -> bool:
        """Whether anybody may sign in."""
        async with self._database.session() as session:
            found = await session.scalar(select(UserRow.id).where(UserRow.disabled.is_(False)).limit(1))
        return found is not None

    async def add(self, name: str, password: SecretStr, scopes: frozenset[Scope]) -> User:
        """Let a person in from now on. Raises UsageError for a name that is taken."""
        name = _checked_name(name)
        hashed = await self._passwords.hash(password)
        async with self._database.session(exclusive=True) as session:
            names = set(await session.scalars(select(UserRow.name)))
            if name in names:
                raise UsageError(f"There is a user `{name}` already.", hint="Choose another name.", param="name")
            if len(names) >= USERS_MAX:
                raise UsageError(f"There are {USERS_MAX} users.", hint="Remove some first: `paddock user remove`.")
            now = self._now()
            row = UserRow(
                id=secrets.token_hex(6),
                name=name,
                password=hashed,
                scopes=sorted(scopes),
                disabled=False,
                created_at=now,
                updated_at=now,
            )
            session.add(row)
        self._changed()
        return _told(row)

    async def edit(
        self,
        name: str,
        *,
        password: SecretStr | None = None,
        scopes: frozenset[Scope] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what is given. A new password, and being disabled, sign the person out everywhere."""
        hashed = await self._passwords.hash(password) if password is not None else None
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, name)
            if hashed is not None:
                row.password = hashed
            if scopes is not None:
                row.scopes = sorted(scopes)
            if disabled is not None:
                row.disabled = disabled
            row.updated_at = self._now()
            if hashed is not None or disabled:
                await session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
        self._changed()
        return _told(row)

    async def remove(self, name: str) -> User:
        """Forget a person, and sign them out; the answer is who it was."""
        async with self._database.session(exclusive=True) as session:
            row = await _row(session, name)
            await session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            await session.delete(row)
        self._changed()
        return _told(row)

    async def sign_in(self, name: str, password: SecretStr, *, address: str) -> SignedIn:
        """Let a browser in. Raises SignInFailed, which does not tell what was wrong, and TooManyAttempts."""
        name = name.lower()[:NAME_CHARACTERS_MAX]
        pair, alone = ("pair", name, address), [("user", name), ("address", address)]
        self._throttle.begin({pair: _PAIR, **dict.fromkeys(alone, _ALONE)})
        async with self._database.session() as session:
            row = await session.scalar(select(UserRow).where(UserRow.name == name))
        right = await self._passwords.verify(password, row.password if row else None)
        if row is None or not right or row.disabled:
            raise SignInFailed(
                "Name and password do not go together.", hint="Try again, or ask whoever runs this server."
            )
        self._throttle.succeeded(pair, *alone)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._now()
        expires_at = now + self._session
        async with self._database.session(exclusive=True) as session:
            row = await session.get_one(UserRow, row.id)
            row.last_sign_in_at = now
            await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            session.add(
                SessionRow(digest=digest_of_token(token), user_id=row.id, created_at=now, expires_at=expires_at)
            )
        return SignedIn(user=_told(row), token=token, expires_at=expires_at)

    async def sign_out(self, digest: str) -> None:
        """End one session, by the digest of its token."""
        async with self._database.session() as session:
            await session.execute(delete(SessionRow).where(SessionRow.digest == digest))
        self._changed()


def digest_of_token(token: str) -> str:
    """What is kept of the token in a cookie."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def page_token(token: str) -> str:
    """What a page shows with requests that change something: made from the cookie, which pages of others cannot read."""
    return hmac.digest(token.encode("utf-8", "surrogateescape"), b"paddock page token", "sha256").hex()


def _told(row: UserRow) -> User:
    return User(
        id=row.id,
        name=row.name,
        scopes=tuple(sorted(Scope(name) for name in row.scopes)),
        disabled=row.disabled,
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
    )


async def _row(session: AsyncSession, name: str) -> UserRow:
    row = await session.scalar(select(UserRow).where(UserRow.name == name.lower()))
    if row is None:
        raise NotFound(f"There is no user `{name[:NAME_CHARACTERS_MAX]}`.", hint="See who there is: `paddock user`.")
    return row


def _checked_name(name: str) -> str:
    name = name.lower()
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name[:40]}` cannot name a user.",
            hint=f"Use letters, digits and `._@+-`, {NAME_CHARACTERS_MAX} at most.",
            param="name",
        )
    return name
