"""Messages in the shapes that chat templates take."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from paddock.families.tagged import Tags
from paddock.vocabulary import Message, Tool, ToolCall

Turn = dict[str, Any]  # one message as chat templates take it

_TOOLS: Final = re.compile(r"\btools\b")
_TOOLS_PROMPT: Final = """You may call one or more functions. They are described in <tools></tools>:
<tools>
{tools}
</tools>

To call a function, answer with its name and arguments as JSON between tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def knows_tools(template: str) -> bool:
    """Whether a template has a place for tools. One that only knows calls would let the tools fall under the table."""
    return _TOOLS.search(template) is not None


def knows_system(template: str) -> bool:
    """Whether a template has a place for what the system says, or writes out whatever role there is."""
    return "system" in template or not re.search(r"""==\s*['"]user['"]""", template)


def described(tool: Tool) -> Turn:
    """A tool as templates know it."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def turn_of(message: Message) -> Turn:
    """A message as templates know it."""
    turn: Turn = {"role": message.role, "content": message.content}
    if message.name is not None:
        turn["name"] = message.name
    if message.reasoning:
        turn["reasoning_content"] = message.reasoning
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments_of(call)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def arguments_of(call: ToolCall) -> Any:
    """The arguments as a value, which templates write as JSON; as text when they are none."""
    try:
        return json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments


def one_call_a_turn(turns: Sequence[Turn]) -> list[Turn]:
    """`turns` for a template that takes one call a message: each call is followed by its own result."""
    split: list[Turn] = []
    placed: set[int] = set()
    for position, turn in enumerate(turns):
        calls = turn.get("tool_calls", ())
        if len(calls) <= 1:
            if position not in placed:
                split.append(turn)
            continue
        results = _results_behind(turns, position)
        for number, call in enumerate(calls):
            shared = turn if number == 0 else {"role": turn["role"], "content": ""}
            split.append({**shared, "tool_calls": [call]})
            for at in results:
                if at not in placed and turns[at].get("tool_call_id") == call["id"]:
                    placed.add(at)
                    split.append(turns[at])
    return split


def told_in_text(messages: Sequence[Message], tools: Sequence[Tool], tags: Tags) -> list[Turn]:
    """A conversation for a template that knows only texts: tools, calls and results are written out."""
    turns: list[Turn] = []
    after_result = False
    for message in messages:
        if message.role == "tool":
            result = f"<tool_response>\n{message.content}\n</tool_response>"
            if after_result:
                turns[-1]["content"] += f"\n{result}"
            else:
                turns.append({"role": "user", "content": result})
        elif message.tool_calls:
            calls = [call_in_text(call, tags) for call in message.tool_calls]
            turns.append({"role": message.role, "content": "\n".join([message.content, *calls]).lstrip("\n")})
        else:
            turns.append({"role": message.role, "content": message.content})
        after_result = message.role == "tool"
    return with_system(turns, tools_prompt(tools)) if tools else turns


def call_in_text(call: ToolCall, tags: Tags) -> str:
    """A call as the model itself would write it."""
    return f'{tags.call}\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n{tags.call_end}'


def tools_prompt(tools: Sequence[Tool]) -> str:
    """Tools in words, for models whose template has no place for them."""
    lines = (json.dumps(described(tool)["function"], ensure_ascii=False) for tool in tools)
    return _TOOLS_PROMPT.format(tools="\n".join(lines))


def with_system(turns: Sequence[Turn], text: str) -> list[Turn]:
    """`turns` with `text` at the end of the system message, which is made if there is none."""
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']}\n\n{text}"}, *turns[1:]]
    return [{"role": "system", "content": text}, *turns]


def folded_system(turns: Sequence[Mapping[str, Any]], *, into_last: bool = False) -> list[Turn]:
    """`turns` for a template without a system role: what it says stands in front of the first user turn, or the last."""
    said = "\n\n".join(str(turn["content"]) for turn in turns if turn["role"] == "system")
    others = [dict(turn) for turn in turns if turn["role"] != "system"]
    if not said:
        return others
    asked = [position for position, turn in enumerate(others) if turn["role"] == "user"]
    if not asked:
        return [{"role": "user", "content": said}, *others]
    position = asked[-1 if into_last else 0]
    others[position] = {**others[position], "content": f"{said}\n\n{others[position]['content']}"}
    return others


def _results_behind(turns: Sequence[Turn], position: int) -> list[int]:
    """Where the results are that follow a turn at once."""
    end = position + 1
    while end < len(turns) and turns[end]["role"] == "tool":
        end += 1
    return list(range(position + 1, end))
