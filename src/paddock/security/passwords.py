"""Passwords as argon2 hashes. Hashing is slow on purpose, so it happens in threads, a few at a time."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from paddock.errors import UsageError

if TYPE_CHECKING:
    from pwdlib import PasswordHash

CHARACTERS_MIN: Final = 10
CHARACTERS_MAX: Final = 1024
_AT_ONCE: Final = 2  # each takes 64 MB and a core


class Passwords:
    """Makes and checks hashes. The library is imported on first use, for few commands need it."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: SecretStr) -> str:
        """The hash of a password. Raises UsageError for one that is too short."""
        text = password.get_secret_value()
        if not CHARACTERS_MIN <= len(text) <= CHARACTERS_MAX:
            raise UsageError(
                f"A password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters.",
                hint="Take several words that nobody would put together.",
                param="password",
            )
        async with self._turns:
            return await asyncio.to_thread(lambda: self._hasher.hash(text))

    async def verify(self, password: SecretStr, hashed: str | None) -> bool:
        """Whether it is the password. Without a hash it takes as long, and is not: so nobody learns which users there are."""
        text = password.get_secret_value()[:CHARACTERS_MAX]
        async with self._turns:
            right = await asyncio.to_thread(lambda: self._hasher.verify(text, hashed or self._nobodys))
        return right and hashed is not None

    @cached_property
    def _hasher(self) -> "PasswordHash":
        from pwdlib import PasswordHash

        return PasswordHash.recommended()

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody's password")
