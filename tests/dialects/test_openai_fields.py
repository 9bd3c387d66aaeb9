"""What clients send, read: whatever bytes come, the answer is a request or a UsageError that can be shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params

from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_chat import ChatFields, parse_chat
from paddock.dialects.openai_completion import CompletionFields, parse_completion
from paddock.dialects.openai_sampling import known_besides
from paddock.errors import UsageError
from paddock.vocabulary import Message, Priority

HELLO = [{"role": "user", "content": "Hello"}]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def chat(**fields: Any) -> Asked:
    body = json.dumps({"messages": HELLO, **fields}).encode()
    return parse_chat(body, request_id="1", tenant="", default_model="pony")


def refusal(read: Callable[[], Asked]) -> UsageError | None:
    """What is wrong, or None."""
    try:
        read()
    except UsageError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (ChatFields, chat_create_params.CompletionCreateParamsStreaming),
        (CompletionFields, completion_create_params.CompletionCreateParamsStreaming),
    ],
)
def test_every_field_of_the_specification_is_known(kind: type[Any], params: type[Any]) -> None:
    """A new one in the official client makes this fail: it is then to be honoured, or refused by its name."""
    assert set(params.__annotations__) <= {*kind.model_fields, *known_besides()}


@settings(deadline=None)
@given(st.sampled_from(sorted({*ChatFields.model_fields, *known_besides()})), VALUES)
def test_any_value_of_any_field_is_taken_or_refused(name: str, value: Any) -> None:
    """Never anything but a UsageError, and it names a field that was sent."""
    refused = refusal(lambda: chat(**{name: value}))
    if refused is not None:
        assert (refused.param or "").partition("[")[0].partition(".")[0] in (name, "messages")
        json.dumps(refused.message).encode()


@settings(deadline=None)
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    """Nothing else comes out of a reader, whatever goes in."""
    for refused in (
        refusal(lambda: parse_chat(body, request_id="1", tenant="", default_model="pony")),
        refusal(lambda: parse_completion(body, request_id="1", tenant="")),
    ):
        assert refused is not None  # neither `messages` nor `prompt` comes about by chance
        assert refused.http_status == 400


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), min_size=1, max_size=5))
def test_any_text_arrives_as_it_was_sent(turns: list[tuple[str, str]]) -> None:
    """Every character that is one, in a text or in parts."""
    sent = [{"role": role, "content": text} for role, text in turns]
    parts = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
    expected = tuple(Message(role=role, content=text) for role, text in turns)
    assert chat(messages=sent).requests[0].messages == expected
    assert chat(messages=parts).requests[0].messages == expected


def test_what_is_not_given_is_left_to_the_model_s_options() -> None:
    """Null is not given; a temperature of 0 is."""
    open_ones = chat(temperature=None).requests[0].left_open
    assert open_ones == {"temperature", "top_p", "top_k", "repetition_penalty", "max_tokens"}
    request = chat(temperature=0, max_completion_tokens=5, top_p=0, top_k=-1).requests[0]
    assert request.left_open == {"repetition_penalty"}
    assert (request.sampling.temperature, request.sampling.max_tokens, request.sampling.top_k) == (0, 5, 0)
    assert 0 < request.sampling.top_p < 0.001


@pytest.mark.parametrize(
    ("fields", "priority", "tier"),
    [
        ({}, Priority.NORMAL, None),
        ({"priority": "high"}, Priority.HIGH, None),
        ({"priority": -3}, Priority.HIGH, None),
        ({"priority": 0}, Priority.NORMAL, None),
        ({"priority": 7}, Priority.LOW, None),
        ({"service_tier": "priority"}, Priority.HIGH, "priority"),
        ({"service_tier": "fast"}, Priority.HIGH, "priority"),
        ({"service_tier": "auto"}, Priority.NORMAL, "default"),
        ({"service_tier": "flex"}, Priority.LOW, "flex"),
        ({"service_tier": "flex", "priority": "high"}, Priority.HIGH, "priority"),
    ],
)
def test_who_goes_first_is_said_by_priority_or_tier(
    fields: dict[str, Any], priority: Priority, tier: str | None
) -> None:
    asked = chat(**fields)
    assert (asked.requests[0].priority, asked.tier) == (priority, tier)


@pytest.mark.parametrize(("given", "taken"), [("10m", "10m"), (3600, "3600"), (0, "0"), (-1, "-1"), (1.5, "1.5")])
def test_keep_alive_is_a_duration(given: object, taken: str) -> None:
    """Text or seconds, as in the settings."""
    assert chat(keep_alive=given).requests[0].keep_alive == taken


def test_a_prompt_is_any_of_four_shapes() -> None:
    def prompts(prompt: object) -> list[tuple[str | None, tuple[int, ...] | None]]:
        asked = parse_completion(json.dumps({"prompt": prompt}).encode(), request_id="1", tenant="")
        assert len({request.id for request in asked.requests}) == len(asked.requests)
        return [(request.prompt, request.tokens) for request in asked.requests]

    assert prompts("a") == [("a", None)]
    assert prompts(["a", "b"]) == [("a", None), ("b", None)]
    assert prompts([1, 2]) == [(None, (1, 2))]
    assert prompts([[1], [2, 3]]) == [(None, (1,)), (None, (2, 3))]
