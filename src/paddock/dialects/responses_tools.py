"""Tools of a response: functions and custom tools are honoured, whatever OpenAI runs itself is passed over by name."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from paddock.dialects.openai_fields import parse, wrong
from paddock.dialects.openai_tools import FunctionFields, Toolbox, distinct, function_tool, only, the_one, use_of
from paddock.dialects.responses_custom import custom_tool, shown_custom
from paddock.dialects.responses_fields import ResponseFields
from paddock.vocabulary import Tool

_CHOICE: Final = "tool_choice"


def toolbox_of(fields: ResponseFields) -> tuple[Toolbox, tuple[str, ...]]:
    """The tools, and the types of those that were passed over. Raises UsageError, also when one of these must be called."""
    tools: list[Tool] = []
    passed_over: list[str] = []
    for number, given in enumerate(fields.tools):
        kind = given.get("type")
        if not isinstance(kind, str):
            raise wrong(f"tools[{number}].type", f"`tools[{number}].type` is missing.", "Send `function`.")
        if kind == "function":
            tools.append(_function(given, f"tools[{number}]"))
        elif kind == "custom":
            tools.append(custom_tool(given, f"tools[{number}]"))
        else:
            passed_over.append(f"tools.{kind}")
    box = _chosen(fields, distinct(tools, "tools"), tuple(passed_over))
    return box, tuple(dict.fromkeys(passed_over))


def custom_names(fields: ResponseFields) -> frozenset[str]:
    """The tools that take a text as it stands."""
    return frozenset(str(given.get("name")) for given in fields.tools if given.get("type") == "custom")


def shown_tools(tools: Sequence[Tool], fields: ResponseFields) -> list[dict[str, Any]]:
    """Those that the model saw, as a response shows them."""
    customs = {given.get("name"): given for given in fields.tools if given.get("type") == "custom"}
    return [
        shown_custom(customs[tool.name])
        if tool.name in customs
        else {
            "type": "function",
            "name": tool.name,
            "description": tool.description or None,
            "parameters": dict(tool.parameters),
            "strict": tool.strict,
        }
        for tool in tools
    ]


def shown_choice(fields: ResponseFields) -> str | Mapping[str, Any]:
    """As it was asked for; all that got here is what OpenAI's API has."""
    return fields.tool_choice


def _function(given: Mapping[str, Any], where: str) -> Tool:
    told = {name: value for name, value in given.items() if value is not None}
    if "name" not in told:
        raise wrong(f"{where}.name", f"`{where}.name` is missing.", "Every function needs a name.")
    return function_tool(parse(FunctionFields, told, within=where), where)


def _chosen(fields: ResponseFields, tools: tuple[Tool, ...], passed_over: tuple[str, ...]) -> Toolbox:
    choice, parallel = fields.tool_choice, fields.parallel_tool_calls
    if isinstance(choice, str):
        if choice == "required" and not tools and passed_over:
            raise _cannot_run(passed_over[0].removeprefix("tools."))
        return use_of(choice, tools, parallel=parallel, field=_CHOICE)
    match choice:
        case {"type": "function" | "custom", "name": str(name)}:
            return the_one(name, tools, parallel=parallel, field=_CHOICE)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list()}:
            names = [_allowed_name(each) for each in cast("list[object]", choice["tools"])]
            return only(names, tools, cast("Literal['auto', 'required']", mode), parallel=parallel, field=_CHOICE)
        case {"type": str(kind)} if kind not in ("function", "custom", "allowed_tools"):
            raise _cannot_run(kind)
        case _:
            raise wrong(
                _CHOICE,
                "`tool_choice` cannot be read.",
                'Send `auto`, `none`, `required` or `{"type": "function", "name": …}`.',
            )


def _allowed_name(given: object) -> str:
    match given:
        case {"type": "function" | "custom", "name": str(name)}:
            return name
        case {"type": str(kind)} if kind not in ("function", "custom"):
            raise _cannot_run(kind)
        case _:
            raise wrong(f"{_CHOICE}.tools", "A tool that is allowed has no name.", "Send `type` and `name`.")


def _cannot_run(kind: str) -> Exception:
    return wrong(_CHOICE, f"Tools of type `{kind[:80]}` do not run here.", "Choose among functions and custom tools.")
