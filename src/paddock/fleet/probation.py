"""Who brought the runner down? Requests that were under way when it crashed are tried again so that the answer is known.

Any of them may have done it, and nothing says which. So before they are answered again each is tried alone: its prompt and
one token, which nobody sees, while all others wait. If the runner ends again, this one did it: it is refused, and nobody
else was there to be harmed. Whoever passes is answered together with all others once every one was tried; a prompt that was
read for the trial is found in the prefix cache. Halving the group would take fewer trials but more crashes, each of which
loads the model anew; a prompt is cheaper than that.

What breaks only after its first token, or only together with others (memory), passes its trial. It is not tried a third time.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Probation:
    """One runner's. Others are let in again when nobody is on trial."""

    def __init__(self) -> None:
        self._suspects = 0
        self._alone = asyncio.Lock()
        self._is_over = asyncio.Event()
        self._is_over.set()

    @property
    def is_over(self) -> bool:
        return self._is_over.is_set()

    async def over(self) -> None:
        """Wait until nobody is on trial."""
        await self._is_over.wait()

    @asynccontextmanager
    async def trial(self) -> AsyncGenerator[None]:
        """Inside, whoever entered is alone. They come in turn; from the moment of asking nobody else is let in."""
        self._suspects += 1
        self._is_over.clear()
        try:
            async with self._alone:
                yield
        finally:
            self._suspects -= 1
            if not self._suspects:
                self._is_over.set()
