"""OpenAI's request bodies, from bytes to checked fields. Whatever is wrong is a UsageError that names its field.

A body is JSON in the strict sense: no NaN, no half of a character, no number beyond a double gets further. `null` means
that a field was left out. What OpenAI's specification does not know is ignored, and its name kept for the answer's headers.
"""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paddock.errors import UsageError

# What one request may hold at the most.
INT32_MAX: Final = 2**31 - 1
SEED_MIN, SEED_MAX = -(2**63), 2**64 - 1
STOPS_MAX: Final = 32
STOP_CHARACTERS_MAX: Final = 1024
STOP_TOKENS_MAX: Final = 128
BIASES_MAX: Final = 1024
CHOICES_MAX: Final = 128  # answers of one request, whatever asks for them: `n`, `best_of`, several prompts
_EXPLAINED_BYTES_MAX: Final = 1_000_000  # a broken body is searched for the culprit up to this size
_VALUE_CHARACTERS_MAX: Final = 60
_NESTED: Final = ("messages", "stream_options", "tools")
_NAME_CHARACTERS_MAX: Final = 64

ShortText = Annotated[str, Field(max_length=512)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
TokenId = Annotated[int, Field(ge=0, le=INT32_MAX)]

Parsed = TypeVar("Parsed", bound=BaseModel)


class Fields(BaseModel):
    """A JSON object of a request. Types are exact: `"1"` is no number and 1 is no truth."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", protected_namespaces=())


def wrong(param: str, message: str, hint: str) -> UsageError:
    """What is wrong with the field `param`."""
    return UsageError(message, hint=hint, param=param)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, without the fields that are null. Raises UsageError."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(body, error) from error
    except RecursionError as error:
        raise UsageError(
            "The body is nested too deeply.", hint="Send a flat JSON object, as OpenAI's API has it."
        ) from error
    if not isinstance(value, dict):
        raise UsageError(
            f"The body is a JSON {_kind(value)}.", hint='Send an object, such as `{"model": "pony", "messages": […]}`.'
        )
    return {name: each for name, each in cast("dict[str, Any]", value).items() if each is not None}


def parse(
    kind: type[Parsed], given: Mapping[str, Any], *, nested: Collection[str] = _NESTED, within: str = ""
) -> Parsed:
    """`given`, checked. Raises UsageError that names the first field that breaks a rule; of `nested` ones, with its path.

    `within`: where in the body `given` stands, when it is not the body.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        # Elsewhere the rest of the path is about how the field is read, such as which of several types it was not.
        param = spelled(first["loc"] if first["loc"][0] in nested else first["loc"][:1])
        param = f"{within}.{param}" if within else param
        if first["type"] == "missing":
            raise wrong(param, f"`{param}` is missing.", "Every request needs it.") from None
        rule = first["msg"].removeprefix("Value error, ").replace("Input should", "It should")
        shown = _shown(first["input"])
        raise wrong(param, f"`{param}` is {shown}.", f"{rule[:1].upper()}{rule[1:]}.") from None
    except RecursionError as error:
        raise UsageError("The body is nested too deeply.", hint="Send values as OpenAI's API has them.") from error


def unknown_names(kind: type[BaseModel], given: Mapping[str, Any], also: Sequence[str] = ()) -> tuple[str, ...]:
    """The fields that nobody here reads."""
    return tuple(name for name in given if name not in kind.model_fields and name not in also)


def spelled(path: Sequence[int | str]) -> str:
    """`messages[0].content`, as OpenAI's errors spell it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step[:_NAME_CHARACTERS_MAX]}"
    return text.removeprefix(".") or "body"


def _unreadable(body: bytes, error: Exception) -> UsageError:
    """Python's own reader takes NaN, huge numbers and halves of characters: with it the culprit can be named."""
    if len(body) <= _EXPLAINED_BYTES_MAX:
        try:
            path = _culprit(json.loads(body))
        except (ValueError, RecursionError):
            path = None
        if path is not None:
            param = spelled(path)
            return wrong(param, f"`{param}` is no value that JSON has.", "Send finite numbers and whole characters.")
    said = str(error).rstrip(".")
    return UsageError(f"The body is not valid JSON: {said[:1].lower()}{said[1:]}.", hint="Send a JSON object in UTF-8.")


def _culprit(value: Any) -> tuple[int | str, ...] | None:
    """Where the number is that is none, or the text that has half a character."""
    children: Sequence[tuple[int | str, Any]] = ()
    if isinstance(value, float):
        return None if math.isfinite(value) else ()
    if isinstance(value, int):
        return None if SEED_MIN <= value <= SEED_MAX else ()
    if isinstance(value, str):
        return () if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        children = list(cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        children = list(enumerate(cast("list[Any]", value)))
    for step, child in children:
        below = _culprit(child)
        if below is not None:
            return (step, *below)
    return None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = repr(value) if isinstance(value, float) or abs(value) < 10**_VALUE_CHARACTERS_MAX else "a huge number"
        return text[:_VALUE_CHARACTERS_MAX]
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _VALUE_CHARACTERS_MAX else f"a text of {len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(cast('list[Any]', value))}"
    return "null" if value is None else f"an {_kind(value)}"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    kinds: dict[type[object], str] = {list: "list", str: "text", bool: "truth value", type(None): "null"}
    return kinds.get(cast("type[object]", type(value)), "number")
