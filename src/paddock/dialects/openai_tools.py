"""Functions that a model may have called, as chat completions and responses name them; and which of them it must."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from paddock.dialects.openai_fields import Fields, ShortText, wrong
from paddock.vocabulary import Thinking, Tool, ToolChoice, ToolUse

TOOLS_MAX: Final = 1024
CALLS_MAX: Final = 1024  # in one message
SCHEMA_BYTES_MAX: Final = 256 * 1024
ARGUMENTS_CHARACTERS_MAX: Final = 4 * 1024 * 1024
DESCRIPTION_CHARACTERS_MAX: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,128}")

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class FunctionFields(Fields):
    """A function: what it is called, what it is for, what it takes."""

    name: ShortText
    description: Annotated[str, Field(max_length=DESCRIPTION_CHARACTERS_MAX)] | None = None
    parameters: dict[str, Any] | None = Field(default=None, description="A JSON schema of an object.")
    strict: bool | None = Field(default=None, description="Hold the arguments to the schema while they are written.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """The tools of one request, and how they are to be used."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)


def function_tool(fields: FunctionFields, where: str) -> Tool:
    """Raises UsageError that names what is wrong in `where`."""
    if not _NAME.fullmatch(fields.name):
        raise wrong(
            f"{where}.name",
            f"`{fields.name[:80]}` is no name of a function.",
            "Send 1 to 128 letters, digits, `_`, `-` and `.`.",
        )
    parameters = fields.parameters or {}
    size = len(msgspec.json.encode(parameters))
    if size > SCHEMA_BYTES_MAX:
        raise wrong(
            f"{where}.parameters",
            f"The parameters of `{fields.name}` have {size} bytes.",
            f"{SCHEMA_BYTES_MAX} bytes are the most.",
        )
    if parameters.get("type", "object") != "object":
        raise wrong(
            f"{where}.parameters", f"The parameters of `{fields.name}` are no object.", 'Send `{"type": "object", …}`.'
        )
    return Tool(
        name=fields.name, description=fields.description or "", parameters=parameters, strict=bool(fields.strict)
    )


def distinct(tools: Sequence[Tool], field: str) -> tuple[Tool, ...]:
    """`tools`. Raises UsageError when two have one name."""
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise wrong(field, f"Two tools are called `{tool.name}`.", "Give each a name of its own.")
        names.add(tool.name)
    return tuple(tools)


def use_of(word: Literal["none", "auto", "required"], tools: Sequence[Tool], *, parallel: bool, field: str) -> Toolbox:
    """`none`, `auto` and `required`."""
    if word == "required" and not tools:
        raise wrong(field, "A call is required, and there are no tools that can be called.", "Send `tools`.")
    return Toolbox(tools=tuple(tools), choice=ToolChoice(use=ToolUse(word), parallel=parallel))


def the_one(name: str, tools: Sequence[Tool], *, parallel: bool, field: str) -> Toolbox:
    """This one must be called."""
    _check_there([name], tools, field)
    return Toolbox(tools=tuple(tools), choice=ToolChoice(use=ToolUse.REQUIRED, name=name, parallel=parallel))


def only(
    names: Sequence[str], tools: Sequence[Tool], word: Literal["auto", "required"], *, parallel: bool, field: str
) -> Toolbox:
    """The model sees no others than these."""
    _check_there(names, tools, field)
    allowed = [tool for tool in tools if tool.name in names]
    return use_of(word, allowed, parallel=parallel, field=field)


def thinking_of(effort: Effort | None) -> Thinking:
    """How hard a model is to think says whether it thinks at all."""
    return Thinking(enabled=None if effort is None else effort != "none")


def effort_option(effort: Effort | None) -> Mapping[str, Any]:
    """Told to the templates of models that know degrees of it; `high` is the most that any knows."""
    if effort is None or effort == "none":
        return {}
    return {"reasoning_effort": {"minimal": "low", "low": "low", "medium": "medium"}.get(effort, "high")}


def with_template_thinking(thinking: Thinking, template_options: Mapping[str, Any]) -> Thinking:
    """`enable_thinking`, the word of many chat templates, goes before `reasoning_effort`. Raises UsageError."""
    asked = template_options.get("enable_thinking")
    if asked is None:
        return thinking
    if not isinstance(asked, bool):
        raise wrong("chat_template_kwargs", "`enable_thinking` is no truth value.", "Send `true` or `false`.")
    return replace(thinking, enabled=asked)


def _check_there(names: Sequence[str], tools: Sequence[Tool], field: str) -> None:
    known = {tool.name for tool in tools}
    missing = next((name for name in names if name not in known), None)
    if missing is not None:
        raise wrong(field, f"No tool is called `{missing[:80]}`.", "Name one of `tools`.")
