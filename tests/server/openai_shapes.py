"""Whether an object is what OpenAI's specification says: checked with the types of the official client, strictly.

Strictly means that no field has another type, none is missing, and none is there that the specification does not know.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeVar

import pydantic
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

Shape = TypeVar("Shape", bound=pydantic.BaseModel)

OURS = {"context_window", "max_output_tokens", "capabilities", "loaded", "alias_of"}  # of a model, beside OpenAI's


def chat_completion(body: bytes | str) -> ChatCompletion:
    return _strict(ChatCompletion, body)


def chat_chunk(body: bytes | str) -> ChatCompletionChunk:
    return _strict(ChatCompletionChunk, body)


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


def _strict(kind: type[Shape], body: bytes | str) -> Shape:
    found = kind.model_validate_json(body, strict=True)
    assert not list(unknown_fields(found, kind.__name__))
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
