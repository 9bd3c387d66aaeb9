"""Anthropic's bodies become requests; what cannot be taken is refused by name, and what is said comes back unchanged."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from anthropic.types import message_create_params as official
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.dialects.anthropic_bodies import prompt_body
from paddock.dialects.anthropic_messages import AskedMessage, parse_count, parse_message
from paddock.dialects.anthropic_thoughts import signature_of
from paddock.errors import UsageError
from paddock.vocabulary import (
    ChatRequest,
    FormatKind,
    Message,
    OutputFormat,
    Priority,
    Sampling,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolUse,
)

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"name": "weather", "description": "How it is.", "input_schema": {"type": "object", "properties": {}}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome", "days": 2}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Sunny"}
CALLED = [*HELLO, {"role": "assistant", "content": [CALL]}]


def asked(**fields: Any) -> AskedMessage:
    body = {"model": "pony", "max_tokens": 10, "messages": HELLO, **fields}
    return parse_message(json.dumps(body).encode(), request_id="1", tenant="", default_model="pony")


def refused(**fields: Any) -> UsageError:
    with pytest.raises(UsageError) as failed:
        asked(**fields)
    assert failed.value.hint
    return failed.value


def messages(**fields: Any) -> tuple[Message, ...]:
    return asked(**fields).request.messages or ()


# What is said


def test_texts_and_blocks_of_text_are_the_same() -> None:
    """The specification calls a text shorthand for one block of it."""
    blocks = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    hello = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert messages(system="Be kind.") == messages(system=blocks, messages=hello)
    assert [message.role for message in messages(system="Be kind.")] == ["system", "user"]


def test_turns_of_one_side_that_follow_each_other_are_one() -> None:
    """The specification says so, and many templates refuse anything else."""
    turns = [("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d"), ("user", "e")]
    found = messages(messages=[{"role": role, "content": text} for role, text in turns])
    assert [(message.role, message.content) for message in found] == [
        ("user", "a\nb"),
        ("assistant", "c\nd"),
        ("user", "e"),
    ]


def test_calls_thoughts_and_results_come_back_as_they_went_out() -> None:
    thought = {"type": "thinking", "thinking": "Rome is in Italy.", "signature": "anything"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Wait."}, CALL]}
    result = RESULT | {"content": [{"type": "text", "text": "Sunny"}, {"type": "text", "text": "Warm"}]}
    answered = {"role": "user", "content": [result, {"type": "text", "text": "And?"}]}
    _, call, told, more = messages(messages=[*HELLO, said, answered])
    assert call == Message(
        role="assistant",
        content="Wait.",
        reasoning="Rome is in Italy.",
        tool_calls=(ToolCall(id="toolu_1", name="weather", arguments='{"city":"Rome","days":2}'),),
    )
    assert told == Message(role="tool", content="Sunny\nWarm", tool_call_id="toolu_1")
    assert more == Message(role="user", content="And?")


def test_a_failed_result_says_that_it_failed() -> None:
    """A model that reads the text of an error as a result believes it."""
    failed = {"role": "user", "content": [RESULT | {"content": "no such city", "is_error": True}]}
    assert messages(messages=[*CALLED, failed])[-1].content == "Error: no such city"


def test_a_thought_that_was_left_out_comes_back_in_its_signature() -> None:
    """A conversation goes on with it, though its caller never saw it; another service's signature carries nothing here."""
    for signature, thought in ((signature_of("Hm.", shown=False), "Hm."), ("EqQBCgIYAhIM", "")):
        block = {"type": "thinking", "thinking": "", "signature": signature}
        said = {"role": "assistant", "content": [block, {"type": "redacted_thinking", "data": "x"}]}
        assert messages(messages=[*HELLO, said, *HELLO])[1].reasoning == thought
    assert "Hm" not in signature_of("Hm.", shown=True)


def test_the_line_for_billing_does_not_reach_the_model() -> None:
    """Claude Code changes it with every call: in front of everything else, it would make every prompt a new one."""
    kept = {"type": "text", "text": "You are kind."}
    for number in (1, 2):
        line = f"x-anthropic-billing-header: cc_version=2.1.{number}; cc_entrypoint=cli; cch={number};"
        for system in ([{"type": "text", "text": line}, kept], f"{line}\nYou are kind.", [kept]):
            assert messages(system=system)[0] == Message(role="system", content="You are kind.")
        assert messages(system=line) == messages()
    inside = "Send the x-anthropic-billing-header: 1\nx-anthropic-billing-header: 2"
    assert messages(system=inside)[0].content == inside


# How it is to be answered


