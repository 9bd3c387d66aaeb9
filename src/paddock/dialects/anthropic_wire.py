"""The objects of Anthropic's API as they go out, and the events of its streams."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'

StopWord = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is UNSET is left out; one that is None is `null`."""


class TextBlock(Wire, frozen=True, kw_only=True, tag="text"):
    text: str
    citations: None = None


class ThinkingBlock(Wire, frozen=True, kw_only=True, tag="thinking"):
    thinking: str
    signature: str


class ToolUseBlock(Wire, frozen=True, kw_only=True, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


Block = TextBlock | ThinkingBlock | ToolUseBlock


class MessageUsage(Wire, frozen=True, kw_only=True):
    input_tokens: int  # of the prompt, without those that were found in the cache
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int = 0  # nobody pays for what is kept
    service_tier: Literal["standard"] = "standard"


class DeltaUsage(Wire, frozen=True, kw_only=True):
    """Everything so far, not what was added."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int = 0


class Message(Wire, frozen=True, kw_only=True):
    id: str
    model: str
    content: list[Block]
    stop_reason: StopWord | None
    stop_sequence: str | None
    usage: MessageUsage
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    diagnostics: Mapping[str, Any] | UnsetType = UNSET


class MessageStart(Wire, frozen=True, kw_only=True, tag="message_start"):
    message: Message


class BlockStart(Wire, frozen=True, kw_only=True, tag="content_block_start"):
    index: int
    content_block: Block


class TextDelta(Wire, frozen=True, kw_only=True, tag="text_delta"):
    text: str


class ThinkingDelta(Wire, frozen=True, kw_only=True, tag="thinking_delta"):
    thinking: str


class SignatureDelta(Wire, frozen=True, kw_only=True, tag="signature_delta"):
    signature: str


class InputDelta(Wire, frozen=True, kw_only=True, tag="input_json_delta"):
    partial_json: str


Delta = TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class BlockDelta(Wire, frozen=True, kw_only=True, tag="content_block_delta"):
    index: int
    delta: Delta


class BlockStop(Wire, frozen=True, kw_only=True, tag="content_block_stop"):
    index: int


class Ending(Wire, frozen=True, kw_only=True):
    stop_reason: StopWord
    stop_sequence: str | None


class MessageDelta(Wire, frozen=True, kw_only=True, tag="message_delta"):
    delta: Ending
    usage: DeltaUsage


class MessageStop(Wire, frozen=True, kw_only=True, tag="message_stop"):
    pass


class TokenCount(Wire, frozen=True, kw_only=True):
    input_tokens: int


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop

encode: Final = msgspec.json.Encoder().encode


def event(told: Event) -> bytes:
    """One server-sent event; its name is its `type`."""
    name = told.__struct_config__.tag
    assert isinstance(name, str), "every event has a name"
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(told))
