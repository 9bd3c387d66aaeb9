"""Answers on their way from the wire to whoever asked: one a request."""

import asyncio

from paddock.errors import PaddockError
from paddock.fleet.failures import error_of
from paddock.vocabulary import FinishReason, GenerateEvent, TokenLogprob, Usage


class Answer:
    """What came and was not taken yet, as one piece: a slow reader gets larger pieces, and never slows others down.

    It holds at most one whole answer, which the request's `max_tokens` or the context bounds.
    """

    def __init__(self, request_id: str) -> None:
        self._id = request_id
        self._texts: list[str] = []
        self._tokens: list[int] = []
        self._logprobs: list[tuple[TokenLogprob, ...]] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._error: PaddockError | None = None
        self._came = asyncio.Event()
        self.finished = False  # nothing will come any more

    def put(self, event: GenerateEvent) -> None:
        """Add what the runner sent."""
        if self.finished:
            return
        if event.finish_reason is FinishReason.ERROR:
            # Ours is the id that the asker knows; the wire's has a number added.
            told = (event.error or "").replace(f"`{event.id}`", f"`{self._id}`")
            self.fail(error_of(event.error_code, told, event.hint))
            return
        self._texts.append(event.text)
        self._tokens.extend(event.token_ids)
        self._logprobs.extend(event.logprobs)
        self._finish, self._usage = event.finish_reason, event.usage
        self.finished = event.finish_reason is not None
        self._came.set()

    def fail(self, error: PaddockError) -> None:
        """End it with `error`, which follows what came before it. An answer that is finished stays so."""
        if not self.finished:
            self._error, self.finished = error, True
            self._came.set()

    async def take(self) -> GenerateEvent:
        """Wait for something to come, and take all of it. Raises the error that ended the answer."""
        await self._came.wait()
        if self._error is not None and not self._texts:
            raise self._error
        event = GenerateEvent(
            id=self._id,
            text="".join(self._texts),
            token_ids=tuple(self._tokens),
            logprobs=tuple(self._logprobs),
            finish_reason=self._finish,
            usage=self._usage,
        )
        self._texts, self._tokens, self._logprobs = [], [], []
        if self._error is None:
            self._came.clear()
        return event
