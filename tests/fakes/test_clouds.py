"""The clouds say what the official clients understand."""

import anthropic
import openai
import pytest

from tests.fakes.clouds import Act, AnthropicCloud, OpenAICloud, Reply

CALLS = Reply(text=(), calls=(("add", '{"a": 1, "b": 2}'),))


async def test_openais_client_reads_answers_streams_calls_and_models() -> None:
    async with (
        OpenAICloud() as cloud,
        openai.AsyncOpenAI(base_url=f"{cloud.url}/v1", api_key="k", max_retries=0) as client,
    ):
        cloud.next(Act(), Act(reply=CALLS))
        whole = await client.chat.completions.create(model="far-model", messages=[{"role": "user", "content": "Hi"}])
        assert whole.choices[0].message.content == "Hello from afar"
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 3
        stream = client.chat.completions.stream(model="far-model", messages=[{"role": "user", "content": "Hi"}])
        async with stream as events:
            final = await events.get_final_completion()
        call = final.choices[0].message.tool_calls[0].function  # type: ignore[index]
        assert (call.name, call.arguments) == ("add", '{"a": 1, "b": 2}')
        assert [model.id async for model in client.models.list()] == ["far-model"]
        vectors = await client.embeddings.create(model="far-model", input=["a", "b"], encoding_format="float")
        assert [one.embedding for one in vectors.data] == [[0.0, 1.0], [1.0, 1.0]]


async def test_openais_client_reads_failures() -> None:
    async with (
        OpenAICloud() as cloud,
        openai.AsyncOpenAI(base_url=f"{cloud.url}/v1", api_key="k", max_retries=0) as client,
    ):
        cloud.next(Act(status=429, code="slow_down"), Act(fail_at=2))
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert caught.value.code == "slow_down"
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        with pytest.raises(openai.APIError, match="it went wrong"):
            async for _ in stream:
                pass


async def test_anthropics_client_reads_answers_streams_thoughts_calls_and_models() -> None:
    said = Reply(reasoning="Let me see.", calls=(("add", '{"a": 1}'), ("now", "")), cached_tokens=4)
    async with (
        AnthropicCloud() as cloud,
        anthropic.AsyncAnthropic(base_url=cloud.url, api_key="k", max_retries=0) as client,
    ):
        cloud.next(Act(), Act(reply=said))
        asked = {"model": "claude-far", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        whole = await client.messages.create(**asked)
        assert whole.content[0].text == "Hello from afar"
        async with client.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert final.content[2].input == {"a": 1}
        assert (final.usage.input_tokens, final.usage.cache_read_input_tokens) == (7, 4)
        assert final.stop_reason == "tool_use"
        counted = await client.messages.count_tokens(model="claude-far", messages=[{"role": "user", "content": "Hi"}])
        assert counted.input_tokens == 42
        assert [model.id async for model in client.models.list()] == ["claude-far"]


async def test_anthropics_client_reads_failures() -> None:
    async with (
        AnthropicCloud() as cloud,
        anthropic.AsyncAnthropic(base_url=cloud.url, api_key="k", max_retries=0) as client,
    ):
        asked = {"model": "claude-far", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        cloud.next(Act(status=529), Act(fail_at=3))
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(**asked)
        assert caught.value.status_code == 529
        async with client.messages.stream(**asked) as stream:
            with pytest.raises(anthropic.APIError, match="it went wrong"):
                await stream.get_final_message()
