"""What families read out of an answer, however it was cut."""

import pytest

from paddock.families.detection import family_of
from paddock.vocabulary import Tool

TOOLS = (
    Tool(name="weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}),
    Tool(name="clock"),
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
    "gpt-oss: the final channel": (
        ("gpt_oss", "<|channel|>", "", "<|channel|>final<|message|>Yes.<|return|>"),
        ("Yes.", "", []),
    ),
}


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8, 10_000])
@pytest.mark.parametrize("case", CASES)
def test_an_answer_reads_the_same_however_it_is_cut(case: str, cut: int) -> None:
    """Tokens end anywhere; markup that slips through is seen by the user, a call that is lost is work not done."""
    (architecture, template, tail, written), expected = CASES[case]
    speech = family_of(architecture, template).speech(tail, TOOLS)
    said, thought = "", ""
    calls: dict[int, list[str]] = {}
    pieces = [speech.feed(written[at : at + cut]) for at in range(0, len(written), cut)]
    for parts in [*pieces, speech.end()]:
        said += parts.text
        thought += parts.reasoning
        for delta in parts.calls:
            name_and_arguments = calls.setdefault(delta.index, ["", ""])
            name_and_arguments[0] += delta.name
            name_and_arguments[1] += delta.arguments
    assert (said, thought, [tuple(call) for call in calls.values()]) == expected


def test_arguments_that_are_no_json_are_called_so() -> None:
    """Whoever runs the tool must not find out by a crash."""
    speech = family_of("qwen3", "<|im_start|>").speech("", TOOLS)
    speech.feed('<tool_call>{"name": "weather", "arguments": {"city": ')
    assert "not valid JSON" in speech.end().text


def test_without_tools_a_calls_tag_is_text() -> None:
    """Somebody may ask how models call tools."""
    speech = family_of("qwen3", "<|im_start|>").speech("", ())
    assert speech.feed("Write <tool_call>.").text + speech.end().text == "Write <tool_call>."
