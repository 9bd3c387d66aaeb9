"""`/v1/chat/completions` with the official client, over real HTTP, answered by `pony` in a real runner."""

import asyncio
import json
import math

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.server import openai_shapes as shapes
from tests.server.openai_server import Running

pytestmark = pytest.mark.xdist_group("openai")

SUM = [{"role": "user", "content": "What is 3 plus 4?"}]
STORY = [{"role": "user", "content": "Tell me a story about a horse."}]


def test_an_answer_has_openai_s_shape(http: httpx2.Client) -> None:
    """Clients in every language are made from that specification."""
    response = http.post("/v1/chat/completions", json={"model": "pony", "messages": SUM, "temperature": 0})
    answer = shapes.chat_completion(response.content)
    choice = answer.choices[0]
    assert "7" in (choice.message.content or "")
    assert (choice.finish_reason, choice.index, answer.model) == ("stop", 0, "pony")
    assert answer.id == "chatcmpl-" + response.headers["x-paddock-request-id"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    told = {name: response.headers[f"x-paddock-{name}"] for name in ("model", "provider", "route")}
    assert told == {"model": "pony", "provider": "local", "route": "exact"}


def test_a_stream_says_what_the_whole_answer_says(http: httpx2.Client) -> None:
    """And each of its chunks has OpenAI's shape: role first, then text, then why it ended, then the numbers."""
    body = {"model": "pony", "messages": STORY, "temperature": 0, "max_tokens": 24, "logprobs": True}
    whole = shapes.chat_completion(http.post("/v1/chat/completions", json=body).content)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = http.post("/v1/chat/completions", json=body | options)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    chunks = [shapes.chat_chunk(data) for data in shapes.events(response.text)]
    *said, last = chunks
    assert said[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in said) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in said if chunk.choices[0].finish_reason] == ["length"]
    assert (last.choices, all("usage" in json.loads(chunk.model_dump_json()) for chunk in said)) == ([], True)
    assert whole.usage is not None
    assert last.usage is not None
    assert last.usage.completion_tokens == whole.usage.completion_tokens == 24
    assert len({chunk.id for chunk in chunks}) == 1


def test_log_probabilities_spell_the_answer(client: openai.OpenAI) -> None:
    """Tokens, their bytes and what else was likely; nobody outside has the model's tokenizer."""
    answer = client.chat.completions.create(
        model="pony", messages=SUM, temperature=0, logprobs=True, top_logprobs=3, max_tokens=8
    )
    choice = answer.choices[0]
    assert choice.logprobs is not None
    content = choice.logprobs.content or []
    assert b"".join(bytes(token.bytes or ()) for token in content).decode() == choice.message.content
    assert all(len(token.top_logprobs) == 3 for token in content)
    assert all(token.top_logprobs[0].token == token.token for token in content)  # greedy takes the likeliest
    assert all(token.logprob <= 0 and math.isfinite(token.logprob) for token in content)


def test_the_same_seed_gives_the_same_choices_each_its_own(client: openai.OpenAI) -> None:
    """The first of several choices is what a single one would have been."""

    def ask(n: int, seed: int) -> list[str]:
        answer = client.chat.completions.create(
            model="pony", messages=STORY, temperature=1.5, seed=seed, n=n, max_tokens=12
        )
        assert [choice.index for choice in answer.choices] == list(range(n))
        assert answer.usage is not None
        assert answer.usage.completion_tokens >= n
        return [choice.message.content or "" for choice in answer.choices]

    four = ask(4, seed=7)
    assert ask(4, seed=7) == four
    assert ask(1, seed=7) == four[:1]
    assert len(set(four)) > 1
    assert ask(1, seed=8) != four[:1]


def test_the_choices_of_a_stream_are_told_apart(client: openai.OpenAI) -> None:
    texts = {0: "", 1: "", 2: ""}
    ends: list[int] = []
    for chunk in client.chat.completions.create(
        model="pony", messages=STORY, n=3, seed=3, max_tokens=10, temperature=1, stream=True
    ):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends += [choice.index] if choice.finish_reason else []
    whole = client.chat.completions.create(model="pony", messages=STORY, n=3, seed=3, max_tokens=10, temperature=1)
    assert [texts[number] for number in range(3)] == [choice.message.content for choice in whole.choices]
    assert sorted(ends) == [0, 1, 2]


@pytest.mark.parametrize("stop", ["horse", ["horse", "zebra"]])
def test_a_stop_text_ends_the_answer_before_it(client: openai.OpenAI, stop: str | list[str]) -> None:
    free = client.chat.completions.create(model="pony", messages=STORY, temperature=0, max_tokens=60)
    stopped = client.chat.completions.create(model="pony", messages=STORY, temperature=0, max_tokens=60, stop=stop)
    text = free.choices[0].message.content or ""
    assert "horse" in text
    assert stopped.choices[0].message.content == text.partition("horse")[0]
    assert stopped.choices[0].finish_reason == "stop"