def test_settings_mean_what_they_say() -> None:
    request = asked(temperature=0, top_p=0.5, top_k=7, stop_sequences=["a", "b"], max_tokens=5, speed="fast").request
    assert request.sampling == Sampling(temperature=0, top_p=0.5, top_k=7, stop=("a", "b"), max_tokens=5)
    assert request.left_open == {"repetition_penalty"}
    assert request.priority is Priority.HIGH
    assert asked().request.left_open == {"temperature", "top_p", "top_k", "repetition_penalty"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, Thinking()),
        ({"type": "disabled"}, Thinking(enabled=False)),
        ({"type": "adaptive"}, Thinking(enabled=True)),
        ({"type": "enabled", "budget_tokens": 9}, Thinking(enabled=True, budget_tokens=9)),
    ],
)
def test_thinking_is_on_off_or_bounded(given: Any, wanted: Thinking) -> None:
    assert asked(thinking=given).request.thinking == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False)),
        ({"type": "any"}, ToolChoice(use=ToolUse.REQUIRED)),
        ({"type": "tool", "name": "weather"}, ToolChoice(use=ToolUse.REQUIRED, name="weather")),
        ({"type": "none"}, ToolChoice(use=ToolUse.NONE)),
    ],
)
def test_tools_are_chosen_in_every_way(given: Any, wanted: ToolChoice) -> None:
    request = asked(tools=[WEATHER | {"strict": True, "input_examples": [{"city": "Rome"}]}], tool_choice=given).request
    assert request.tool_choice == wanted
    (tool,) = request.tools
    assert (tool.name, tool.strict, tool.parameters) == ("weather", True, WEATHER["input_schema"])
    assert tool.description == 'How it is.\nExamples of its input:\n{"city":"Rome"}'


def test_a_schema_for_the_answer_is_taken_in_both_places() -> None:
    format_ = {"type": "json_schema", "schema": {"type": "object"}}
    wanted = OutputFormat(kind=FormatKind.JSON_SCHEMA, schema={"type": "object"})
    assert asked(output_config={"format": format_, "effort": "max"}).request.format == wanted
    assert asked(output_format=format_).request.format == wanted
    assert asked(output_config={"effort": "max"}).request.template_options == {"reasoning_effort": "high"}


def test_every_parameter_of_the_official_client_is_taken_or_refused_by_name() -> None:
    """The rest are named in a header of the answer: a misspelled setting does nothing."""
    parameters = set(official.MessageCreateParamsBase.__annotations__) | {"stream"}
    taken = asked(
        system="Be kind.",
        cache_control={"type": "ephemeral"},
        diagnostics={"previous_message_id": "msg_1"},
        metadata={"user_id": "u" * 300},
        service_tier="standard_only",
        speed="standard",
        output_config={},
        stop_sequences=[],
        stream=True,
        thinking={"type": "disabled"},
        tool_choice={"type": "none"},
        tools=[],
        temprature=1,
        betas=["x"],
    )
    assert taken.ignored == ("temprature", "betas")
    assert (taken.stream, taken.diagnoses) == (True, True)
    here = {"system", "cache_control", "diagnostics", "metadata", "service_tier", "speed", "output_config", "model"}
    here |= {"stop_sequences", "stream", "thinking", "tool_choice", "tools", "max_tokens", "messages"}
    for name, value in (("container", "c"), ("inference_geo", "us")):
        assert refused(**{name: value}).param == name
        here.add(name)
    in_headers = {"user_profile_id", "workspace_id"}  # the client sends these as headers
    assert parameters - in_headers == here


