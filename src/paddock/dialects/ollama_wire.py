"""The objects of Ollama's API as they go out, and the one encoder that writes them."""

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

DoneReason = Literal["stop", "length", "load", "unload"]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is UNSET is left out; one that is None is `null`."""


class TokenLogprob(Wire, frozen=True, kw_only=True):
    token: str
    logprob: float
    bytes: list[int]


class Logprob(TokenLogprob, frozen=True, kw_only=True):
    top_logprobs: list[TokenLogprob] | UnsetType = UNSET


class Function(Wire, frozen=True, kw_only=True):
    index: int
    name: str
    arguments: dict[str, Any]


class ToolCall(Wire, frozen=True, kw_only=True):
    id: str
    function: Function


class Message(Wire, frozen=True, kw_only=True):
    content: str
    role: Literal["assistant"] = "assistant"
    thinking: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class Answer(Wire, frozen=True, kw_only=True):
    """What the lines of both endpoints have. Durations are in nanoseconds, and come with the last line."""

    model: str
    created_at: str
    done: bool
    done_reason: DoneReason | UnsetType = UNSET
    logprobs: list[Logprob] | UnsetType = UNSET
    total_duration: int | UnsetType = UNSET
    load_duration: int | UnsetType = UNSET
    prompt_eval_count: int | UnsetType = UNSET
    prompt_eval_duration: int | UnsetType = UNSET
    eval_count: int | UnsetType = UNSET
    eval_duration: int | UnsetType = UNSET


class ChatAnswer(Answer, frozen=True, kw_only=True):
    """`/api/chat`: a line of the stream, or all of it."""

    message: Message


class TextAnswer(Answer, frozen=True, kw_only=True):
    """`/api/generate`: a line of the stream, or all of it."""

    response: str
    thinking: str | UnsetType = UNSET
    context: list[int] | UnsetType = UNSET


class Details(Wire, frozen=True, kw_only=True):
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str
    parent_model: str = ""


class ListedModel(Wire, frozen=True, kw_only=True):
    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: Details
    remote_model: str | UnsetType = UNSET  # of a model that another service answers for: its name there,
    remote_host: str | UnsetType = UNSET  # and who that is


class ModelList(Wire, frozen=True, kw_only=True):
    """`/api/tags`."""

    models: list[ListedModel]


class RunningModel(Wire, frozen=True, kw_only=True):
    name: str
    model: str
    size: int
    digest: str
    details: Details
    expires_at: str
    size_vram: int
    context_length: int


class RunningList(Wire, frozen=True, kw_only=True):
    """`/api/ps`."""

    models: list[RunningModel]


class ShownModel(Wire, frozen=True, kw_only=True):
    """`/api/show`."""

    modelfile: str
    parameters: str
    template: str
    license: str
    details: Details
    model_info: dict[str, str | int]
    capabilities: list[str]
    modified_at: str
    remote_model: str | UnsetType = UNSET  # as in a list
    remote_host: str | UnsetType = UNSET


class Version(Wire, frozen=True, kw_only=True):
    """`/api/version`."""

    version: str  # of Ollama's API: what clients compare with the least that they work with
    paddock: str


class PullLine(Wire, frozen=True, kw_only=True):
    """`/api/pull`: one line of progress."""

    status: str
    digest: str | UnsetType = UNSET
    total: int | UnsetType = UNSET
    completed: int | UnsetType = UNSET


class Failure(Wire, frozen=True, kw_only=True):
    """The body of every refusal, and the last line of a stream that failed."""

    error: str
    code: str
    hint: str


encode: Final = msgspec.json.Encoder().encode


def line(value: Wire) -> bytes:
    """One line of a stream."""
    return encode(value) + b"\n"
