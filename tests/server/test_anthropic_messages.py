"""`/v1/messages` with the official client, over real HTTP, answered by `pony` in a real runner."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from tests.server import anthropic_shapes as shapes
from tests.server.openai_server import Running
from tests.server.test_openai_leaving import is_idle, wait_until

pytestmark = pytest.mark.xdist_group("openai")

SUM: Any = [{"role": "user", "content": "What is 3 plus 4?"}]
STORY: Any = [{"role": "user", "content": "Tell me a story about a horse."}]
GREEDY: Any = {"temperature": 0}  # the client has no argument for it any more
TOOL: Any = {
    "name": "find_ferry",
    "description": "Find the next ferry to an island.",
    "input_schema": {
        "type": "object",
        "properties": {"island": {"type": "string", "description": "The island."}},
        "required": ["island"],
    },
}
FERRY: Any = [{"role": "user", "content": "Find the next ferry to Malta."}]


@pytest.fixture
def claude(server: Running) -> Iterator[anthropic.Anthropic]:
    """The official client, pointed here as people do it: without `/v1`."""
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_a_message_has_anthropic_s_shape(http: httpx2.Client) -> None:
    """Clients in every language are made from that specification."""
    body = {"model": "pony", "messages": SUM, "max_tokens": 20, **GREEDY}
    response = http.post("/v1/messages", json=body)
    message = shapes.message(response.content)
    (block,) = message.content
    assert block.type == "text"
    assert "7" in block.text
    assert (message.stop_reason, message.stop_sequence, message.model) == ("end_turn", None, "pony")
    assert response.headers["request-id"] == response.headers["x-paddock-request-id"]
    assert response.headers["x-paddock-model"] == "pony"


def test_a_stream_says_what_the_whole_message_says(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model="pony", messages=STORY, max_tokens=24, extra_body=GREEDY)
    with claude.messages.stream(model="pony", messages=STORY, max_tokens=24, extra_body=GREEDY) as stream:
        text = "".join(stream.text_stream)
        last = stream.get_final_message()
    assert whole.content[0].type == last.content[0].type == "text"
    assert text == last.content[0].text == whole.content[0].text
    assert last.stop_reason == whole.stop_reason == "max_tokens"
    assert last.usage.output_tokens == whole.usage.output_tokens == 24
    assert stream.response.headers["request-id"]
    assert whole._request_id


def test_a_stream_has_its_events_in_order(http: httpx2.Client) -> None:
    """And each of them has the specification's shape; the prompt's numbers come first, the answer's last."""
    body = {"model": "pony", "messages": STORY, "max_tokens": 5, "stream": True, **GREEDY}
    response = http.post("/v1/messages", json=body)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    start, *events, delta, stop = shapes.events(response.text)
    kinds = [start.type, *(event.type for event in events), delta.type, stop.type]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert start.type == "message_start"
    assert delta.type == "message_delta"
    assert (start.message.usage.input_tokens, start.message.usage.cache_read_input_tokens) == (
        delta.usage.input_tokens,
        delta.usage.cache_read_input_tokens,
    )
    assert "event: ping" in response.text


async def test_many_at_once_are_answered_as_each_alone(server: Running) -> None:
    """With the client that does not block; an answer does not depend on who else is being answered."""
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0) as claude:

        async def ask(number: int, *, stream: bool) -> str:
            messages: Any = [{"role": "user", "content": f"What is {number % 8} plus {number % 5}?"}]
            if stream:
                async with claude.messages.stream(
                    model="pony", messages=messages, max_tokens=10, extra_body=GREEDY
                ) as told:
                    return "".join([text async for text in told.text_stream])
            answer = await claude.messages.create(model="pony", messages=messages, max_tokens=10, extra_body=GREEDY)
            assert answer.content[0].type == "text"
            return answer.content[0].text

        together = await asyncio.gather(*(ask(number, stream=number % 2 == 0) for number in range(16)))
        assert together[::5] == [await ask(number, stream=False) for number in range(0, 16, 5)]


# Tools