# What is wrong


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**40}, "max_tokens"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "messages[0].content[0].tool_use_id"),
        ({"messages": [*CALLED, {"role": "user", "content": [RESULT, RESULT]}]}, "messages[2].content[1].tool_use_id"),
        ({"messages": [*CALLED, *HELLO]}, "messages[1].content[0]"),
        ({"messages": CALLED}, "messages"),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": [CALL, CALL]}]},
            "messages[1].content[1].id",
        ),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": [CALL | {"input": "x"}]}]},
            "messages[1].content[0].input",
        ),
        ({"system": [{"type": "image"}]}, "system[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]},
            "messages[0].content[0].citations",
        ),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "x"}}]}, "system[0].cache_control.type"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"stop_sequences": ["x"] * 33}, "stop_sequences"),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1].name"),
        ({"tools": [WEATHER | {"name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER | {"input_schema": {"type": "array"}}]}, "tools[0].input_schema.type"),
        ({"tools": [WEATHER | {"input_schema": {"description": "x" * 1_000_000}}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [WEATHER | {"allowed_callers": ["code_execution_20260120"]}]}, "tools[0].allowed_callers"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
        ({"tools": [WEATHER], "tool_choice": {"type": "auto", "name": "weather"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
    ],
)
def test_what_is_wrong_is_refused_by_name(fields: Any, param: str) -> None:
    """A request that is answered other than it was meant is worse than one that is refused."""
    assert refused(**fields).param == param


def test_a_tool_of_the_service_is_named_when_it_is_refused() -> None:
    assert "web_search_20260318" in refused(tools=[{"type": "web_search_20260318", "name": "x"}]).message


def test_counting_needs_no_length_and_takes_the_same_prompt() -> None:
    """What is counted is what would be read."""
    body = {
        "model": "pony",
        "messages": HELLO,
        "system": "Be kind.",
        "tools": [WEATHER],
        "thinking": {"type": "adaptive"},
    }
    counted, ignored = parse_count(json.dumps(body).encode(), request_id="1", tenant="", default_model="pony")
    answered = asked(**body).request
    assert replace(counted, sampling=answered.sampling, left_open=answered.left_open) == answered
    assert ignored == ()


# There and back

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
WORDS = TEXT.filter(bool)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.dictionaries(TEXT.filter(lambda name: name != "type"), VALUES, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Whoever speaks, in turns; each call has its result."""
    said: list[Message] = []
    if draw(st.booleans()):
        said.append(Message(role="system", content=draw(WORDS.filter(lambda text: not text.startswith("x-anthropic")))))
    for number in range(draw(st.integers(0, 3))):
        said.append(Message(role="user", content=draw(WORDS)))
        calls = tuple(
            ToolCall(
                id=f"call_{number}_{each}",
                name=draw(NAMES),
                arguments=msgspec.json.encode(draw(st.dictionaries(TEXT, VALUES, max_size=3))).decode(),
            )
            for each in range(draw(st.integers(0, 2)))
        )
        said.append(Message(role="assistant", content=draw(TEXT), reasoning=draw(TEXT), tool_calls=calls))
        results = [Message(role="tool", content=draw(TEXT), tool_call_id=call.id) for call in calls]
        said.extend(draw(st.permutations(results)))
    said.append(Message(role="user", content=draw(TEXT)))
    return tuple(said)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    tools = tuple(
        Tool(name=name, description=draw(TEXT), parameters=draw(SCHEMAS), strict=draw(st.booleans())) for name in names
    )
    choices = [ToolChoice(), ToolChoice(parallel=False), ToolChoice(use=ToolUse.NONE)]
    choices += [ToolChoice(use=ToolUse.REQUIRED), ToolChoice(use=ToolUse.REQUIRED, name=names[0])] if names else []
    return ChatRequest(
        id="1",
        model=draw(TEXT),
        sampling=Sampling(),
        messages=draw(conversations()),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)),
        thinking=draw(
            st.sampled_from([Thinking(), Thinking(enabled=False), Thinking(enabled=True)])
            | st.integers(1, 2**31 - 1).map(lambda budget: Thinking(enabled=True, budget_tokens=budget))
        ),
        format=draw(
            st.just(OutputFormat())
            | SCHEMAS.map(lambda schema: OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=schema))
        ),
    )


@settings(deadline=None)
@given(requests())
def test_a_request_that_is_written_down_and_read_is_the_same(request: ChatRequest) -> None:
    """So that a conversation can be handed on to a service that speaks this API, and lose nothing."""
    body = json.dumps(prompt_body(request)).encode()
    assert parse_count(body, request_id="1", tenant="", default_model="pony") == (request, ())


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (ChatRequest(id="1", model="", sampling=Sampling(), prompt="x"), "prompt"),
        (
            ChatRequest(
                id="1", model="", sampling=Sampling(), messages=(Message(role="user", content="x", name="Ann"),)
            ),
            "messages[0].name",
        ),
        (
            ChatRequest(
                id="1",
                model="",
                sampling=Sampling(),
                messages=(Message(role="assistant", tool_calls=(ToolCall(id="1", name="x", arguments='{"broken'),)),),
            ),
            "messages[0].tool_calls",
        ),
        (
            ChatRequest(
                id="1",
                model="",
                sampling=Sampling(),
                messages=(Message(role="user", content="x"),),
                format=OutputFormat(kind=FormatKind.REGEX, pattern="a+"),
            ),
            "format",
        ),
    ],
)
def test_what_this_api_cannot_say_is_refused_by_name(request_: ChatRequest, param: str) -> None:
    """Dropped silently it would change what is answered."""
    with pytest.raises(UsageError) as failed:
        prompt_body(request_)
    assert failed.value.param == param
