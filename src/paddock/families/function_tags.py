"""Calls as nested tags: `<function=weather><parameter=city>Rome</parameter></function>`, in `<tool_call>` or not.

Also llama's `<function=weather>{"city": "Rome"}</function>`: what is between the tags is then the arguments.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from paddock.families.out import Out, loads
from paddock.families.speech import HELD_MAX, Reader
from paddock.vocabulary import Tool

FUNCTION: Final = "<function="
_FUNCTION_END: Final = "</function>"
_PARAMETER: Final = "<parameter="
_PARAMETER_END: Final = "</parameter>"


class FunctionReader(Reader):
    """From the name to the closing tag. Told as a whole, since a value's type is known only when it is complete."""

    def __init__(self, back: Reader, tools: Sequence[Tool], ends: Sequence[str]) -> None:
        self._back = back
        self._tools = tools
        self._markers = (_FUNCTION_END, *ends)
        self._pieces: list[str] = []
        self._length = 0
        self._is_too_long = False  # to be a call

    @property
    def markers(self) -> Sequence[str]:
        return self._markers

    def read(self, text: str, out: Out) -> None:
        if self._is_too_long:
            out.say(text)
            return
        self._pieces.append(text)
        self._length += len(text)
        if self._length > HELD_MAX:
            self._is_too_long = True
            out.say("".join(self._pieces))

    def meet(self, marker: str, out: Out) -> Reader:
        self._tell(out, whole=marker == _FUNCTION_END)
        return self._back

    def end(self, out: Out) -> None:
        self._tell(out, whole=False)

    def _tell(self, out: Out, *, whole: bool) -> None:
        if self._is_too_long:
            return
        text = "".join(self._pieces)
        name, closed, body = text.partition(">")
        name = name.strip().strip("\"'")
        if not closed or not name:
            out.say(text)
            return
        out.call(name)
        if _PARAMETER in body:
            arguments = json.dumps(_arguments(body, _properties(name, self._tools)), ensure_ascii=False)
            out.argue(arguments if whole else arguments[:-1])  # values that broke off are not passed off as whole
        else:
            out.argue(body.strip())
        out.end_call(whole=whole)


def _arguments(body: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for piece in body.split(_PARAMETER)[1:]:
        key, _, value = piece.partition(">")
        value = value.partition(_PARAMETER_END)[0].removeprefix("\n").removesuffix("\n")
        arguments[key.strip()] = _value(value, properties.get(key.strip()))
    return arguments


def _value(text: str, schema: Any) -> Any:
    """The value as the tool's schema types it; text where that does not say."""
    kind = schema.get("type") if isinstance(schema, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if kind == "string":
        return text
    lowered = text.strip().lower()
    if lowered in ("none", "null"):
        return None
    value = loads({"true": "true", "false": "false"}.get(lowered, text))
    return text if value is None else value


def _properties(name: str, tools: Sequence[Tool]) -> Mapping[str, Any]:
    for tool in tools:
        if tool.name == name:
            properties: Any = tool.parameters.get("properties")
            return cast("Mapping[str, Any]", properties) if isinstance(properties, dict) else {}
    return {}
