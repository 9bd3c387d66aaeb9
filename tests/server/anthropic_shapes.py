"""Whether an object is what Anthropic's specification says: checked with the types of the official client, strictly.

Strictly means that no field has another type, none is missing, and none is there that the specification does not know.
"""

import json
from collections.abc import Iterator
from typing import TypeVar

import pydantic
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.shared.error_response import ErrorResponse

from tests.server.openai_shapes import unknown_fields

Shape = TypeVar("Shape", bound=pydantic.BaseModel)

_EVENT: pydantic.TypeAdapter[RawMessageStreamEvent] = pydantic.TypeAdapter(RawMessageStreamEvent)


def message(body: bytes | str) -> Message:
    return _strict(Message, body)


def count(body: bytes | str) -> int:
    return _strict(MessageTokensCount, body).input_tokens


def error(body: bytes | str) -> ErrorResponse:
    """Its `details` are in the client, though not in its types."""
    told = json.loads(body)
    assert set(told["error"].pop("details")) == {"error_code"}
    return _strict(ErrorResponse, json.dumps(told))


def events(text: str) -> Iterator[RawMessageStreamEvent]:
    """Events of a stream; pings are left out. Each is named by its type."""
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        told = json.loads(data.removeprefix("data: "))
        assert name == f"event: {told['type']}"
        if told["type"] == "ping":
            continue
        found = _EVENT.validate_python(told, strict=True)
        assert not list(unknown_fields(found, told["type"]))
        yield found


def _strict(kind: type[Shape], body: bytes | str) -> Shape:
    found = kind.model_validate_json(body, strict=True)
    assert not list(unknown_fields(found, kind.__name__))
    return found
