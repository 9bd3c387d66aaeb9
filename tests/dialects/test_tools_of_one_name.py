"""Two tools of one name: nobody could say which of them a call means."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from paddock.errors import UsageError
from paddock.vocabulary import ChatRequest
from tests.dialects.test_pictures import anthropic, chat, ollama, responses

SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}}
NESTED = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
FLAT = {"type": "function", "name": "look", "parameters": SCHEMA}
ANTHROPIC = {"name": "look", "input_schema": SCHEMA}
SAID = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("parse", "tool", "said"),
    [
        (chat, NESTED, {"messages": SAID}),
        (responses, FLAT, {"input": "x"}),
        (anthropic, ANTHROPIC, {"messages": SAID}),
        (ollama, NESTED, {"messages": SAID}),
    ],
    ids=["chat", "responses", "anthropic", "ollama"],
)
def test_they_are_refused_in_every_dialect(
    parse: Callable[..., ChatRequest], tool: Mapping[str, Any], said: Mapping[str, Any]
) -> None:
    assert parse(**said, tools=[tool]).tools[0].name == "look"
    with pytest.raises(UsageError, match="`look`") as caught:
        parse(**said, tools=[tool, tool])
    assert caught.value.param is not None
    assert caught.value.param.startswith("tools")
