"""The gate: from what a request shows to who asks. What it has read of the database it trusts for a few seconds.

Other processes change keys, too: a key that was revoked by one of them opens nothing here once that time is over; what
this process changes holds at once (`reread`).
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr
from sqlalchemy import func, select

from paddock.db.engine import Database
from paddock.db.tables import ApiKeyRow, SessionRow, UserRow
from paddock.errors import KeyExpired, KeyMissing, KeyRevoked
from paddock.security.api_keys import digest_of, id_in, opens
from paddock.security.callers import ADMIN, ANYONE, LAUNCHED, LOCAL, Caller, Scope
from paddock.security.limits import Limits
from paddock.security.users import digest_of_token

TRUSTED_S: Final = 5.0
ENTRIES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row as it was found, or that there is none."""

    row: ApiKeyRow | tuple[SessionRow, UserRow] | None
    at: float


class Gate:
    """Who may ask one server."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        admin_key: SecretStr | None = None,
        local_token: SecretStr | None = None,
        launch_token: SecretStr | None = None,
        exposed: bool = False,
    ) -> None:
        """`exposed`: others than this machine reach the server, so a key is wanted whatever the database says."""
        self._database = database
        self._clock = clock
        self._now = now
        known = ((local_token, LOCAL), (launch_token, LAUNCHED), (admin_key, ADMIN))
        self._known = [(digest_of(secret), caller) for secret, caller in known if secret is not None]
        self._always = exposed or admin_key is not None
        self._wanted: tuple[bool, float] | None = None
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._changes = 0
        self._looking = asyncio.Lock()
        self.limits = Limits(clock=clock, now=now)

    async def wanted(self) -> bool:
        """Whether a key is wanted at all: from the first key or user on."""
        if self._always:
            return True
        if self._is_old(self._wanted):
            async with self._looking:  # of many that ask at once, one looks
                while self._is_old(self._wanted):
                    changes = self._changes
                    anybody = await has_anybody(self._database)
                    if changes == self._changes:  # else what was just read may be from before the change
                        self._wanted = (anybody, self._clock())
        assert self._wanted is not None, "somebody has looked"
        return self._wanted[0]

    def _is_old(self, wanted: tuple[bool, float] | None) -> bool:
        return wanted is None or self._clock() - wanted[1] > TRUSTED_S

    async def caller(self, key: str | None, cookie: str | None) -> Caller:
        """Who shows this key or, without one, this cookie. Raises KeyMissing, KeyExpired, KeyRevoked."""
        known: Caller | None = None
        if key:
            known = self._by_digest(key) or await self._by_id(key)
        elif cookie:
            known = await self._by_cookie(cookie)
        if known is not None:
            return known
        if not await self.wanted():
            return ANYONE
        raise KeyMissing(
            "This key is not known here." if key else "This server wants a key.",
            hint="Send a key of this server's as `Authorization: Bearer …` or `x-api-key: …`, or sign in.",
        )

    async def admit(self, caller: Caller) -> None:
        """One more request of `caller`. Raises OverLimit."""
        if caller.key_id is None:
            return
        row = await self._key_row(caller.key_id)
        if row is not None:
            self.limits.check(
                row.id,
                requests_per_minute=row.requests_per_minute,
                tokens_per_day=row.tokens_per_day,
                written=(row.tokens_day, row.tokens_used),
            )

    def reread(self) -> None:
        """Something was changed: trust nothing that was read before."""
        self._changes += 1
        self._seen.clear()
        self._wanted = None

    async def write_use(self) -> None:
        """Write down when keys were last used, and what they took. Called now and then."""
        for key_id, use in self.limits.take_unwritten():
            async with self._database.session(exclusive=True) as session:
                row = await session.get(ApiKeyRow, key_id)
                if row is None:
                    continue
                # Other servers may count for the same key; the first of a day begins anew.
                row.tokens_used = use.unwritten + (row.tokens_used if row.tokens_day == use.day else 0)
                row.tokens_day, row.last_used_at = use.day, use.used_at

    def _by_digest(self, key: str) -> Caller | None:
        presented = digest_of(SecretStr(key))
        found: Caller | None = None
        for digest, caller in self._known:  # every one is compared, so that the time tells nothing
            if hmac.compare_digest(digest, presented):
                found = caller
        return found

    async def _by_id(self, key: str) -> Caller | None:
        key_id = id_in(key)
        row = await self._key_row(key_id) if key_id is not None else None
        if row is None or not opens(row, key, self._now()):
            return None
        if row.revoked_at is not None:
            raise KeyRevoked("This key was taken back.", hint="Ask whoever runs this server for another one.")
        if row.expires_at is not None and row.expires_at <= self._now():
            raise KeyExpired(
                f"This key held until {row.expires_at:%Y-%m-%d %H:%M} UTC.",
                hint="Ask whoever runs this server for another one.",
            )
        return Caller(
            id=f"key:{row.id}",
            name=row.name,
            scopes=frozenset(Scope(name) for name in row.scopes),
            models=tuple(row.models),
            key_id=row.id,
        )

    async def _by_cookie(self, token: str) -> Caller | None:
        digest = digest_of_token(token)
        seen = self._fresh(f"session {digest}")
        if seen is None:
            changes = self._changes
            async with self._database.session() as session:
                found = (
                    await session.execute(
                        select(SessionRow, UserRow)
                        .join(UserRow, UserRow.id == SessionRow.user_id)
                        .where(SessionRow.digest == digest)
                    )
                ).one_or_none()
            seen = self._keep(f"session {digest}", (found[0], found[1]) if found else None, changes)
        if not isinstance(seen.row, tuple):
            return None
        session_row, user = seen.row
        if session_row.expires_at <= self._now() or user.disabled:
            return None
        scopes = frozenset(Scope(name) for name in user.scopes)
        return Caller(id=f"user:{user.id}", name=user.name, scopes=scopes, session=digest)

    async def _key_row(self, key_id: str) -> ApiKeyRow | None:
        seen = self._fresh(f"key {key_id}")
        if seen is None:
            changes = self._changes
            async with self._database.session() as session:
                seen = self._keep(f"key {key_id}", await session.get(ApiKeyRow, key_id), changes)
        return seen.row if isinstance(seen.row, ApiKeyRow) else None

    def _fresh(self, about: str) -> _Seen | None:
        seen = self._seen.get(about)
        return seen if seen is not None and self._clock() - seen.at <= TRUSTED_S else None

    def _keep(self, about: str, row: ApiKeyRow | tuple[SessionRow, UserRow] | None, changes: int) -> _Seen:
        seen = _Seen(row, self._clock())
        if changes == self._changes:  # else what was read may be from before the change
            self._seen[about] = seen
            self._seen.move_to_end(about)
            while len(self._seen) > ENTRIES_MAX:
                self._seen.popitem(last=False)
        return seen


async def has_anybody(database: Database) -> bool:
    """Whether there is a key or a user."""
    async with database.session() as session:
        keys = await session.scalar(select(func.count()).select_from(ApiKeyRow)) or 0
        return bool(keys or await session.scalar(select(func.count()).select_from(UserRow)))
