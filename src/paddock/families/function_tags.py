"""Calls as nested tags: `<function=weather><parameter=city>Rome</parameter></function>`, in `<tool_call>` or not.

Also llama's `<function=weather>{"city": "Rome"}</function>`: what is between the tags is then the arguments.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from paddock.families.call_reader import is_object
from paddock.families.speech import Out, Reader
from paddock.families.tagged import Tags
from paddock.vocabulary import Tool

_FUNCTION: Final = "<function="
_FUNCTION_END: Final = "</function>"
_PARAMETER: Final = "<parameter="
_PARAMETER_END: Final = "</parameter>"


class FunctionTagsReader:
    """What is said, up to a call."""

    def __init__(self, tags: Tags, tools: Sequence[Tool], *, after: bool = False) -> None:
        self._tags = tags
        self._tools = tools
        self._after = after  # a call or a thought: blanks are layout

    @property
    def markers(self) -> Sequence[str]:
        tags = self._tags
        return [m for m in (_FUNCTION, tags.call, tags.call_end, tags.think, tags.think_end, *tags.ends) if m]

    def read(self, text: str, out: Out) -> None:
        text = text.lstrip() if self._after else text
        if text:
            self._after = False
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _FUNCTION:
            return _Function(self._tags, self._tools)
        if marker == self._tags.think:
            return _Thought(self._tags, self._tools)
        self._after = True
        return self

    def end(self, out: Out) -> None:
        pass


class _Thought:
    def __init__(self, tags: Tags, tools: Sequence[Tool]) -> None:
        self._tags = tags
        self._tools = tools

    @property
    def markers(self) -> Sequence[str]:
        return (self._tags.think_end,)

    def read(self, text: str, out: Out) -> None:
        out.think(text)

    def meet(self, marker: str, out: Out) -> Reader:
        return FunctionTagsReader(self._tags, self._tools, after=True)

    def end(self, out: Out) -> None:
        pass


class _Function:
    """From the name to the closing tag. Told as a whole, since a value's type is known only when it is complete."""

    markers: Sequence[str] = (_FUNCTION_END,)

    def __init__(self, tags: Tags, tools: Sequence[Tool]) -> None:
        self._tags = tags
        self._tools = tools
        self._text = ""

    def read(self, text: str, out: Out) -> None:
        self._text += text

    def meet(self, marker: str, out: Out) -> Reader:
        self.end(out)
        return FunctionTagsReader(self._tags, self._tools, after=True)

    def end(self, out: Out) -> None:
        name, _, body = self._text.partition(">")
        name = name.strip()
        if not name:
            return
        if _PARAMETER not in body and is_object(body.strip() or "{}"):
            out.call(name, body.strip() or "{}")
        else:
            out.call(name, json.dumps(_arguments(body, _properties(name, self._tools)), ensure_ascii=False))


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
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        lowered = text.strip().lower()
        return {"true": True, "false": False, "none": None}.get(lowered, text)


def _properties(name: str, tools: Sequence[Tool]) -> Mapping[str, Any]:
    for tool in tools:
        if tool.name == name:
            properties: Any = tool.parameters.get("properties")
            return cast("Mapping[str, Any]", properties) if isinstance(properties, dict) else {}
    return {}
