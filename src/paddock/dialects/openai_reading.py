"""Answers in OpenAI's dialect, read as they come: OpenAI's own, and those of the many servers that speak like it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from paddock.dialects.asking import Calls, FarFailure, Garbled
from paddock.vocabulary import ChatRequest, FinishReason, GenerateEvent, TokenLogprob, ToolCallDelta, Usage

_ENDED: Final = b"[DONE]"
_REASONS: Final = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
}
_NO_ID: Final = -1  # the far side's tokens have numbers that nobody here knows


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Likely(msgspec.Struct):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class _Token(_Likely):
    top_logprobs: list[_Likely] = []


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None  # of a chat
    text: str | None = None  # of a completion
    finish_reason: str | None = None
    logprobs: Any = None
    stop_reason: str | int | None = None  # vLLM's: the stop string that ended it


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk, strict=False).decode


class ChunkReading:
    """Implements Reading."""

    def __init__(self, request: ChatRequest) -> None:
        self._id = request.id
        self._choices = request.choices
        self._calls: dict[int, Calls] = {}
        self._reasons: dict[int, FinishReason] = {}
        self._stops: dict[int, str] = {}
        self._usage = Usage()

    def read(self, name: str, data: bytes) -> Iterator[tuple[int, GenerateEvent]]:
        if data == _ENDED:
            return
        try:
            chunk = _decode(data)
        except msgspec.DecodeError as error:
            raise Garbled("an event that is no chunk") from error
        if chunk.error is not None:
            raise _failure(chunk.error)
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        for choice in chunk.choices or ():
            if not 0 <= choice.index < self._choices:
                raise Garbled("a choice that nobody asked for")
            if choice.finish_reason is not None:
                self._reasons[choice.index] = _REASONS.get(choice.finish_reason, FinishReason.STOP)
                self._note_stop(choice)
            event = self._event(choice)
            if event.text or event.reasoning or event.tool_calls or event.logprobs:
                yield choice.index, event

    def end(self) -> Iterator[tuple[int, GenerateEvent]]:
        if len(self._reasons) < self._choices:
            raise Garbled("an answer without its end")
        for index in range(self._choices):
            reason = self._reasons[index]
            if reason is FinishReason.STOP and index in self._calls:
                reason = FinishReason.TOOL_CALLS  # some say `stop` all the same
            last = index == self._choices - 1
            yield (
                index,
                GenerateEvent(
                    id=self._id,
                    finish_reason=reason,
                    stop=self._stops.get(index),
                    usage=self._usage if last else Usage(),  # it is told of all choices together
                ),
            )

    def _event(self, choice: _Choice) -> GenerateEvent:
        delta = choice.delta
        if delta is None:
            return GenerateEvent(id=self._id, text=choice.text or "")
        return GenerateEvent(
            id=self._id,
            text=(delta.content or "") + (delta.refusal or ""),
            reasoning=delta.reasoning_content or delta.reasoning or "",
            tool_calls=tuple(self._called(choice.index, delta.tool_calls or [])),
            logprobs=_logprobs(choice.logprobs),
        )

    def _called(self, choice: int, given: list[_Call]) -> Iterator[ToolCallDelta]:
        calls = self._calls.get(choice)
        if given and calls is None:
            calls = self._calls[choice] = Calls(prefix=self._id)
        for number, call in enumerate(given):
            assert calls is not None, "there are calls"
            index = number if call.index is None else call.index
            function = call.function or _Function()
            first = calls.first(index, call.id)
            yield ToolCallDelta(
                index=index,
                id=first,
                name=(function.name or "") if first else "",
                arguments=function.arguments or "",
            )

    def _note_stop(self, choice: _Choice) -> None:
        if isinstance(choice.stop_reason, str):  # else the number of a token
            self._stops[choice.index] = choice.stop_reason


def _logprobs(given: Any) -> tuple[tuple[TokenLogprob, ...], ...]:
    """Completions tell them in another form, which is passed over."""
    if given is None:
        return ()
    try:
        told = msgspec.convert(given, _Logprobs, strict=False)
    except msgspec.ValidationError:
        return ()
    if told.content is None:
        return ()
    return tuple(tuple(_likely(each) for each in (token, *token.top_logprobs)) for token in told.content)


def _likely(told: _Likely) -> TokenLogprob:
    spelled = told.bytes
    valid = spelled is not None and all(0 <= byte < 256 for byte in spelled)
    token = bytes(spelled or ()) if valid else told.token.encode(errors="replace")
    return TokenLogprob(token_id=_NO_ID, logprob=told.logprob, token=token)


def _usage(told: _Usage) -> Usage:
    cached = told.prompt_tokens_details.cached_tokens if told.prompt_tokens_details else None
    thought = told.completion_tokens_details.reasoning_tokens if told.completion_tokens_details else None
    return Usage(
        prompt_tokens=told.prompt_tokens,
        completion_tokens=told.completion_tokens,
        cached_tokens=cached or 0,
        reasoning_tokens=thought or 0,
    )


def _failure(told: Any) -> FarFailure:
    """Told in as many ways as there are servers: a text, or an object with some of these members."""
    if not isinstance(told, dict):
        return FarFailure(str(told))
    members: dict[str, Any] = told  # pyright: ignore[reportUnknownVariableType] (JSON)
    code = members.get("code")
    status = code if isinstance(code, int) else members.get("status")
    word = code if isinstance(code, str) else members.get("type")
    return FarFailure(
        str(members.get("message") or "no word why"),
        code=word if isinstance(word, str) else "",
        status=status if isinstance(status, int) else None,
    )