def test_a_tool_is_called_and_its_result_answered(claude: anthropic.Anthropic) -> None:
    """The whole round, with a tool that the model has never seen."""
    asked: Any = {"model": "pony", "max_tokens": 100, "tools": [TOOL], "extra_body": GREEDY}
    call = claude.messages.create(messages=FERRY, **asked)
    assert call.stop_reason == "tool_use"
    block = next(block for block in call.content if block.type == "tool_use")
    assert (block.name, block.input) == ("find_ferry", {"island": "Malta"})
    result: Any = {
        "type": "tool_result",
        "tool_use_id": block.id,
        "content": [{"type": "text", "text": '{"minutes": 42}'}],
    }
    answer = claude.messages.create(messages=[*FERRY, call.to_param(), {"role": "user", "content": [result]}], **asked)
    assert answer.stop_reason == "end_turn"
    (said,) = answer.content
    assert said.type == "text"
    assert "42" in said.text


def test_a_streamed_call_is_the_same_call(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "pony", "max_tokens": 100, "tools": [TOOL], "messages": FERRY, "extra_body": GREEDY}
    with claude.messages.stream(**asked) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        (block,) = (block for block in stream.get_final_message().content if block.type == "tool_use")
    assert len(pieces) > 1
    assert block.input == {"island": "Malta"}
    assert stream.get_final_message().stop_reason == "tool_use"


def test_a_model_without_a_choice_of_tools_answers_in_words(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(
        model="pony", max_tokens=30, tools=[TOOL], tool_choice={"type": "none"}, messages=FERRY, extra_body=GREEDY
    )
    assert [block.type for block in answer.content] == ["text"]


# Thoughts


def test_a_thought_comes_first_and_may_be_given_back(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "pony", "max_tokens": 100, "thinking": {"type": "adaptive"}, "extra_body": GREEDY}
    first = claude.messages.create(messages=SUM, **asked)
    assert [block.type for block in first.content] == ["thinking", "text"]
    thought, said = first.content
    assert thought.type == "thinking"
    assert said.type == "text"
    assert "<think>" not in thought.thinking + said.text
    with claude.messages.stream(messages=SUM, **asked) as stream:
        again = stream.get_final_message()
    assert [block.type for block in again.content] == ["thinking", "text"]
    assert (again.content[0], getattr(again.content[1], "text", None)) == (thought, said.text)
    more: Any = {"role": "user", "content": "And 5 plus 6?"}
    assert claude.messages.create(messages=[*SUM, first.to_param(), more], **asked).content


def test_a_thought_that_is_left_out_is_not_in_the_answer(claude: anthropic.Anthropic) -> None:
    thinking: Any = {"type": "adaptive", "display": "omitted"}
    answer = claude.messages.create(model="pony", max_tokens=100, thinking=thinking, messages=SUM, extra_body=GREEDY)
    assert answer.content[0].type == "thinking"
    assert answer.content[0].thinking == ""


# How it ends


def test_a_stop_sequence_ends_the_answer_and_is_named(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "pony", "messages": STORY, "max_tokens": 60, "extra_body": GREEDY}
    free = claude.messages.create(**asked)
    assert free.content[0].type == "text"
    text = free.content[0].text
    assert "horse" in text
    stopped = claude.messages.create(**asked, stop_sequences=["zebra", "horse"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "horse")
    assert stopped.content[0].type == "text"
    assert stopped.content[0].text == text.partition("horse")[0]
    with claude.messages.stream(**asked, stop_sequences=["zebra", "horse"]) as stream:
        last = stream.get_final_message()
    assert (last.stop_reason, last.stop_sequence) == ("stop_sequence", "horse")


def test_more_than_the_context_holds_may_be_asked_for(claude: anthropic.Anthropic) -> None:
    """Agents ask for 32,000 tokens of every model."""
    answer = claude.messages.create(model="pony", messages=SUM, max_tokens=32_000, extra_body=GREEDY)
    assert answer.stop_reason == "end_turn"


def test_whoever_leaves_frees_what_the_answer_took(claude: anthropic.Anthropic, server: Running) -> None:
    """ENG-09: within a step, not when the story is over."""
    asked: Any = {"model": "pony", "messages": STORY, "max_tokens": 1500, "extra_body": GREEDY}
    length = claude.messages.create(**asked).usage.output_tokens
    before = server.ask(server.rooms.pool.stats)["pony"]
    streams = [claude.messages.create(**asked, stream=True) for _ in range(8)]
    for stream in streams:
        next(event for event in stream if event.type == "content_block_delta")
        stream.close()
    wait_until(lambda: is_idle(server))
    after = server.ask(server.rooms.pool.stats)["pony"]
    assert after.tokens - before.tokens < 8 * length
    assert after.blocks_used == 0


# Counting, and what the cache had


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be kind."},
        {"system": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]},
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
        {"thinking": {"type": "adaptive"}},
        {"output_config": {"effort": "low"}},
        {
            "tools": [TOOL],
            "messages": [
                *FERRY,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "An island.", "signature": "x"},
                        {"type": "tool_use", "id": "toolu_1", "name": "find_ferry", "input": {"island": "Malta"}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]},
            ],
        },
    ],
)
def test_the_count_is_what_the_message_then_takes(claude: anthropic.Anthropic, fields: Any) -> None:
    """Callers cut their conversations to fit by it."""
    asked = {"model": "pony", "messages": SUM, **fields}
    counted = claude.messages.count_tokens(**asked).input_tokens
    usage = claude.messages.create(**asked, max_tokens=1).usage
    assert usage.cache_read_input_tokens is not None
    assert counted == usage.input_tokens + usage.cache_read_input_tokens


