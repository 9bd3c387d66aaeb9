"""One family: the protocol, and the plain one that serves for whatever no other knows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

from paddock.families.speech import Speech
from paddock.families.tagged import AnswerReader, Tags, ThoughtReader
from paddock.vocabulary import Message, Thinking, Tool, ToolCall

Turn = dict[str, Any]  # one message as chat templates take it

_TOOLS_PROMPT: Final = """You may call one or more functions. They are described in <tools></tools>:
<tools>
{tools}
</tools>

To call a function, answer with its name and arguments as JSON between tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


class Family(Protocol):
    """How one family speaks. Stateless; what belongs to one answer is in its Speech."""

    name: ClassVar[str]
    end_texts: ClassVar[Sequence[str]]  # tokens that end a turn, beside those that the model's files name
    keeps_special_tokens: ClassVar[
        bool
    ]  # its markup is made of special tokens, which the text must then show to the Speech
    tags: ClassVar[Tags]

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """What the model's own `template` is rendered with."""
        ...

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """What else the template is told."""
        ...

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        """Who reads the answer to a prompt that ends in `prompt_tail`."""
        ...


class PlainFamily:
    """Tags as most models write them; tools go into the system message where the template has no place for them."""

    name: ClassVar[str] = "plain"
    end_texts: ClassVar[Sequence[str]] = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "</s>")
    keeps_special_tokens: ClassVar[bool] = False
    tags: ClassVar[Tags] = Tags()

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family."""
        if knows_tools(template):
            return [turn_of(message) for message in messages]
        return told_in_text(messages, tools, self.tags)

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """See Family. Models think only when asked to: an answer that nobody waits for twice as long."""
        thinks = bool(thinking.enabled)
        options: dict[str, Any] = {"enable_thinking": thinks, "thinking": thinks}
        if tools and knows_tools(template):
            options["tools"] = [described(tool) for tool in tools]
        return options

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        """See Family."""
        names = frozenset(tool.name for tool in tools)
        if self.tags.think and prompt_tail.rstrip().endswith(self.tags.think):
            return Speech(ThoughtReader(self.tags, calls=bool(names)), tool_names=names)
        return Speech(AnswerReader(self.tags, calls=bool(names)), tool_names=names)


def knows_tools(template: str) -> bool:
    """Whether a template has a place for tools."""
    return "tools" in template or "tool_calls" in template


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


def told_in_text(messages: Sequence[Message], tools: Sequence[Tool], tags: Tags) -> list[Turn]:
    """A conversation for a template that knows only texts: tools, calls and results are written out."""
    turns: list[Turn] = []
    for message in messages:
        if message.role == "tool":
            result = f"<tool_response>\n{message.content}\n</tool_response>"
            if turns and turns[-1].get("results"):
                turns[-1]["content"] += f"\n{result}"
            else:
                turns.append({"role": "user", "content": result, "results": True})
        elif message.tool_calls:
            calls = [
                f'{tags.call}\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n{tags.call_end}'
                for call in message.tool_calls
            ]
            turns.append({"role": message.role, "content": "\n".join([message.content, *calls]).lstrip("\n")})
        else:
            turns.append({"role": message.role, "content": message.content})
    for turn in turns:
        turn.pop("results", None)
    return with_system(turns, tools_prompt(tools)) if tools else turns


def tools_prompt(tools: Sequence[Tool]) -> str:
    """Tools in words, for models whose template has no place for them."""
    return _TOOLS_PROMPT.format(tools="\n".join(json.dumps(described(tool)["function"]) for tool in tools))


def with_system(turns: Sequence[Turn], text: str) -> list[Turn]:
    """`turns` with `text` at the end of the system message, which is made if there is none."""
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']}\n\n{text}"}, *turns[1:]]
    return [{"role": "system", "content": text}, *turns]


def folded_system(turns: Sequence[Turn]) -> list[Turn]:
    """`turns` for a template without a system role: what the system says stands in front of the first user turn."""
    said = "\n\n".join(str(turn["content"]) for turn in turns if turn["role"] == "system")
    others = [turn for turn in turns if turn["role"] != "system"]
    if not said:
        return others
    for position, turn in enumerate(others):
        if turn["role"] == "user":
            others[position] = {**turn, "content": f"{said}\n\n{turn['content']}"}
            return others
    return [{"role": "user", "content": said}, *others]
