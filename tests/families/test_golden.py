"""Conversations come out as transformers would render them, and nothing of them falls under the table."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from transformers import AutoTokenizer

from paddock.families.detection import family_of
from paddock.families.turns import folded_system
from paddock.runner.mlx.tokenizer import MlxTokenizer, load_tokenizer
from paddock.vocabulary import Message, Thinking, Tool, ToolCall
from tests.families.templates import ALL

PONY = Path(__file__).parents[2] / "src/paddock/builtin_models/pony"
NAMES = sorted(ALL)
TOOLS = (
    Tool(
        name="weather",
        description="The weather of a city",
        parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ),
    Tool(name="clock"),
)
ROME = ToolCall(id="call_of_rome", name="weather", arguments='{"city": "Rome"}')
NOON = ToolCall(id="call_of_noon", name="clock", arguments="{}")
SYSTEM = Message(role="system", content="Be brief.")
USER = Message(role="user", content="How is Rome?")
AGAIN = Message(role="user", content="And Oslo?")
SUN = Message(role="tool", content="18 degrees, sun", tool_call_id="call_of_rome")
TWELVE = Message(role="tool", content="12:00", tool_call_id="call_of_noon")

CONVERSATIONS: dict[str, tuple[tuple[Message, ...], tuple[Tool, ...]]] = {
    "one question": ((USER,), ()),
    "system": ((SYSTEM, USER), ()),
    "several turns": ((SYSTEM, USER, Message(role="assistant", content="Warm."), AGAIN), ()),
    "tools": ((SYSTEM, USER), TOOLS),
    "a result": ((USER, Message(role="assistant", tool_calls=(ROME,)), SUN), TOOLS),
    "a result, and on": (
        (
            SYSTEM,
            USER,
            Message(role="assistant", tool_calls=(ROME,)),
            SUN,
            Message(role="assistant", content="Warm."),
            AGAIN,
        ),
        TOOLS,
    ),
    "parallel calls": ((SYSTEM, USER, Message(role="assistant", tool_calls=(ROME, NOON)), SUN, TWELVE), TOOLS),
    "a thought with a call": (
        (USER, Message(role="assistant", content="Let me see.", reasoning="I must look.", tool_calls=(ROME,)), SUN),
        TOOLS,
    ),
    "a thought given back": ((USER, Message(role="assistant", content="Warm.", reasoning="It is Rome."), AGAIN), ()),
    "calls, and tools no more": ((USER, Message(role="assistant", tool_calls=(ROME,)), SUN), ()),
}


@cache
def _theirs() -> Any:
    return AutoTokenizer.from_pretrained(PONY)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MlxTokenizer]:
    """The built-in model's tokenizer, with each of the templates."""
    opened: dict[str, MlxTokenizer] = {}
    for number, (name, (architecture, template, _)) in enumerate(ALL.items()):
        folder = tmp_path_factory.mktemp(f"tokenizer{number}")
        for file in PONY.glob("*token*.json"):
            shutil.copy(file, folder)
        shutil.copy(PONY / "config.json", folder)
        (folder / "chat_template.jinja").write_text(template)
        opened[name] = load_tokenizer(folder, name, (), architecture=architecture)
    return opened


def rendered(name: str, messages: tuple[Message, ...], tools: tuple[Tool, ...], thinking: Thinking) -> str:
    """What transformers makes of a conversation that the family has put into the template's shape."""
    architecture, template, _ = ALL[name]
    family = family_of(architecture, template)
    turns = list(family.conversation(messages, tools, template))
    options = family.options(tools, thinking, template)
    try:
        return _with_transformers(template, turns, options)
    except TemplateError:
        return _with_transformers(template, folded_system(turns), options)


def _with_transformers(template: str, turns: list[Any], options: Any) -> str:
    return _theirs().apply_chat_template(
        turns, chat_template=template, tokenize=False, add_generation_prompt=True, **options
    )


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_conversations_come_out_as_transformers_renders_them(
    tokenizers: dict[str, MlxTokenizer], name: str, conversation: str
) -> None:
    """Models were trained on exactly these texts."""
    messages, tools = CONVERSATIONS[conversation]
    for enabled in (False, True):
        thinking = Thinking(enabled=enabled)
        expected = rendered(name, messages, tools, thinking)
        ours = tokenizers[name].render(messages, {}, tools=tools, thinking=thinking)
        assert list(ours) == _theirs().encode(expected, add_special_tokens=False), expected


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_conversation_falls_under_the_table(name: str, conversation: str) -> None:
    """A template that does not know the system role, tools or calls leaves them out and says nothing."""
    messages, tools = CONVERSATIONS[conversation]
    text = rendered(name, messages, tools, Thinking())
    for message in messages:
        if not message.tool_calls:
            assert message.content in text
        for call in message.tool_calls:
            assert call.name in text
            assert "Rome" in text
    for tool in tools:
        assert tool.name in text
    assert text.count("18 degrees, sun") == sum(1 for message in messages if message is SUN)


