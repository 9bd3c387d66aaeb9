"""Ollama's dialect, spoken to somebody else: requests as bodies, and the lines of its answers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from paddock.dialects.asking import Ask, Calls, FarFailure, Garbled, Json, not_offered, picture_data, pieces_of
from paddock.vocabulary import (
    ChatRequest,
    FinishReason,
    FormatKind,
    GenerateEvent,
    Message,
    OutputFormat,
    Picture,
    ToolCallDelta,
    Usage,
)

CHAT: Final = "/api/chat"
GENERATE: Final = "/api/generate"
_FIELDS: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repeat_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "seed": "seed",
    "max_tokens": "num_predict",
}


def ask_of(request: ChatRequest, *, model: str, options: Mapping[str, Any]) -> Ask:
    """The body for `request`; the provider's options stand among Ollama's. Raises NotOffered."""
    if request.choices > 1:
        raise not_offered("n", "Ollama gives one answer to a request.", "Ask once for each.")
    body: Json = {"model": model, "stream": True}
    if request.messages is not None:
        names = {call.id: call.name for message in request.messages for call in message.tool_calls}
        body["messages"] = [_message(message, names) for message in request.messages]
        body |= _tools(request)
    elif request.prompt is not None:
        body |= {"prompt": request.prompt, "raw": True}
    else:
        raise not_offered("prompt", "Ollama takes no prompts of tokens.", "Send a text.")
    body |= {**_format(request.format), "options": {**_sampling(request), **options}}
    if request.thinking.enabled is not None:
        body["think"] = request.thinking.enabled
    if request.keep_alive is not None:
        body["keep_alive"] = request.keep_alive
    return Ask(path=CHAT if request.messages is not None else GENERATE, body=body, ignored=tuple(_unsaid(request)))


def _sampling(request: ChatRequest) -> Json:
    sampling, usual = request.sampling, type(request.sampling)()
    said = {
        word: getattr(sampling, name)
        for name, word in _FIELDS.items()
        if name not in request.left_open
        and getattr(sampling, name) is not None
        and (name in ("temperature", "top_p") or getattr(sampling, name) != getattr(usual, name))
    }
    return {**said, **({"stop": [*sampling.stop]} if sampling.stop else {})}


def _message(message: Message, names: Mapping[str, str]) -> Json:
    said: Json = {
        "role": message.role,
        "content": "".join(each for each in pieces_of(message) if isinstance(each, str)),
    }
    if message.images:
        said["images"] = [_picture(picture) for picture in message.images]
    if message.reasoning:
        said["thinking"] = message.reasoning
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": _arguments(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        name = message.name or names.get(message.tool_call_id, "")
        said |= {"tool_call_id": message.tool_call_id, **({"tool_name": name} if name else {})}
    return said


def _picture(picture: Picture) -> str:
    data = picture_data(picture)
    if data is None:
        raise not_offered("messages", "Ollama fetches no pictures.", "Send it as `data:image/png;base64,…`.")
    return data[1]


def _arguments(text: str) -> Json:
    try:
        value: Any = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise not_offered("messages", "The arguments of a call are no JSON object.", "Send an object.")
    return cast("Json", value)


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    }


def _format(wanted: OutputFormat) -> Json:
    match wanted.kind:
        case FormatKind.TEXT:
            return {}
        case FormatKind.JSON_OBJECT:
            return {"format": "json"}
        case FormatKind.JSON_SCHEMA if isinstance(wanted.schema, Mapping):
            return {"format": dict(wanted.schema)}
        case kind:
            raise not_offered("format", f"Ollama holds no answer to a {kind}.", "Send a JSON schema of an object.")


def _unsaid(request: ChatRequest) -> list[str]:
    sampling, choice = request.sampling, request.tool_choice
    asked = {
        "logit_bias": sampling.logit_bias,
        "stop_token_ids": sampling.stop_token_ids,
        "logprobs": sampling.top_logprobs is not None,
        "tool_choice": bool(request.tools) and choice != type(choice)(),
    }
    return [name for name, value in asked.items() if value]


class _Function(msgspec.Struct):
    name: str = ""
    arguments: Any = None


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Said(msgspec.Struct):
    content: str = ""
    thinking: str = ""
    tool_calls: list[_Call] | None = None


class _Line(msgspec.Struct):
    message: _Said | None = None  # of a chat
    response: str = ""  # of a generation
    thinking: str = ""
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int = 0
    eval_count: int = 0
    error: str | None = None


_decode: Final = msgspec.json.Decoder(_Line).decode


class LineReading:
    """Implements Reading: each line is an event."""

    def __init__(self, request: ChatRequest) -> None:
        self._id = request.id
        self._calls = Calls(prefix=request.id)
        self._last: _Line | None = None

    def read(self, name: str, data: bytes) -> Iterator[tuple[int, GenerateEvent]]:
        try:
            line = _decode(data)
        except msgspec.DecodeError as error:
            raise Garbled("a line that is no part of an answer") from error
        if line.error is not None:
            raise FarFailure(line.error)
        said = line.message or _Said(content=line.response, thinking=line.thinking)
        calls = tuple(self._called(said.tool_calls or []))
        if said.content or said.thinking or calls:
            yield 0, GenerateEvent(id=self._id, text=said.content, reasoning=said.thinking, tool_calls=calls)
        if line.done:
            self._last = line

    def end(self) -> Iterator[tuple[int, GenerateEvent]]:
        last = self._last
        if last is None:
            raise Garbled("an answer without its end")
        reason = FinishReason.LENGTH if last.done_reason == "length" else FinishReason.STOP
        if self._calls.begun and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS
        usage = Usage(prompt_tokens=last.prompt_eval_count, completion_tokens=last.eval_count)
        yield 0, GenerateEvent(id=self._id, finish_reason=reason, usage=usage)

    def _called(self, given: list[_Call]) -> Iterator[ToolCallDelta]:
        """Calls come whole."""
        for call in given:
            index = len(self._calls.begun)
            yield ToolCallDelta(
                index=index,
                id=self._calls.first(index, call.id),
                name=call.function.name,
                arguments=msgspec.json.encode(call.function.arguments or {}).decode(),
            )
