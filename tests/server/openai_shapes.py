"""Whether an object is what OpenAI's specification says: checked with the types of the official client, strictly.

Strictly means that no field has another type, none is missing, and none is there that the specification does not know.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import pydantic
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent

Shape = TypeVar("Shape", bound=pydantic.BaseModel)
_StreamEvent: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(ResponseStreamEvent)

# Not OpenAI's, and known to every client of open models.
THOUGHTS = ("ChatCompletion.choices.message.reasoning_content", "ChatCompletionChunk.choices.delta.reasoning_content")
# Open Responses requires them; OpenAI's own server sends the first two, whatever its types say.
SETTINGS = ("presence_penalty", "frequency_penalty", "store")
# Of a custom tool's call: OpenAI's type of listed items has it, the type of a response's output not yet.
STATUS = "output.status"
OURS = {"context_window", "max_output_tokens", "capabilities", "loaded", "alias_of"}  # of a model, beside OpenAI's


def chat_completion(body: bytes | str) -> ChatCompletion:
    return _strict(ChatCompletion, body, beside=THOUGHTS)


def chat_chunk(body: bytes | str) -> ChatCompletionChunk:
    return _strict(ChatCompletionChunk, body, beside=THOUGHTS)


def completion(body: bytes | str) -> Completion:
    """A whole one. In a chunk `finish_reason` may be null, which the client's type does not say; see `text_chunk`."""
    return _strict(Completion, body)


def text_chunk(body: bytes | str) -> Completion:
    """A chunk of a completion."""
    told = json.loads(body)
    for choice in told["choices"]:
        assert choice["finish_reason"] in (None, "stop", "length")
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    return _strict(Completion, json.dumps(told))


def model(body: bytes | str) -> Model:
    told = json.loads(body)
    assert told.keys() - Model.model_fields.keys() <= OURS
    return _strict(Model, json.dumps({name: value for name, value in told.items() if name not in OURS}))


def events(text: str) -> Iterator[str]:
    """The data of server-sent events; comments are left out. The last must be `[DONE]`, which is left out, too."""
    data = [block.removeprefix("data: ") for block in text.split("\n\n") if block and not block.startswith(":")]
    assert data[-1] == "[DONE]"
    assert all("\n" not in each for each in data)
    yield from data[:-1]


def response(body: bytes | str) -> Response:
    return _strict(Response, body, beside=[f"Response.{name}" for name in (*SETTINGS, STATUS)])


def item_list(body: bytes | str) -> ResponseItemList:
    return _strict(ResponseItemList, body)


def response_events(text: str) -> list[ResponseStreamEvent]:
    """The events of a streamed response, each named twice and numbered from 0."""
    found: list[ResponseStreamEvent] = []
    for block in text.split("\n\n"):
        if not block or block.startswith(":"):
            continue
        name, data = block.split("\n")
        event = _StreamEvent.validate_json(data.removeprefix("data: "), strict=True)
        assert name == f"event: {event.type}"
        beside = {f"{event.type}.response.{name}" for name in (*SETTINGS, STATUS)} | {f"{event.type}.item.status"}
        assert not [where for where in unknown_fields(event, event.type) if where not in beside]
        found.append(event)
    assert [event.sequence_number for event in found] == list(range(len(found)))
    return found


def _strict(kind: type[Shape], body: bytes | str, *, beside: Collection[str] = ()) -> Shape:
    found = kind.model_validate_json(body, strict=True)
    assert [where for where in unknown_fields(found, kind.__name__) if where not in beside] == []
    return found


def unknown_fields(value: Any, where: str) -> Iterator[str]:
    """Where there is a field that the types do not know."""
    if isinstance(value, pydantic.BaseModel):
        yield from (f"{where}.{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown_fields(each, where)
