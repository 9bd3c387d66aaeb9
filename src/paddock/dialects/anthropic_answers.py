"""Answers in Anthropic's words: events of a stream, or one message once all of it is there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from msgspec import UNSET

from paddock.dialects.anthropic_messages import AskedMessage
from paddock.dialects.anthropic_thoughts import signature_of
from paddock.dialects.anthropic_wire import (
    PING,
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    DeltaUsage,
    Ending,
    InputDelta,
    Message,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageUsage,
    SignatureDelta,
    StopWord,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolUseBlock,
    encode,
    event,
)
from paddock.vocabulary import FinishReason, GenerateEvent, ToolCallDelta, Usage

_BROKEN: str = "INVALID_JSON"  # Anthropic's own name for an input that is no JSON


@dataclass(slots=True)
class _Open:
    """The block that is being written."""

    kind: str  # `text`, `thinking`, `tool_use`
    call: int = -1  # with `tool_use`
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> str:
        return "".join(self.pieces)


class MessageRenderer:
    """One message. Blocks come one after the other, each whole before the next begins."""

    def __init__(self, asked: AskedMessage, model: str) -> None:
        self._asked = asked
        self._model = model
        self._begun = False
        self._index = -1
        self._open: _Open | None = None
        self._blocks: list[_Open] = []
        self._last: GenerateEvent | None = None

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        """More of the stream."""
        told = b""
        if not self._begun:
            self._begun = True
            told = self._begin(event)
        for piece in self._pieces(event):
            told += self._say(piece)
        if event.finish_reason is not None:
            self._last = event
            told += self._close()
        return told

    def end(self) -> bytes:
        """Why it ended, and the numbers."""
        usage = self._usage()
        delta = MessageDelta(
            delta=Ending(stop_reason=self._stop_word(), stop_sequence=self._stop_sequence()),
            usage=DeltaUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_input_tokens=usage.cache_read_input_tokens,
            ),
        )
        return event(delta) + event(MessageStop())

    def collect(self, choice: int, event: GenerateEvent) -> None:
        """Keep it for `whole`."""
        for piece in self._pieces(event):
            self._enter(piece)
        if event.finish_reason is not None:
            self._last = event

    def whole(self) -> bytes:
        """The message."""
        return encode(
            self._message(
                [self._block(block) for block in self._blocks],
                usage=self._usage(),
                stop_reason=self._stop_word(),
                stop_sequence=self._stop_sequence(),
            )
        )

    # What an event brings

    def _pieces(self, event: GenerateEvent) -> Iterator[ToolCallDelta | tuple[str, str]]:
        """In the order in which they were written: what an open call still gets, the thought, the text, further calls."""
        if self._asked.silent:
            return
        calls = list(event.tool_calls)
        while calls and self._open is not None and self._open.call == calls[0].index:
            yield calls.pop(0)
        if event.reasoning:
            yield "thinking", event.reasoning
        if event.text:
            yield "text", event.text
        yield from calls

    def _enter(self, piece: ToolCallDelta | tuple[str, str]) -> tuple[_Open, bool, str]:
        """The block that `piece` belongs to, whether it begins with it, and what is said."""
        match piece:
            case ToolCallDelta():
                begins = self._open is None or self._open.call != piece.index
                block = _Open("tool_use", piece.index, piece.id.replace("call_", "toolu_", 1), piece.name)
                said = piece.arguments
            case (kind, said):
                begins = self._open is None or self._open.kind != kind
                block = _Open(kind)
        if begins or self._open is None:
            self._open = block
            self._blocks.append(block)
        self._open.pieces.append(said)
        return self._open, begins, said

    # A stream

    def _begin(self, first: GenerateEvent) -> bytes:
        took = first.begun or first.usage or Usage()
        usage = MessageUsage(
            input_tokens=took.prompt_tokens - took.cached_tokens,
            output_tokens=0,
            cache_read_input_tokens=took.cached_tokens,
        )
        message = self._message([], usage=usage, stop_reason=None, stop_sequence=None)
        return event(MessageStart(message=message)) + PING

    def _say(self, piece: ToolCallDelta | tuple[str, str]) -> bytes:
        before = self._open
        block, begins, said = self._enter(piece)
        told = b""
        if begins:
            if before is not None:
                told += self._stop(before)
            self._index += 1
            told += event(BlockStart(index=self._index, content_block=_empty(block)))
        if said and not (block.kind == "thinking" and not self._asked.shows_thoughts):
            told += self._delta(_delta(block.kind, said))
        return told

    def _close(self) -> bytes:
        last, self._open = self._open, None
        return self._stop(last) if last is not None else b""

    def _stop(self, block: _Open) -> bytes:
        signature = b""
        if block.kind == "thinking":
            signed = signature_of(block.said, shown=self._asked.shows_thoughts)
            signature = self._delta(SignatureDelta(signature=signed))
        return signature + event(BlockStop(index=self._index))

    def _delta(self, delta: Delta) -> bytes:
        return event(BlockDelta(index=self._index, delta=delta))

    # The message

    def _block(self, block: _Open) -> Block:
        match block.kind:
            case "thinking":
                shown = self._asked.shows_thoughts
                return ThinkingBlock(
                    thinking=block.said if shown else "", signature=signature_of(block.said, shown=shown)
                )
            case "tool_use":
                return ToolUseBlock(id=block.id, name=block.name, input=_input(block.said))
            case _:
                return TextBlock(text=block.said)

    def _message(
        self, content: list[Block], *, usage: MessageUsage, stop_reason: StopWord | None, stop_sequence: str | None
    ) -> Message:
        return Message(
            id=f"msg_{self._asked.id}",
            model=self._model,
            content=content,
            stop_reason=stop_reason,
            stop_sequence=stop_sequence,
            usage=usage,
            diagnostics={"cache_miss_reason": {"type": "unavailable"}} if self._asked.diagnoses else UNSET,
        )

    def _usage(self) -> MessageUsage:
        usage = self._ended.usage or Usage()
        return MessageUsage(
            input_tokens=usage.prompt_tokens - usage.cached_tokens,
            output_tokens=0 if self._asked.silent else usage.completion_tokens,
            cache_read_input_tokens=usage.cached_tokens,
        )

    def _stop_word(self) -> StopWord:
        if self._asked.silent:
            return "max_tokens"
        match self._ended.finish_reason:
            case FinishReason.STOP:
                return "end_turn" if self._ended.stop is None else "stop_sequence"
            case FinishReason.TOOL_CALLS:
                return "tool_use"
            case FinishReason.LENGTH:
                most = self._asked.request.sampling.max_tokens or 0
                written = (self._ended.usage or Usage()).completion_tokens
                return "model_context_window_exceeded" if written < most else "max_tokens"
            case reason:
                raise AssertionError(f"an answer ended with {reason}")

    def _stop_sequence(self) -> str | None:
        return self._ended.stop if self._stop_word() == "stop_sequence" else None

    @property
    def _ended(self) -> GenerateEvent:
        assert self._last is not None, "the last event has come"
        return self._last


def _empty(block: _Open) -> Block:
    match block.kind:
        case "thinking":
            return ThinkingBlock(thinking="", signature="")
        case "tool_use":
            return ToolUseBlock(id=block.id, name=block.name, input={})
        case _:
            return TextBlock(text="")


def _delta(kind: str, said: str) -> Delta:
    match kind:
        case "thinking":
            return ThinkingDelta(thinking=said)
        case "tool_use":
            return InputDelta(partial_json=said)
        case _:
            return TextDelta(text=said)


def _input(arguments: str) -> dict[str, Any]:
    """What a tool is called with. Arguments that are no object, such as those of an answer that was cut off, say so."""
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return {_BROKEN: arguments}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {_BROKEN: arguments}