def test_system_stands_before_the_first_question_where_there_is_no_role_for_it() -> None:
    """Gemma's template refuses the role; its newer one writes the same as we do."""
    for name in ("gemma 2", "gemma 3"):
        text = rendered(name, (SYSTEM, USER), (), Thinking())
        assert text.endswith("<start_of_turn>user\nBe brief.\n\nHow is Rome?<end_of_turn>\n<start_of_turn>model\n")
    assert "[INST] Be brief.\n\nHow is Rome? [/INST]" in rendered("mixtral", (SYSTEM, USER), (), Thinking())
    assert "<|user|>\nBe brief.\n\nHow is Rome?<|end|>" in rendered("phi 3, first", (SYSTEM, USER), (), Thinking())


def test_mistral_gets_ids_of_nine_letters_which_match() -> None:
    """Its template refuses any other, and ours are longer."""
    messages, tools = CONVERSATIONS["parallel calls"]
    turns = family_of("mistral", ALL["mistral v3"][1]).conversation(messages, tools, ALL["mistral v3"][1])
    asked = [call["id"] for turn in turns for call in turn.get("tool_calls", ())]
    answered = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    assert asked == answered
    assert all(len(name) == 9 and name.isalnum() for name in asked)
    assert len(set(asked)) == 2
    kept = Message(role="tool", content="", tool_call_id="aB3456789")
    assert family_of("mistral", "[INST] tools").conversation([kept], tools, "tools")[0]["tool_call_id"] == "aB3456789"


def test_templates_with_one_call_a_message_get_each_with_its_result() -> None:
    """Llama's refuses two calls, gpt-oss's drops the second without a word."""
    messages, tools = CONVERSATIONS["parallel calls"]
    for name in ("llama 3.1", "gpt-oss"):
        text = rendered(name, messages, tools, Thinking())
        asked = text.index("Rome", text.index("How is Rome?") + 12)
        assert asked < text.index("18 degrees") < text.rindex("clock") < text.index("12:00")


def test_thoughts_are_given_back_where_templates_take_them() -> None:
    """A model that called a tool goes on from what it thought; of earlier turns templates drop it themselves."""
    messages, tools = CONVERSATIONS["a thought with a call"]
    assert "<think>\nI must look.\n</think>\n\nLet me see." in rendered("qwen 3", messages, tools, Thinking())
    expected = "<|channel|>analysis<|message|>I must look.\n\nLet me see.<|end|>"
    assert expected in rendered("gpt-oss", messages, tools, Thinking())
    messages, tools = CONVERSATIONS["a thought given back"]
    assert "It is Rome" not in rendered("qwen 3", messages, tools, Thinking())


@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("qwen 3", "<think>\n\n</think>\n\n", "<|im_start|>assistant\n"),
        ("deepseek v3.1", "</think>", "<think>"),
    ],
)
def test_thinking_is_switched_by_each_template_s_own_word(name: str, off: str, on: str) -> None:
    """`enable_thinking` here, `thinking` there; a budget for a thought asks for one."""
    assert rendered(name, (USER,), (), Thinking()).endswith(off)
    assert rendered(name, (USER,), (), Thinking(enabled=False, budget_tokens=9)).endswith(off)
    assert rendered(name, (USER,), (), Thinking(enabled=True)).endswith(on)
    assert rendered(name, (USER,), (), Thinking(budget_tokens=9)).endswith(on)


def test_a_model_that_always_thinks_is_told_how_hard() -> None:
    """gpt-oss cannot do without: `off` is the least that it knows, and nobody saying anything is its own middle."""
    assert "Reasoning: medium" in rendered("gpt-oss", (USER,), (), Thinking())
    assert "Reasoning: medium" in rendered("gpt-oss", (USER,), (), Thinking(enabled=True))
    assert "Reasoning: low" in rendered("gpt-oss", (USER,), (), Thinking(enabled=False))


def test_a_prompt_that_begins_the_thought_is_followed_by_one() -> None:
    """The template of R1 writes `<think>`: the model does not repeat it."""
    family = family_of("deepseek_v3", ALL["deepseek r1"][1])
    tail = rendered("deepseek r1", (USER,), (), Thinking())[-12:]
    assert tail.endswith("<think>\n")
    assert family.speech(tail, ()).feed("Well").reasoning == "Well"
