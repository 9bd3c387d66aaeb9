"""What models of each family write, and what it means."""

from collections.abc import Sequence
from dataclasses import dataclass

from paddock.families.detection import family_of
from paddock.families.speech import Speech
from paddock.vocabulary import Tool

TOOLS = (
    Tool(name="weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}),
    Tool(name="clock"),
    Tool(
        name="alarm",
        parameters={"type": "object", "properties": {"minutes": {"type": "integer"}, "label": {"type": "string"}}},
    ),
)
WEATHER = ("weather", '{"city": "Rome"}')
CLOCK = ("clock", "{}")

# architecture, a mark of its template, the end of the prompt, what the model writes → said, thought, called
CASES = {
    "qwen: text, then a call": (
        (
            "qwen3",
            "<|im_start|>",
            "",
            'Well\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        ),
        ("Well", "", [WEATHER]),
    ),
    "qwen: two calls, the arguments first": (
        (
            "qwen3",
            "<|im_start|>",
            "",
            '<tool_call>{"arguments": {}, "name": "clock"}</tool_call>\n'
            '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call><|im_end|>',
        ),
        ("", "", [CLOCK, WEATHER]),
    ),
    "qwen: a thought before the answer": (
        ("qwen3", "<|im_start|>", "", "<think>\nhm\n</think>\n\nYes."),
        ("Yes.", "hm", []),
    ),
    "qwen: the prompt began the thought": (
        ("qwen3", "<|im_start|>", "<think>\n", "hm\n</think>\n\nYes."),
        ("Yes.", "hm", []),
    ),
    "qwen: what looks like a tag and is none": (
        ("qwen3", "<|im_start|>", "", "a < b, <tool and <think"),
        ("a < b, <tool and <think", "", []),
    ),
    "qwen: a tool that nobody offered": (
        ("qwen3", "<|im_start|>", "", '<tool_call>{"name": "rm", "arguments": {"path": "/"}}</tool_call>'),
        ('{"name": "rm", "arguments": {"path": "/"}}', "", []),
    ),
    "qwen: one call among words": (
        ("qwen3", "<|im_start|>", "", '<tool_call>so: {"name": "clock"} it is</tool_call>'),
        ("so:it is", "", [CLOCK]),
    ),
    "qwen: arguments in a string": (
        (
            "qwen3",
            "<|im_start|>",
            "",
            '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}</tool_call>',
        ),
        ("", "", [WEATHER]),
    ),
    "qwen: the shape of OpenAI's interface": (
        (
            "qwen3",
            "<|im_start|>",
            "",
            '<tool_call>{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}</tool_call>',
        ),
        ("", "", [WEATHER]),
    ),
    "qwen: what looks like JSON in a string": (
        (
            "qwen3",
            "<|im_start|>",
            "",
            '<tool_call>{"name": "weather", "arguments": {"city": "}\\"]</tool_call"}}</tool_call>',
        ),
        ("", "", [("weather", '{"city": "}\\"]</tool_call"}')]),
    ),
    "qwen: a call that broke off": (
        ("qwen3", "<|im_start|>", "", '<tool_call>{"name": "weather", "arguments": {"city": "Ro'),
        ("\n[The arguments of the call of `weather` are not valid JSON.]", "", [("weather", '{"city": "Ro')]),
    ),
    "qwen: a call that broke off in its name": (
        ("qwen3", "<|im_start|>", "", 'Well <tool_call>{"name": "weat'),
        ('Well {"name": "weat', "", []),
    ),
    "qwen: the end of a thought that never began": (
        ("qwen3", "<|im_start|>", "", "hm\n</think>\n\nYes."),
        ("hm\nYes.", "", []),
    ),
    "qwen: a thought that never ends": (("qwen3", "<|im_start|>", "", "<think>\nhm"), ("", "hm", [])),
    "plain: thoughts and calls in tags": (
        ("olmo", "{{ messages }}", "", '<think>hm</think><tool_call>{"name": "clock", "arguments": {}}</tool_call>'),
        ("", "hm", [CLOCK]),
    ),
    "gemma: a call as it was told to": (
        (
            "gemma3",
            "<start_of_turn>",
            "",
            'Ok\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call><end_of_turn>',
        ),
        ("Ok", "", [CLOCK]),
    ),
    "codellama: a call as it was told to": (
        ("llama", "[INST] <<SYS>>", "", '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call></s>'),
        ("", "", [CLOCK]),
    ),
    "phi: a list": (
        (
            "phi3",
            "<|tool|>",
            "",
            '<|tool_call|>[{"name": "weather", "arguments": {"city": "Rome"}}, '
            '{"name": "clock", "arguments": {}}]<|/tool_call|><|end|>',
        ),
        ("", "", [WEATHER, CLOCK]),
    ),
    "phi: a thought": (("phi3", "<|tool|>", "", "<think>hm</think>Yes.<|end|>"), ("Yes.", "hm", [])),
    "qwen: what is no call is said": (("qwen3", "<|im_start|>", "", "<tool_call>dear</tool_call>"), ("dear", "", [])),
    "qwen coder: nested tags": (
        (
            "qwen3_moe",
            "<function=",
            "",
            "Ok\n<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>",
        ),
        ("Ok", "", [WEATHER]),
    ),
    "llama: bare JSON": (
        ("llama", "<|python_tag|>", "", '{"name": "weather", "parameters": {"city": "Rome"}}'),
        ("", "", [WEATHER]),
    ),
    "llama: several after its tag": (
        (
            "llama",
            "<|python_tag|>",
            "",
            '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome"}}; '
            '{"name": "clock", "parameters": {}}<|eom_id|>',
        ),
        ("", "", [WEATHER, CLOCK]),
    ),
    "qwen coder: types as the tool has them": (
        (
            "qwen3_moe",
            "<function=",
            "",
            "<function=alarm>\n<parameter=minutes>\n5\n</parameter>\n<parameter=loud>\nTrue\n</parameter>\n"
            "<parameter=label>\n5\n</parameter>\n</function>",
        ),
        ("", "", [("alarm", '{"minutes": 5, "loud": true, "label": "5"}')]),
    ),
    "qwen coder: a call that broke off": (
        ("qwen3_moe", "<function=", "", "<function=weather>\n<parameter=city>\nRo"),
        ("\n[The arguments of the call of `weather` are not valid JSON.]", "", [("weather", '{"city": "Ro"')]),
    ),
    "qwen coder: a tool that nobody offered": (
        ("qwen3_moe", "<function=", "", "<function=rm>\n<parameter=path>\n/\n</parameter>\n</function>"),
        ('{"name": "rm", "arguments": {"path": "/"}}', "", []),
    ),
    "llama: a thought first": (
        ("llama", "<|python_tag|>", "", '<think>\nhm\n</think>\n\n{"name": "clock", "parameters": {}}'),
        ("", "hm", [CLOCK]),
    ),
    "llama: a JSON list": (
        ("llama", "<|python_tag|>", "", '[{"name": "clock", "parameters": {}}]'),
        ("", "", [CLOCK]),
    ),
    "llama: a tool that nobody offered": (
        ("llama", "<|python_tag|>", "", '{"name": "rm", "parameters": {"path": "/"}}'),
        ('{"name": "rm", "parameters": {"path": "/"}}', "", []),
    ),
    "llama: a list that is an answer": (("llama", "<|python_tag|>", "", "[1, 2] and [3]"), ("[1, 2] and [3]", "", [])),
    "llama: words, then its tag": (
        ("llama", "<|python_tag|>", "", 'Well\n<|python_tag|>{"name": "clock", "parameters": {}}<|eom_id|>'),
        ("Well", "", [CLOCK]),
    ),
    "llama: a call, then words": (
        ("llama", "<|python_tag|>", "", '{"name": "clock", "parameters": {}} There, and {so on}'),
        ("There, and {so on}", "", [CLOCK]),
    ),
    "llama: Python that is no data": (
        ("llama", "<|python_tag|>", "", '[weather(city=open("x").read())]'),
        ('[weather(city=open("x").read())]', "", []),
    ),
    "llama: a list in Python's spelling": (
        ("llama", "<|python_tag|>", "", '[weather(city="Rome"), clock()]'),
        ("", "", [WEATHER, CLOCK]),
    ),
    "llama: JSON that is an answer": (
        ("llama", "<|python_tag|>", "", '{"a": 1} is JSON'),
        ('{"a": 1} is JSON', "", []),
    ),
    "llama: a function tag": (
        ("llama", "<|python_tag|>", "", '<function=weather>{"city": "Rome"}</function>'),
        ("", "", [WEATHER]),
    ),
    "mistral: a list": (
        (
            "mistral",
            "[INST]",
            "",
            '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}, {"name": "clock", "arguments": {}}]</s>',
        ),
        ("", "", [WEATHER, CLOCK]),
    ),
    "mistral: names and arguments apart": (
        ("mistral", "[INST]", "", '[TOOL_CALLS]weather[ARGS]{"city": "Rome"}[TOOL_CALLS]clock[ARGS]{}'),
        ("", "", [WEATHER, CLOCK]),
    ),
    "mistral: with ids": (
        ("mistral", "[INST]", "", 'Ok[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{"city": "Rome"}</s>'),
        ("Ok", "", [WEATHER]),
    ),
    "mistral: a thought": (("mistral", "[INST]", "", "[THINK]hm[/THINK]Yes."), ("Yes.", "hm", [])),
    "mistral: a tool that nobody offered": (
        ("mistral", "[INST]", "", '[TOOL_CALLS]rm[ARGS]{"path": "/"}'),
        ('{"name": "rm", "arguments": {"path": "/"}}', "", []),
    ),
    "mistral: what is no call is said": (("mistral", "[INST]", "", "[TOOL_CALLS]dear</s>"), ("dear", "", [])),
    "deepseek: the prompt began the thought": (
        (
            "deepseek_v3",
            "<｜tool▁calls▁begin｜>",
            "<｜Assistant｜><think>\n",
            "hm\n</think>\n\nYes.<｜end▁of▁sentence｜>",
        ),
        ("Yes.", "hm", []),
    ),
    "deepseek: a call out of a thought": (
        (
            "deepseek_v3",
            "<｜tool▁calls▁begin｜>",
            "<think>\n",
            "hm<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>clock<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ),
        ("", "hm", [CLOCK]),
    ),
    "deepseek: a tool that nobody offered": (
        (
            "deepseek_v3",
            "<｜tool▁calls▁begin｜>",
            "",
            '<｜tool▁call▁begin｜>rm<｜tool▁sep｜>{"path": "/"}<｜tool▁call▁end｜>',
        ),
        ('{"name": "rm", "arguments": {"path": "/"}}', "", []),
    ),
    "deepseek: in a fence, and bare": (
        (
            "deepseek_v3",
            "<｜tool▁calls▁begin｜>",
            "",
            "Well<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
            '{"city": "Rome"}\n```<｜tool▁call▁end｜>\n'
            "<｜tool▁call▁begin｜>clock<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ),
        ("Well", "", [WEATHER, CLOCK]),
    ),
    "gpt-oss: a thought, then a call": (
        (
            "gpt_oss",
            "<|channel|>",
            "",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.weather "
            '<|constrain|>json<|message|>{"city": "Rome"}<|call|>',
        ),
        ("", "hm", [WEATHER]),
    ),
    "gpt-oss: to whom, before the channel": (
        (
            "gpt_oss",
            "<|channel|>",
            "<|start|>assistant",
            " to=functions.clock<|channel|>commentary json<|message|>{}<|call|>",
        ),
        ("", "", [CLOCK]),
    ),
    "gpt-oss: words between thought and call": (
        (
            "gpt_oss",
            "<|channel|>",
            "",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary<|message|>Let me see.<|end|>"
            "<|start|>assistant<|channel|>commentary to=functions.clock <|constrain|>json<|message|>{}<|call|>",
        ),
        ("Let me see.", "hm", [CLOCK]),
    ),
    "gpt-oss: a tool that nobody offered": (
        ("gpt_oss", "<|channel|>", "", '<|channel|>commentary to=functions.rm<|message|>{"path": "/"}<|call|>'),
        ('{"name": "rm", "arguments": {"path": "/"}}', "", []),
    ),
    "gpt-oss: no harmony at all": (("gpt_oss", "<|channel|>", "", "Yes."), ("Yes.", "", [])),
    "gpt-oss: the final channel": (
        ("gpt_oss", "<|channel|>", "", "<|channel|>final<|message|>Yes.<|return|>"),
        ("Yes.", "", []),
    ),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """All of an answer."""

    said: str
    thought: str
    calls: tuple[tuple[str, str], ...]


def hear(speech: Speech, pieces: Sequence[str]) -> Heard:
    """What an answer that comes in `pieces` says in the end."""
    said, thought = "", ""
    calls: dict[int, list[str]] = {}
    for parts in [*map(speech.feed, pieces), speech.end()]:
        said += parts.text
        thought += parts.reasoning
        for delta in parts.calls:
            name_and_arguments = calls.setdefault(delta.index, ["", ""])
            name_and_arguments[0] += delta.name
            name_and_arguments[1] += delta.arguments
    return Heard(said, thought, tuple((name, arguments) for name, arguments in calls.values()))


def case(name: str) -> tuple[str, str, str, str, Heard]:
    """Architecture, template, the prompt's end, what is written, and what it means."""
    (architecture, template, tail, written), (said, thought, calls) = CASES[name]
    return architecture, template, tail, written, Heard(said, thought, tuple(calls))


def speech_of(name: str, *, tools: Sequence[Tool] = TOOLS, parallel: bool = True) -> Speech:
    architecture, template, tail, _, _ = case(name)
    return family_of(architecture, template).speech(tail, tools, parallel=parallel)
