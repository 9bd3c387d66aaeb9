"""Answers on their way from the wire to whoever asked: one a request."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from paddock.errors import PaddockError
from paddock.fleet.failures import error_of
from paddock.vocabulary import FinishReason, GenerateEvent


class Answer:
    """What came and was not taken yet, as one piece: a slow reader gets larger pieces, and never slows others down.

    It holds at most one whole answer, which the request's `max_tokens` or the context bounds.
    """

    def __init__(self, request_id: str) -> None:
        self._id = request_id
        self._events: list[GenerateEvent] = []
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
        self._events.append(event)
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
        if self._error is not None and not self._events:
            raise self._error
        event = joined(self._id, self._events)
        self._events = []
        if self._error is None:
            self._came.clear()
        return event


def joined(request_id: str, events: Sequence[GenerateEvent]) -> GenerateEvent:
    """Several pieces of one answer as one. Only the last may end it."""
    if len(events) == 1:
        return replace(events[0], id=request_id)
    return replace(
        events[-1],
        id=request_id,
        begun=events[0].begun,
        text="".join(event.text for event in events),
        reasoning="".join(event.reasoning for event in events),
        tool_calls=tuple(call for event in events for call in event.tool_calls),
        token_ids=tuple(token for event in events for token in event.token_ids),
        logprobs=tuple(entry for event in events for entry in event.logprobs),
    )
