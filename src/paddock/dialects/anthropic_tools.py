"""Tools of Anthropic's requests: those that the caller runs. What Anthropic runs itself is refused by name."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from paddock.dialects.anthropic_blocks import CacheControl
from paddock.dialects.openai_fields import Fields, wrong
from paddock.vocabulary import Tool, ToolChoice, ToolUse

TOOLS_MAX: Final = 1024
SCHEMA_BYTES_MAX: Final = 256 * 1024
DESCRIPTION_CHARACTERS_MAX: Final = 256 * 1024
EXAMPLES_MAX: Final = 64
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_DIRECT: Final = ["direct"]


class ToolFields(Fields):
    """A tool; one with a `type` other than `custom` is not the caller's."""

    type: Annotated[str, Field(max_length=64)] | None = None
    name: str | None = None
    description: Annotated[str, Field(max_length=DESCRIPTION_CHARACTERS_MAX)] | None = None
    input_schema: dict[str, Any] | None = None
    input_examples: Annotated[list[dict[str, Any]], Field(max_length=EXAMPLES_MAX)] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = Field(default=None, description="Inputs always come as they are written.")
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ChoiceFields(Fields):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def tools_of(given: Sequence[ToolFields]) -> tuple[Tool, ...]:
    """Raises UsageError."""
    tools = tuple(_tool(fields, f"tools[{number}]") for number, fields in enumerate(given))
    names: set[str] = set()
    for number, tool in enumerate(tools):
        if tool.name in names:
            raise wrong(f"tools[{number}].name", f"Two tools are called `{tool.name}`.", "Give each its own name.")
        names.add(tool.name)
    return tools


def choice_of(given: ChoiceFields | None, tools: Sequence[Tool]) -> ToolChoice:
    """Raises UsageError for a choice among tools that are not there."""
    if given is None:
        return ToolChoice()
    parallel = not given.disable_parallel_tool_use
    if given.name is not None and given.type != "tool":
        raise wrong("tool_choice.name", f"`{given.type}` names no tool.", "Leave `name` out.")
    match given.type:
        case "none":
            return ToolChoice(use=ToolUse.NONE)
        case "auto":
            return ToolChoice(parallel=parallel)
        case "any" if tools:
            return ToolChoice(use=ToolUse.REQUIRED, parallel=parallel)
        case "tool" if any(tool.name == given.name for tool in tools):
            return ToolChoice(use=ToolUse.REQUIRED, name=given.name, parallel=parallel)
        case "any":
            raise wrong("tool_choice", "`any` needs tools to choose from.", "Send `tools`.")
        case "tool":
            raise wrong("tool_choice.name", f"No tool is called `{(given.name or '')[:128]}`.", "Name one of `tools`.")


def _tool(fields: ToolFields, where: str) -> Tool:
    if fields.type not in (None, "custom"):
        raise wrong(
            f"{where}.type",
            f"Tools of type `{fields.type}` are not here.",
            "Describe a tool of your own, with `name`, `description` and `input_schema`.",
        )
    if fields.name is None or not _NAME.fullmatch(fields.name):
        raise wrong(
            f"{where}.name", f"`{where}.name` is no name of a tool.", "Send up to 128 letters, digits, `_` and `-`."
        )
    if fields.defer_loading:
        raise wrong(f"{where}.defer_loading", "Tools are not searched for here.", "Leave `defer_loading` out.")
    if fields.allowed_callers not in (None, _DIRECT):
        raise wrong(
            f"{where}.allowed_callers", "Only the model itself calls tools here.", 'Leave it out, or send `["direct"]`.'
        )
    return Tool(
        name=fields.name,
        description=_description(fields, where),
        parameters=_schema(fields.input_schema, where),
        strict=bool(fields.strict),
    )


def _schema(schema: dict[str, Any] | None, where: str) -> Mapping[str, Any]:
    if schema is None:
        raise wrong(f"{where}.input_schema", f"`{where}.input_schema` is missing.", "Every tool needs one.")
    size = len(msgspec.json.encode(schema))
    if size > SCHEMA_BYTES_MAX:
        raise wrong(
            f"{where}.input_schema", f"This schema has {size} bytes; {SCHEMA_BYTES_MAX} is the most.", "Send less."
        )
    if schema.get("type", "object") != "object":
        raise wrong(f"{where}.input_schema.type", "A tool's input is an object.", 'Send `"type": "object"`.')
    return schema


def _description(fields: ToolFields, where: str) -> str:
    """With the examples, which templates have no other place for."""
    described = fields.description or ""
    if not fields.input_examples:
        return described
    examples = "\n".join(msgspec.json.encode(example).decode() for example in fields.input_examples)
    if len(examples) > SCHEMA_BYTES_MAX:
        raise wrong(f"{where}.input_examples", "The examples are too long.", f"Send at most {SCHEMA_BYTES_MAX} bytes.")
    return f"{described}\nExamples of its input:\n{examples}".lstrip("\n")
