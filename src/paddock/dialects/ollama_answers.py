"""Answers in Ollama's words: lines of a stream, or one object once all of it is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from paddock.dialects.ollama_context import write_context
from paddock.dialects.ollama_fields import Asked
from paddock.dialects.ollama_wire import (
    Answer,
    ChatAnswer,
    DoneReason,
    Function,
    Logprob,
    Message,
    TextAnswer,
    TokenLogprob,
    ToolCall,
    encode,
    line,
)
from paddock.dialects.openai_logprobs import token_text
from paddock.vocabulary import FinishReason, GenerateEvent, ToolCallDelta, Usage
from paddock.vocabulary import Message as Turn
from paddock.vocabulary import TokenLogprob as Likelihood

_NS: Final = 1_000_000_000
_LEAST: Final = -9999.0  # JSON has no number for a probability of nothing
_read_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC, as Go writes it."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The clock that one request is measured with, in seconds."""

    clock: Callable[[], float]
    began: float  # when the request was read
    loading_s: Callable[
        [], float
    ]  # how much of the time since then went into loading the model; asked at the first token
    now: Callable[[], datetime]


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Said:
    """What has come and was not sent: for a stream since the last line, else all of it."""

    text: str = ""
    thinking: str = ""
    logprobs: list[tuple[Likelihood, ...]] = field(default_factory=list[tuple[Likelihood, ...]])
    calls: list[ToolCall] = field(default_factory=list[ToolCall])

    @property
    def is_nothing(self) -> bool:
        return not (self.text or self.thinking or self.logprobs or self.calls)


class _Renderer:
    """What both endpoints share; a subclass says how a line looks."""

    def __init__(self, asked: Asked, timing: Timing) -> None:
        self._asked = asked
        self._timing = timing
        self._first_at: float | None = None
        self._loading_s = 0.0
        self._said = _Said()
        self._text: list[str] = []  # of the whole answer
        self._calls: dict[int, _Call] = {}
        self._told_calls = 0
        self._reason: FinishReason | None = None
        self._usage = Usage()

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        """Lines that say it; empty when there is nothing to say yet."""
        self._hear(event)
        ended = event.finish_reason is not None
        lines = b"" if self._said.is_nothing else line(self._line(self._said))
        self._said = _Said()
        return lines + line(self._line(self._said, **self._last())) if ended else lines

    def end(self) -> bytes:
        """Nothing: the last line came with the last event."""
        return b""

    def collect(self, choice: int, event: GenerateEvent) -> None:
        """Keep it for `whole`."""
        self._hear(event)

    def whole(self) -> bytes:
        """All that was collected, as one object."""
        return encode(self._line(self._said, **self._last()))

    def _line(self, said: _Said, **last: Any) -> Answer:
        raise NotImplementedError

    def _hear(self, event: GenerateEvent) -> None:
        if self._first_at is None:
            self._first_at = self._timing.clock()
            self._loading_s = self._timing.loading_s()
        self._said.text += event.text
        self._said.thinking += event.reasoning
        self._text.append(event.text)
        if self._asked.logprobs:
            self._said.logprobs.extend(event.logprobs)
        for delta in event.tool_calls:
            self._argue(delta)
        if event.finish_reason is not None:
            self._reason = event.finish_reason
            self._usage = event.usage or Usage()
            self._complete(len(self._calls))

    def _argue(self, delta: ToolCallDelta) -> None:
        """More of a call. Ollama's clients take calls whole: one is complete when the next begins or the answer ends."""
        if delta.index not in self._calls:
            self._complete(len(self._calls))
            self._calls[delta.index] = _Call()
        call = self._calls[delta.index]
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        call.arguments += delta.arguments

    def _complete(self, count: int) -> None:
        """The first `count` calls are whole. Of one whose arguments are no object, the text says so, and no more."""
        for index, call in list(self._calls.items())[self._told_calls : count]:
            try:
                arguments = _read_object(call.arguments or "{}")
            except msgspec.DecodeError:
                continue
            function = Function(index=index, name=call.name, arguments=arguments)
            self._said.calls.append(ToolCall(id=call.id, function=function))
        self._told_calls = max(self._told_calls, count)

    def _head(self) -> dict[str, Any]:
        return {"model": self._asked.model, "created_at": time_text(self._timing.now())}

    def _last(self) -> dict[str, Any]:
        """What the last line adds: why it ended, and what it took."""
        ended = self._timing.clock()
        first = ended if self._first_at is None else self._first_at
        waited = max(0.0, first - self._timing.began - self._loading_s)
        return {
            "done": True,
            "done_reason": _done_reason(self._reason),
            "total_duration": _nanoseconds(ended - self._timing.began),
            "load_duration": _nanoseconds(self._loading_s),
            "prompt_eval_count": self._usage.prompt_tokens,
            "prompt_eval_duration": _nanoseconds(waited),
            "eval_count": self._usage.completion_tokens,
            "eval_duration": _nanoseconds(ended - first),
        }


class ChatRenderer(_Renderer):
    """`/api/chat`."""

    def _line(self, said: _Said, **last: Any) -> Answer:
        message = Message(content=said.text, thinking=said.thinking or UNSET, tool_calls=said.calls or UNSET)
        values: dict[str, Any] = {"done": False, **self._head(), **last}
        return ChatAnswer(message=message, logprobs=_logprobs(said.logprobs), **values)


class TextRenderer(_Renderer):
    """`/api/generate`."""

    def _line(self, said: _Said, **last: Any) -> Answer:
        values: dict[str, Any] = {"done": False, **self._head(), **last}
        if last and self._asked.request.messages is not None:
            answered = Turn(role="assistant", content="".join(self._text))
            values["context"] = write_context((*self._asked.request.messages, answered))
        return TextAnswer(
            response=said.text, thinking=said.thinking or UNSET, logprobs=_logprobs(said.logprobs), **values
        )


def nothing_said(asked: Asked, reason: DoneReason, now: datetime) -> Answer:
    """The answer to a request that only loads or unloads its model."""
    head: dict[str, Any] = {"model": asked.model, "created_at": time_text(now), "done": True, "done_reason": reason}
    if asked.request.messages is not None and not asked.request.messages:
        return ChatAnswer(message=Message(content=""), **head)
    return TextAnswer(response="", **head)


def _logprobs(entries: Sequence[tuple[Likelihood, ...]]) -> list[Logprob] | UnsetType:
    if not entries:
        return UNSET
    return [
        Logprob(
            token=token_text(entry[0].token),
            logprob=max(entry[0].logprob, _LEAST),
            bytes=list(entry[0].token),
            top_logprobs=[_likelihood(each) for each in entry[1:]] or UNSET,
        )
        for entry in entries
    ]


def _likelihood(each: Likelihood) -> TokenLogprob:
    return TokenLogprob(token=token_text(each.token), logprob=max(each.logprob, _LEAST), bytes=list(each.token))


def _done_reason(reason: FinishReason | None) -> DoneReason:
    assert reason in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.TOOL_CALLS), f"an answer ended with {reason}"
    return "length" if reason is FinishReason.LENGTH else "stop"


def _nanoseconds(seconds: float) -> int:
    return max(0, round(seconds * _NS))
