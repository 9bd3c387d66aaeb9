"""`Decider`: has a router's model choose, within its time, and remembers what it chose."""

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from paddock.errors import PaddockError
from paddock.gateway.routers import Decision, Router, decision, question
from paddock.providers.provider import Piece, Provider
from paddock.telemetry.logs import get_logger
from paddock.vocabulary import ChatRequest, FinishReason

_REMEMBERED_MAX: Final = 4096

_log = get_logger("paddock.gateway")
_Key = tuple[str, str, str, str]


class Decider:
    """Never raises: what is late, fails or is unsure is a decision for the fallback, with the reason."""

    def __init__(self, provider: Provider, revision: Callable[[str], Awaitable[str]]) -> None:
        """`provider` has the models of this machine; `revision` of a model changes when the model does."""
        self._provider = provider
        self._revision = revision
        self._remembered: OrderedDict[_Key, Decision] = OrderedDict()

    async def decide(self, router: Router, text: str, *, tenant: str) -> Decision:
        """Which route `text` takes."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        key = (digest, router.mark, await self._revision(router.model), tenant)
        if (known := self._remembered.get(key)) is not None:
            self._remembered.move_to_end(key)
            return replace(known, router=router.name, remembered=True)
        try:
            async with asyncio.timeout(router.timeout_s):
                said, probability = await self._asked(question(router, text, tenant=tenant))
        except TimeoutError:
            return self._given_up(router, f"`{router.model}` did not decide within {router.timeout_s:g} s")
        except PaddockError as error:
            return self._given_up(router, f"`{router.model}` could not decide: {error.message}")
        made = decision(router, said, probability)
        self._remembered[key] = made
        if len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return made

    async def _asked(self, request: ChatRequest) -> tuple[str, float]:
        """Its word, and how likely that was."""
        said: list[str] = []
        logprob = 0.0
        async with aclosing(self._provider.answer(request)) as events:
            async for event in events:
                if not isinstance(event, Piece):
                    continue
                said.append(event.event.text)
                logprob += sum(entry[0].logprob for entry in event.event.logprobs if entry)
                if event.event.finish_reason in (FinishReason.ERROR, FinishReason.CANCELLED):
                    return "", 0.0
        return "".join(said), math.exp(min(0.0, logprob))

    def _given_up(self, router: Router, reason: str) -> Decision:
        _log.warning("route.undecided", router=router.name, reason=reason)
        return Decision(router=router.name, route=None, reason=reason)
