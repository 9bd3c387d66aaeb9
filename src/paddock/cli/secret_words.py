"""Secrets that a person gives to a command: from a variable, a pipe, or a terminal that does not show them.

Never as words of the command: every program on the machine may read those, and shells keep them.
"""

import asyncio
import getpass
from typing import Final

from pydantic import SecretStr

from paddock.cli.desk import Desk
from paddock.errors import UsageError

_BYTES_MAX: Final = 64 * 1024


async def secret_word(desk: Desk, what: str, *, variable: str | None = None, twice: bool = False) -> SecretStr:
    """A secret, called `what` in the question. Raises UsageError when nothing gives one.

    `twice` asks a person for it again, so that a slip of the finger is seen.
    """
    invocation = desk.invocation
    if variable and (given := invocation.environment.get(variable)):
        return SecretStr(given)
    if invocation.stdin.isatty():
        text = await _asked(f"{what}: ")
        if twice and text != await _asked(f"{what}, once more: "):
            raise UsageError("These were two different ones.", hint="Try again.")
    else:
        text = invocation.stdin.readline(_BYTES_MAX)
    if not text.strip():
        ways = "Give it on standard input" + (f" or in `{variable}`." if variable else ".")
        raise UsageError(f"{what} is missing.", hint=ways)
    return SecretStr(text.strip("\r\n"))


async def _asked(prompt: str) -> str:
    return await asyncio.to_thread(getpass.getpass, prompt)
