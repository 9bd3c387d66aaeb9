"""Answers from a running server, as one's own provider gives them. Speaks OpenAI's dialect."""

from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import msgspec

from paddock.client.connection import Connection, Event, error_of
from paddock.errors import NetworkError, UsageError
from paddock.providers.provider import Accepted, AnswerEvent, Piece, Vectors
from paddock.vocabulary import ChatRequest, Embedded, EmbedRequest, FinishReason, GenerateEvent, Message, Usage

_ENDED: Final = b"[DONE]"


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None  # of a chat
    text: str | None = None  # of a completion
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int = 0


class _CompletionDetails(msgspec.Struct):
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0
    reasoning_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Vector(msgspec.Struct):
    embedding: str
    tokens: int = 0


class _EmbedUsage(msgspec.Struct):
    truncated_tokens: int = 0


class _Embeddings(msgspec.Struct):
    data: list[_Vector]
    model: str
    usage: _EmbedUsage


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list[_Choice])
    usage: _Usage | None = None
    error: Any = None


class RemoteProvider:
    """Answers as a Provider does. Usage is that of all choices together and comes with the last piece."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        path = "/v1/chat/completions" if request.messages is not None else "/v1/completions"
        async with self._connection.stream("POST", path, body_of(request)) as (headers, events):
            yield Accepted(
                model=headers.get("x-paddock-model", request.model),
                provider=headers.get("x-paddock-provider", ""),
                route=headers.get("x-paddock-route", ""),
                warnings=tuple(filter(None, headers.get("x-paddock-warnings", "").split("; "))),
            )
            ends: dict[int, FinishReason] = {}
            usage, whole = Usage(), False
            async for event in events:
                if event.data == _ENDED:
                    whole = True
                    break
                chunk = _read(event)
                usage = _usage(chunk.usage) if chunk.usage is not None else usage
                for choice in chunk.choices:
                    if choice.finish_reason is not None:
                        ends[choice.index] = _reason(choice.finish_reason)
                    text, thought = _texts(choice)
                    if text or thought:
                        yield Piece(
                            choice=choice.index, event=GenerateEvent(id=request.id, text=text, reasoning=thought)
                        )
            if not whole:
                raise NetworkError(
                    f"The server at {self._connection.url} broke off its answer.", hint="Ask again; its log says more."
                )
            last = max(ends, default=0)
            for index, reason in sorted(ends.items()):
                told = usage if index == last else Usage()
                yield Piece(choice=index, event=GenerateEvent(id=request.id, finish_reason=reason, usage=told))

    async def embed(self, request: EmbedRequest) -> Vectors:
        """As a Provider does. Of what was cut only the sum is told."""
        body: dict[str, Any] = {
            "model": request.model,
            "input": request.inputs,
            "encoding_format": "base64",
            "truncate": request.truncate,
            "priority": request.priority.name.lower(),
        }
        optional = {
            "dimensions": request.dimensions,
            "input_type": request.input_type,
            "keep_alive": request.keep_alive,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        told = await self._connection.post("/v1/embeddings", _Embeddings, body)
        rows = [b64decode(each.embedding) for each in told.data]
        return Vectors(
            accepted=Accepted(model=told.model, provider="", route=""),
            embedded=Embedded(
                vectors=b"".join(rows),
                dimensions=len(rows[0]) // 4 if rows else 0,
                tokens=tuple(each.tokens for each in told.data),
                cut=(told.usage.truncated_tokens,) if told.usage.truncated_tokens else (),
            ),
        )


def body_of(request: ChatRequest) -> Mapping[str, Any]:
    """The request as OpenAI's dialect has it; what was left open stays open."""
    sampling = request.sampling
    settings: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repetition_penalty,
        "max_tokens": sampling.max_tokens,
        "min_p": sampling.min_p or None,
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
        "seed": sampling.seed,
        "stop": [*sampling.stop] or None,
        "stop_token_ids": [*sampling.stop_token_ids] or None,
        "ignore_eos": sampling.ignore_end or None,
        "logit_bias": {str(token): bias for token, bias in sampling.logit_bias.items()} or None,
        "n": request.choices,
        "priority": request.priority.name.lower(),
        "keep_alive": request.keep_alive,
        "chat_template_kwargs": dict(request.template_options) or None,
    }
    body = {name: value for name, value in settings.items() if value is not None and name not in request.left_open}
    if request.messages is not None:
        body["messages"] = [_message(message) for message in request.messages]
    else:
        body["prompt"] = request.prompt if request.prompt is not None else [*(request.tokens or ())]
    return {"model": request.model, **body, "stream": True, "stream_options": {"include_usage": True}}


def _message(message: Message) -> Mapping[str, Any]:
    if message.tool_calls or message.tool_call_id is not None:
        raise UsageError("Messages with tool calls are not sent to a server yet.", hint="Send texts.")
    named = {"name": message.name} if message.name else {}
    return {"role": message.role, "content": _parts(message) if message.images else message.content, **named}


def _parts(message: Message) -> Sequence[Mapping[str, Any]]:
    """Texts, and the pictures where they stand between them."""
    parts: list[Mapping[str, Any]] = []
    done = 0
    for picture in message.images:
        if picture.at > done:
            parts.append({"type": "text", "text": message.content[done : picture.at]})
            done = picture.at
        parts.append({"type": "image_url", "image_url": {"url": picture.source}})
    if message.content[done:]:
        parts.append({"type": "text", "text": message.content[done:]})
    return parts


def _read(event: Event) -> _Chunk:
    try:
        chunk = msgspec.json.decode(event.data, type=_Chunk)
    except msgspec.DecodeError as error:
        raise NetworkError(
            "A piece of the server's answer is not understood here.",
            hint="Run the same version of Paddock on both sides.",
        ) from error
    if chunk.error is not None:
        raise error_of(event.data, 500)
    return chunk


def _texts(choice: _Choice) -> tuple[str, str]:
    if choice.delta is None:
        return choice.text or "", ""
    return choice.delta.content or "", choice.delta.reasoning_content or ""


def _reason(text: str) -> FinishReason:
    try:
        return FinishReason(text)
    except ValueError:
        return FinishReason.STOP


def _usage(told: _Usage) -> Usage:
    cached = told.prompt_tokens_details.cached_tokens if told.prompt_tokens_details else 0
    guesses = told.completion_tokens_details or _CompletionDetails()
    accepted, rejected = guesses.accepted_prediction_tokens, guesses.rejected_prediction_tokens
    return Usage(
        prompt_tokens=told.prompt_tokens,
        cached_tokens=cached,
        completion_tokens=told.completion_tokens,
        reasoning_tokens=guesses.reasoning_tokens,
        drafted_tokens=accepted + rejected,
        accepted_tokens=accepted,
    )
