"""The `openai` package that other libraries still bring: chat, stream, usage, logprobs, n, stop, seeds, many at once."""

import asyncio
import sys

import openai
from openai import AsyncOpenAI, OpenAI

assert openai.__version__.startswith("2."), openai.__version__
base_url = sys.argv[1]
client = OpenAI(base_url=base_url, api_key="none", max_retries=0)
question = [{"role": "user", "content": "What is 3 plus 4?"}]

answer = client.chat.completions.create(model="pony", messages=question, temperature=0)
assert "7" in answer.choices[0].message.content, answer
assert answer.choices[0].finish_reason == "stop"
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

pieces = list(
    client.chat.completions.create(
        model="pony", messages=question, temperature=0, stream=True, stream_options={"include_usage": True}
    )
)
streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
assert streamed == answer.choices[0].message.content
assert pieces[-1].usage.completion_tokens == answer.usage.completion_tokens
assert not pieces[-1].choices

several = client.chat.completions.create(
    model="pony", messages=question, n=3, seed=7, temperature=1.2, logprobs=True, top_logprobs=2, max_tokens=8
)
assert [choice.index for choice in several.choices] == [0, 1, 2]
assert all(len(token.top_logprobs) == 2 for choice in several.choices for token in choice.logprobs.content)
again = client.chat.completions.create(model="pony", messages=question, seed=7, temperature=1.2, max_tokens=8)
assert again.choices[0].message.content == several.choices[0].message.content, "a seed gives the same text alone"

stopped = client.completions.create(model="pony", prompt="one two three", stop=["z"], max_tokens=16, temperature=0)
assert "z" not in stopped.choices[0].text


async def at_once() -> None:
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as many:
        answers = await asyncio.gather(
            *(
                many.chat.completions.create(model="pony", messages=question, temperature=0, max_tokens=32)
                for _ in range(32)
            )
        )
    assert {one.choices[0].message.content for one in answers} == {answer.choices[0].message.content}


asyncio.run(at_once())

vectors = client.embeddings.create(model="pony-embed", input=["A horse runs.", "What is 3 plus 4?"])
assert [len(each.embedding) for each in vectors.data] == [256, 256]
assert vectors.usage.prompt_tokens > 8

assert "pony" in [model.id for model in client.models.list()]
assert client.models.retrieve("pony").id == "pony"
try:
    client.chat.completions.create(model="ponny", messages=question)
except openai.NotFoundError as error:
    message = error.message
else:
    raise AssertionError("an unknown model must be a 404")
assert "pony" in message
print("done")
