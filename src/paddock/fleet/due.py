"""Until when one request may take, counted here: the runner may be gone, or hang, when the moment comes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Generic, TypeVar

from paddock.errors import DeadlinePassed
from paddock.vocabulary import EmbedRequest, GenerateRequest, RerankRequest

Asked = TypeVar("Asked", GenerateRequest, EmbedRequest, RerankRequest)

GRACE_S: Final = 0.5  # a runner that lives says it itself, and with what it has written by then


class Due(Generic[Asked]):
    """From when it is made. One clock, the event loop's, for all tries of a request."""

    def __init__(self, request: Asked) -> None:
        self._request = request
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._at = None if request.deadline_s is None else loop.time() + request.deadline_s

    @property
    def request_id(self) -> str:
        return self._request.id

    def remaining(self) -> Asked:
        """The request with what is left of its time. Raises DeadlinePassed when nothing is."""
        if self._at is None:
            return self._request
        left_s = self._at - self._now()
        if left_s <= 0:
            raise self._passed()
        return replace(self._request, deadline_s=left_s)

    @asynccontextmanager
    async def limit(self, *, grace_s: float = 0.0) -> AsyncGenerator[None]:
        """Whatever waits in here waits no longer. Raises DeadlinePassed."""
        limit = asyncio.timeout_at(None if self._at is None else self._at + grace_s)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._passed() from None

    def _passed(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"Request `{self._request.id}` did not end before its deadline.",
            hint="Allow more time, ask for fewer tokens, or give it a higher priority.",
        )
