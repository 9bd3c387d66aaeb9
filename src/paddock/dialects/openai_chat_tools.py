"""Tools of a chat request, and which of them are to be called."""

from typing import Any, Final, Literal, cast

from paddock.dialects.openai_fields import Fields, parse, wrong
from paddock.dialects.openai_tools import FunctionFields, Toolbox, distinct, function_tool, only, the_one, use_of
from paddock.vocabulary import Tool

_CHOICE: Final = "tool_choice"


class ToolFields(Fields):
    """A tool that the caller runs."""

    type: str
    function: FunctionFields | None = None


def toolbox_of(
    given: list[ToolFields], choice: Literal["none", "auto", "required"] | dict[str, Any], *, parallel: bool
) -> Toolbox:
    """Raises UsageError that names the tool, or the choice that cannot be."""
    tools = distinct([_tool(fields, f"tools[{number}]") for number, fields in enumerate(given)], "tools")
    if isinstance(choice, str):
        return use_of(choice, tools, parallel=parallel, field=_CHOICE)
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            return the_one(name, tools, parallel=parallel, field=_CHOICE)
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list()}}:
            allowed = parse(_Allowed, choice["allowed_tools"], within=f"{_CHOICE}.allowed_tools")
            names = [_tool(each, f"{_CHOICE}.allowed_tools.tools").name for each in allowed.tools]
            return only(names, tools, cast("Literal['auto', 'required']", mode), parallel=parallel, field=_CHOICE)
        case _:
            raise wrong(
                _CHOICE,
                "`tool_choice` cannot be read.",
                'Send `auto`, `none`, `required` or `{"type": "function", "function": {"name": …}}`.',
            )


class _Allowed(Fields):
    tools: list[ToolFields]


def _tool(fields: ToolFields, where: str) -> Tool:
    if fields.type != "function":
        raise wrong(f"{where}.type", f"Tools of type `{fields.type[:80]}` do not run here.", "Send functions.")
    if fields.function is None:
        raise wrong(f"{where}.function", f"`{where}.function` is missing.", "Send its `name` and `parameters`.")
    return function_tool(fields.function, f"{where}.function")
