"""Answers in Anthropic's dialect, read as they come."""

from collections.abc import Iterator
from typing import Final

import msgspec

from paddock.dialects.asking import FarFailure, Garbled
from paddock.vocabulary import ChatRequest, FinishReason, GenerateEvent, ToolCallDelta, Usage

_REASONS: Final = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
}
_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode


class MessageReading:
    """Implements Reading. There is one choice."""

    def __init__(self, request: ChatRequest) -> None:
        self._id = request.id
        self._prompt = self._cached = self._written = 0
        self._begun = False
        self._calls: dict[int, int] = {}  # index of a block to that of its call
        self._silent: set[int] = set()  # calls whose arguments have not begun
        self._reason: FinishReason | None = None
        self._stop: str | None = None

    def read(self, name: str, data: bytes) -> Iterator[tuple[int, GenerateEvent]]:
        try:
            event = _decode(data)
        except msgspec.DecodeError as error:
            raise Garbled("an event that is none of this dialect") from error
        if event.error is not None:
            raise FarFailure(event.error.message, code=event.error.type, status=_STATUS.get(event.error.type))
        for told in self._said(event):
            yield 0, told

    def end(self) -> Iterator[tuple[int, GenerateEvent]]:
        if self._reason is None:
            raise Garbled("an answer without its end")
        usage = Usage(prompt_tokens=self._prompt, cached_tokens=self._cached, completion_tokens=self._written)
        yield 0, GenerateEvent(id=self._id, finish_reason=self._reason, stop=self._stop, usage=usage)

    def _said(self, event: _Event) -> Iterator[GenerateEvent]:
        match event.type:
            case "message_start":
                self._count(event.message.usage if event.message else None)
            case "content_block_start" if event.content_block is not None:
                yield from self._began(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                yield from self._went_on(event.index, event.delta)
            case "content_block_stop" if event.index in self._silent:
                self._silent.discard(event.index)
                yield self._arguments(event.index, "{}")  # a call without arguments has an empty object
            case "message_delta":
                self._count(event.usage)
                if event.delta is not None and event.delta.stop_reason is not None:
                    self._reason = _REASONS.get(event.delta.stop_reason, FinishReason.STOP)
                    self._stop = event.delta.stop_sequence
            case _:
                pass  # pings, the end of a text, and what is new since this was written

    def _began(self, index: int, block: _Block) -> Iterator[GenerateEvent]:
        if block.type == "tool_use":
            call = self._calls[index] = len(self._calls)
            self._silent.add(index)
            yield self._event(tool_calls=(ToolCallDelta(index=call, id=block.id, name=block.name),))
        elif block.text or block.thinking:
            yield self._event(text=block.text, reasoning=block.thinking)

    def _went_on(self, index: int, delta: _Delta) -> Iterator[GenerateEvent]:
        if delta.partial_json and index in self._calls:
            self._silent.discard(index)
            yield self._arguments(index, delta.partial_json)
        elif delta.text or delta.thinking:
            yield self._event(text=delta.text, reasoning=delta.thinking)

    def _arguments(self, index: int, text: str) -> GenerateEvent:
        return self._event(tool_calls=(ToolCallDelta(index=self._calls[index], arguments=text),))

    def _event(
        self, *, text: str = "", reasoning: str = "", tool_calls: tuple[ToolCallDelta, ...] = ()
    ) -> GenerateEvent:
        begun = None if self._begun else Usage(prompt_tokens=self._prompt, cached_tokens=self._cached)
        self._begun = True
        return GenerateEvent(id=self._id, text=text, reasoning=reasoning, tool_calls=tool_calls, begun=begun)

    def _count(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        if usage.input_tokens is not None:
            self._cached = usage.cache_read_input_tokens or 0
            self._prompt = usage.input_tokens + self._cached + (usage.cache_creation_input_tokens or 0)
        if usage.output_tokens is not None:
            self._written = usage.output_tokens