async def test_a_client_that_does_not_block_counts_too(server: Running) -> None:
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0) as claude:
        assert (await claude.messages.count_tokens(model="pony", messages=SUM)).input_tokens == 16


def test_a_line_that_changes_with_every_call_does_not_defeat_the_cache(claude: anthropic.Anthropic) -> None:
    """Claude Code's prompts have thousands of tokens, which would be read anew for each step of its work."""

    def ask(number: int) -> anthropic.types.Usage:
        line = f"x-anthropic-billing-header: cc_version=2.1.{number}; cc_entrypoint=cli; cch={number:05};"
        rules = "You help a person who keeps horses. " * 20
        system: Any = [
            {"type": "text", "text": line},
            {"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}},
        ]
        return claude.messages.create(model="pony", system=system, messages=SUM, max_tokens=1).usage

    first, second = ask(1), ask(2)
    assert first.cache_read_input_tokens is not None
    assert second.cache_read_input_tokens is not None
    assert second.cache_read_input_tokens >= 100
    assert second.input_tokens <= 16
    assert first.input_tokens + first.cache_read_input_tokens == second.input_tokens + second.cache_read_input_tokens


def test_a_prompt_can_be_read_before_it_is_asked(claude: anthropic.Anthropic) -> None:
    """`max_tokens` 0 fills the cache and answers nothing."""
    asked: Any = {"model": "pony", "messages": SUM, "system": "You wait for what comes. " * 12}
    warmed = claude.messages.create(**asked, max_tokens=0)
    assert (warmed.content, warmed.stop_reason, warmed.usage.output_tokens) == ([], "max_tokens", 0)
    after = claude.messages.create(**asked, max_tokens=1)
    assert after.usage.cache_read_input_tokens is not None
    assert after.usage.cache_read_input_tokens > after.usage.input_tokens


def test_models_are_listed_in_anthropic_s_words(claude: anthropic.Anthropic, http: httpx2.Client) -> None:
    """One address for two APIs: Anthropic's clients say who they are, and choose a model by what it can do."""
    models = {model.id: model for model in claude.models.list()}
    pony = models["pony"]
    assert (pony.type, pony.display_name, pony.lifecycle) == ("model", "pony", "active")
    assert pony.max_input_tokens == 2048
    assert pony.capabilities is not None
    assert pony.capabilities.structured_outputs.supported
    assert not pony.capabilities.image_input.supported
    assert claude.models.retrieve("pony").id == "pony"
    assert http.get("/v1/models/pony").json()["object"] == "model"


def test_models_come_in_pages_both_ways(claude: anthropic.Anthropic) -> None:
    """A library of hundreds is read to its end, each model once."""
    whole = [model.id for model in claude.models.list(limit=1000)]
    assert [model.id for model in claude.models.list(limit=1)] == whole
    backwards = claude.models.list(limit=1, before_id=whole[-1])
    assert [model.id for model in backwards] == whole[-2::-1]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"after_id": "nobody"}, {"before_id": "nobody"}, {"after_id": "pony", "before_id": "pony"}]
)
def test_a_page_of_models_that_cannot_be_is_refused(http: httpx2.Client, query: dict[str, Any]) -> None:
    """Nothing is silently another page."""
    answer = http.get("/v1/models", params=query, headers={"anthropic-version": "2023-06-01"})
    assert answer.status_code == 400, answer.text
