"""Custom tools of responses, which take a text as it stands: to the model each is a function with one text, `input`.

Codex edits files with one. The model's call comes back as a custom call: its text is taken out of the JSON around it while it
is written.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from paddock.dialects.openai_fields import Fields, parse, wrong
from paddock.dialects.openai_tools import DESCRIPTION_CHARACTERS_MAX, FunctionFields, function_tool
from paddock.vocabulary import Tool

GRAMMAR_CHARACTERS_MAX: Final = 64 * 1024
_INPUT: Final = "input"
_HEAD: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_STOPS: Final = re.compile(r'["\\]')
_ESCAPE: Final = re.compile(
    r'\\(?:["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4})'
)
_ESCAPE_CHARACTERS_MAX: Final = 12  # two halves of a character
_HIGH_HALF: Final = re.compile(r"\\u[dD][89abAB]")


class FormatFields(Fields):
    """What the text is to be."""

    type: Literal["text", "grammar"]
    syntax: Literal["lark", "regex"] | None = None
    definition: Annotated[str, Field(max_length=GRAMMAR_CHARACTERS_MAX)] | None = None


class CustomFields(Fields):
    name: str
    description: Annotated[str, Field(max_length=DESCRIPTION_CHARACTERS_MAX)] | None = None
    format: FormatFields | None = None


def custom_tool(given: Mapping[str, Any], where: str) -> Tool:
    """The function that stands for it. A regular expression is held to; a grammar is told to the model. Raises UsageError."""
    fields = parse(
        CustomFields,
        {name: value for name, value in given.items() if value is not None},
        nested=("format",),
        within=where,
    )
    text: dict[str, Any] = {"type": "string"}
    told = fields.description or ""
    form = fields.format
    if form is not None and form.type == "grammar":
        if form.syntax is None or not form.definition:
            raise wrong(
                f"{where}.format", "A grammar has a `syntax` and a `definition`.", "Send both, or leave it out."
            )
        if form.syntax == "regex":
            text["pattern"] = f"^(?:{form.definition})$"
        else:
            told = f"{told}\n\n`input` is a text of this grammar, in Lark's form:\n{form.definition}".lstrip()
    parameters = {"type": "object", "properties": {_INPUT: text}, "required": [_INPUT], "additionalProperties": False}
    function = FunctionFields(name=fields.name, description=told, parameters=parameters, strict=True)
    return function_tool(function, where)


def shown_custom(given: Mapping[str, Any]) -> dict[str, Any]:
    """As a response shows it."""
    form = given.get("format") or {"type": "text"}
    return {"type": "custom", "name": given["name"], "description": given.get("description"), "format": form}


def arguments_of(text: str) -> str:
    """The arguments of the function, for a call that took `text`."""
    return json.dumps({_INPUT: text}, ensure_ascii=False)


class TextTaken:
    """The text of one call, out of its arguments as they come."""

    def __init__(self) -> None:
        self._head: str | None = ""  # what came before the text has begun; None once it has
        self._held = ""  # the beginning of an escape
        self._over = False

    def feed(self, arguments: str) -> str:
        """More of the text."""
        if self._over:
            return ""
        if self._head is not None:
            self._head += arguments
            begun = _HEAD.match(self._head)
            if begun is None:
                return ""  # `end` says it
            arguments, self._head = self._head[begun.end() :], None
        return self._read(self._held + arguments)

    def end(self) -> str:
        """What is left. Arguments that are not what they should be are the text."""
        if self._head is None:
            return self._read(self._held, last=True)
        left, self._head = self._head, None
        try:
            value: Any = json.loads(left)
        except (ValueError, RecursionError):
            return left
        text = value.get(_INPUT) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return text if isinstance(text, str) else left

    def _read(self, text: str, *, last: bool = False) -> str:
        said: list[str] = []
        at = 0
        self._held = ""
        while at < len(text):
            stop = _STOPS.search(text, at)
            if stop is None:
                said.append(text[at:])
                break
            said.append(text[at : stop.start()])
            at = stop.start()
            if stop[0] == '"':
                self._over = True
                break
            escape = _ESCAPE.match(text, at)
            whole = escape is not None and not (
                _HIGH_HALF.match(escape[0]) and escape.end() - at < _ESCAPE_CHARACTERS_MAX
            )
            if not last and not whole and len(text) - at < _ESCAPE_CHARACTERS_MAX:
                self._held = text[at:]
                break
            if escape is None:  # no JSON; a call that is held to its schema has none of it
                said.append("\\")
                at += 1
                continue
            said.append(_character(escape[0]))
            at = escape.end()
        return "".join(said)


def _character(escape: str) -> str:
    text: str = json.loads(f'"{escape}"')
    return text.encode("utf-8", "replace").decode()  # half a character is none
