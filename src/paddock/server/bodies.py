"""The body of a request on its way in: counted as it comes, and not waited for without end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from paddock.config.schema import Server
from paddock.errors import Overloaded, TooLarge, TooSlow, UnsupportedMedia
from paddock.units import human_bytes

_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 8_000_000  # what is still read of a body that was refused


class Budget:
    """What the bodies of all requests may take together."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, count: int) -> bool:
        if count > self._left:
            return False
        self._left -= count
        return True

    def give(self, count: int) -> None:
        self._left += count


@dataclass(frozen=True, slots=True)
class Limit:
    """What one body may have, and the setting that says so."""

    bytes_max: int
    setting: str


class Body:
    """Stands between the server and the application. `receive` raises TooLarge, TooSlow, Overloaded."""

    def __init__(
        self,
        receive: Receive,
        headers: Headers,
        settings: Server,
        budget: Budget,
        clock: Callable[[], float],
        limit: Limit,
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._settings = settings
        self._limit = limit
        self._budget = budget
        self._taken = 0
        self._clock = clock
        self._deadline: float | None = None
        self.complete = not is_sent(headers)

    def check(self) -> None:
        """Refuse by its headers what need not be read. Raises TooLarge and UnsupportedMedia."""
        if self.complete:
            return
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit.bytes_max:
            raise self._too_large()
        kind = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise UnsupportedMedia(
                "A body must be JSON, and say so.", hint="Send the header `content-type: application/json`."
            )

    async def receive(self) -> Message:
        """As ASGI wants it."""
        if self.complete:
            return await self._receive()
        message = await self._in_time()
        if message["type"] != "http.request":
            self.complete = True
            return message
        count = len(message.get("body", b""))
        if self._taken + count > self._limit.bytes_max:
            raise self._too_large()
        if not self._budget.take(count):
            raise Overloaded(
                "The bodies of the requests at hand already fill the room that there is for them.",
                hint="Try again in a moment, or raise `server.bodies_bytes_max`.",
                retry_after_s=1,
            )
        self._taken += count
        self.complete = not message.get("more_body", False)
        return message

    async def linger(self) -> None:
        """Read on for a moment after a refusal, so that a client which is still sending gets to read the answer."""
        left = max(_LINGER_BYTES, self._limit.bytes_max)
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self.complete and left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            return

    @property
    def taken(self) -> int:
        """Bytes that have come."""
        return self._taken

    def forget(self) -> None:
        """The request is over: its bytes are free again."""
        self._budget.give(self._taken)
        self._taken = 0

    async def _in_time(self) -> Message:
        seconds = self._settings.body_timeout_s
        if self._deadline is None:
            self._deadline = self._clock() + seconds
        try:
            async with asyncio.timeout(max(0.0, self._deadline - self._clock())):
                return await self._receive()
        except TimeoutError as error:
            raise TooSlow(
                f"The body of this request did not come within {seconds:g} s.",
                hint="Send it faster, or raise `server.body_timeout_s`.",
            ) from error

    def _too_large(self) -> TooLarge:
        most = human_bytes(self._limit.bytes_max)
        return TooLarge(f"The body is larger than {most}.", hint=f"Send less, or raise `{self._limit.setting}`.")


def is_sent(headers: Headers) -> bool:
    """Whether a body follows these headers."""
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""
