"""The objects and events of `/v1/responses` as they go out."""

from typing import Any, Final, Literal

from paddock.dialects.openai_wire import TokenLogprobs, Wire, encode

Status = Literal["in_progress", "completed", "incomplete", "failed"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(Wire, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    text: str
    annotations: tuple[()] = ()
    logprobs: list[TokenLogprobs]


class ReasoningText(Wire, frozen=True, kw_only=True, tag_field="type", tag="reasoning_text"):
    text: str


class MessageItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="message"):
    id: str
    status: ItemStatus
    content: list[OutputText]
    role: Literal["assistant"] = "assistant"


class ReasoningItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="reasoning"):
    id: str
    status: ItemStatus
    content: list[ReasoningText]
    summary: tuple[()] = ()


class CallItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    id: str
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class CustomCallItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="custom_tool_call"):
    id: str
    status: ItemStatus
    call_id: str
    name: str
    input: str


OutputItem = MessageItem | ReasoningItem | CallItem | CustomCallItem


class InputDetails(Wire, frozen=True, kw_only=True):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Wire, frozen=True, kw_only=True):
    reasoning_tokens: int


class ResponseUsage(Wire, frozen=True, kw_only=True):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Incomplete(Wire, frozen=True, kw_only=True):
    reason: Literal["max_output_tokens"] = "max_output_tokens"


class Failed(Wire, frozen=True, kw_only=True):
    code: str
    message: str


class ResponseObject(Wire, frozen=True, kw_only=True):
    """A response; what it repeats of its request stands as it was asked for."""

    id: str
    created_at: int
    model: str
    status: Status
    output: list[OutputItem]
    parallel_tool_calls: bool
    tool_choice: Any
    tools: list[Any]
    metadata: dict[str, str]
    text: dict[str, Any]
    reasoning: dict[str, Any]
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    service_tier: str
    store: bool
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    completed_at: int | None = None
    error: Failed | None = None
    incomplete_details: Incomplete | None = None
    usage: ResponseUsage | None = None
    background: Literal[False] = False
    truncation: Literal["disabled"] = "disabled"
    object: Literal["response"] = "response"


class Event(Wire, frozen=True, kw_only=True):
    type: str
    sequence_number: int


class ResponseEvent(Event, frozen=True, kw_only=True):
    response: ResponseObject


class ItemEvent(Event, frozen=True, kw_only=True):
    output_index: int
    item: OutputItem


class PartEvent(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    part: OutputText | ReasoningText
    content_index: int = 0


class TextDelta(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    delta: str
    logprobs: list[Any]
    content_index: int = 0


class TextDone(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    text: str
    logprobs: list[Any]
    content_index: int = 0


class ReasoningDelta(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    delta: str
    content_index: int = 0


class ReasoningDone(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    text: str
    content_index: int = 0


class ArgumentsDelta(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    delta: str


class ArgumentsDone(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    arguments: str


class InputDelta(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    delta: str


class InputDone(Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int
    input: str


class ErrorEvent(Event, frozen=True, kw_only=True):
    code: str
    message: str
    param: str | None


class Deleted(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class ItemList(Wire, frozen=True, kw_only=True):
    data: list[Any]
    first_id: str
    last_id: str
    has_more: bool
    object: Literal["list"] = "list"


class InputTokens(Wire, frozen=True, kw_only=True):
    input_tokens: int
    object: Literal["response.input_tokens"] = "response.input_tokens"


DONE_EVENTS: Final = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
}


def written(said: Event) -> bytes:
    """One server-sent event, named twice as OpenAI does."""
    return b"event: %b\ndata: %b\n\n" % (said.type.encode(), encode(said))