def test_a_biased_token_is_the_only_one_that_comes(client: openai.OpenAI) -> None:
    """`logit_bias` takes token ids as the keys of an object, hence as texts."""
    answer = client.chat.completions.create(
        model="pony", messages=SUM, temperature=0, max_tokens=3, logit_bias={"300": 100}, logprobs=True
    )
    content = (answer.choices[0].logprobs or pytest.fail("no log-probabilities")).content or []
    assert len({token.token for token in content}) == 1


def test_what_is_not_given_comes_from_the_model_s_options(client: openai.OpenAI) -> None:
    """`options.max_tokens` is 40 on this server and 9 for foal; a temperature of 0 that was asked for stays 0."""
    greedy = {client.chat.completions.create(model="pony", messages=STORY, temperature=0).choices[0].message.content}
    answers = [client.chat.completions.create(model="pony", messages=STORY, temperature=0) for _ in range(2)]
    assert {answer.choices[0].message.content for answer in answers} == greedy
    assert [answer.usage.completion_tokens for answer in answers if answer.usage] == [40, 40]
    foal = client.chat.completions.create(model="foal", messages=STORY, extra_body={"ignore_eos": True})
    assert foal.usage is not None
    assert foal.usage.completion_tokens == 9


def test_null_is_as_good_as_nothing(http: httpx2.Client) -> None:
    """Many clients write every field that they know."""
    names = "n stop logprobs top_logprobs logit_bias seed max_tokens tools tool_choice response_format top_p store user"
    body = {"model": "pony", "messages": SUM, "temperature": 0, **dict.fromkeys(names.split())}
    assert shapes.chat_completion(http.post("/v1/chat/completions", json=body).content).choices


def test_contents_may_be_parts_and_developers_are_systems(client: openai.OpenAI) -> None:
    def ask(messages: list[dict[str, object]]) -> ChatCompletion:
        return client.chat.completions.create(
            model="pony",
            messages=messages,
            temperature=0,
            max_tokens=8,  # type: ignore[arg-type]
        )

    plain = ask([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "What is\n3 plus 4?"}])
    parts = ask(
        [
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "3 plus 4?"}]},
        ]
    )
    assert parts.choices[0].message.content == plain.choices[0].message.content
    assert plain.usage is not None
    assert parts.usage is not None
    assert parts.usage.prompt_tokens == plain.usage.prompt_tokens
    assert parts.usage.prompt_tokens_details is not None
    assert parts.usage.prompt_tokens_details.cached_tokens  # the second time the prompt was there already


def test_metadata_and_tier_come_back_and_unknown_fields_are_named(client: openai.OpenAI) -> None:
    """A misspelled setting does nothing; the header says which."""
    raw = client.chat.completions.with_raw_response.create(
        model="pony",
        messages=SUM,
        max_tokens=2,
        metadata={"task": "sums"},
        service_tier="flex",
        user="someone",
        extra_body={"temprature": 0, "naïve\r\n": 1, "priority": "high", "keep_alive": "5m"},
    )
    answer = raw.parse()
    assert (answer.metadata, answer.service_tier) == ({"task": "sums"}, "priority")
    assert raw.headers["x-paddock-ignored"] == "temprature, na%C3%AFve%0D%0A"


def test_the_default_model_answers_when_none_is_named(http: httpx2.Client) -> None:
    for body in ({}, {"model": ""}, {"model": None}):
        response = http.post("/v1/chat/completions", json={"messages": SUM, "max_tokens": 1, **body})
        assert (response.headers["x-paddock-model"], response.headers["x-paddock-route"]) == ("pony", "default")


async def test_thirty_two_at_once_are_answered_as_each_alone(server: Running) -> None:
    """ENG-07: an answer does not depend on who else is being answered."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:

        async def ask(number: int, *, stream: bool) -> str:
            messages = [{"role": "user", "content": f"What is {number % 8} plus {number % 5}?"}]
            if not stream:
                answer = await client.chat.completions.create(
                    model="pony",
                    messages=messages,
                    temperature=0,
                    max_tokens=10,  # type: ignore[arg-type]
                )
                return answer.choices[0].message.content or ""
            chunks = await client.chat.completions.create(
                model="pony",
                messages=messages,
                temperature=0,
                max_tokens=10,
                stream=True,  # type: ignore[arg-type]
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

        together = await asyncio.gather(*(ask(number, stream=number % 2 == 0) for number in range(32)))
        alone = [await ask(number, stream=False) for number in range(0, 32, 7)]
    assert together[::7] == alone
