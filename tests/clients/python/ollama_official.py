"""The `ollama` package: list, show, chat, tools, generate, ps, pull, copy, delete, errors, streaming and not, async."""

import asyncio
import sys

import ollama
from ollama import AsyncClient, Client

host = sys.argv[1].removesuffix("/v1")
client = Client(host=host)
question = [{"role": "user", "content": "What is 3 plus 4?"}]
exact = {"temperature": 0, "num_predict": 64}

# What is here
names = [model.model for model in client.list().models]
assert "pony:latest" in names, names
shown = client.show("pony")
assert "completion" in shown.capabilities
assert shown.details.family
assert shown.modelinfo["general.architecture"]

# Chat
answer = client.chat(model="pony", messages=question, options=exact)
assert "7" in answer.message.content, answer
assert answer.done
assert answer.done_reason == "stop"
assert answer.prompt_eval_count > 0
assert answer.eval_count > 0
assert 0 < answer.eval_duration <= answer.total_duration
pieces = list(client.chat(model="pony:latest", messages=question, options=exact, stream=True))
assert "".join(piece.message.content for piece in pieces) == answer.message.content
assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
assert pieces[-1].eval_count == answer.eval_count

assert [model.model for model in client.ps().models] == ["pony:latest"]


# Tools: call, result, answer
def get_weather(city: str) -> str:
    """Tells the weather in a city.

    Args:
        city: The name of the city.

    Returns:
        The weather.
    """
    return f"22 degrees and sunny in {city}"


asked = [{"role": "user", "content": "What is the weather in Rome?"}]
called = client.chat(model="pony", messages=asked, tools=[get_weather], options=exact)
(call,) = called.message.tool_calls
assert call.function.name == "get_weather"
result = get_weather(**call.function.arguments)
told = client.chat(
    model="pony",
    messages=[*asked, called.message, {"role": "tool", "tool_name": "get_weather", "content": result}],
    tools=[get_weather],
    options=exact,
)
assert "22" in told.message.content, told
streamed = [
    call
    for piece in client.chat(model="pony", messages=asked, tools=[get_weather], options=exact, stream=True)
    for call in piece.message.tool_calls or []
]
assert [each.function.arguments for each in streamed] == [call.function.arguments]

# Thinking
thought = client.chat(model="pony", messages=question, think=True, options={"temperature": 0})
assert thought.message.thinking
assert "<think>" not in thought.message.content

# Generate
text = client.generate(model="pony", prompt="What is 3 plus 4?", options=exact)
assert text.response == answer.message.content
more = client.generate(model="pony", prompt="What is 2 plus 2?", context=text.context, options=exact)
assert "4" in more.response, more
assert more.prompt_eval_count > text.prompt_eval_count, "the first question is in the prompt"
raw = list(client.generate(model="pony", prompt="one two three", raw=True, options={"num_predict": 8}, stream=True))
assert raw[-1].done
assert raw[-1].eval_count <= 8
likely = client.generate(model="pony", prompt="Say hi.", logprobs=True, top_logprobs=2, options={"num_predict": 3})
assert all(len(one.top_logprobs) == 2 for one in likely.logprobs)

# In and out of memory
assert client.generate(model="pony", keep_alive=0).done_reason == "unload"
assert client.ps().models == []
assert client.chat(model="pony", keep_alive=-1).done_reason == "load"
assert client.ps().models[0].expires_at.year > 2200
assert client.generate(model="pony", keep_alive="10m").done_reason == "load"

# Pull, copy, delete
progress = list(client.pull("tiny", stream=True))
assert progress[0].status == "pulling manifest"
assert progress[-1].status == "success"
moved = [line for line in progress if line.digest]
assert moved[0].completed == 0
assert moved[-1].completed == moved[-1].total > 0
assert client.pull("tiny").status == "success"
assert "tiny:latest" in [model.model for model in client.list().models]
assert client.copy("tiny", "little").status == "success"
assert client.show("little").details.format == "gguf"
assert client.delete("little").status == "success"
assert client.delete("tiny").status == "success"
assert not {"tiny:latest", "little:latest"} & {model.model for model in client.list().models}


def status_of(call):
    try:
        call()
    except ollama.ResponseError as error:
        return error.status_code if error.error else 0
    raise AssertionError("it must be refused")


assert status_of(lambda: client.chat(model="ponny", messages=question)) == 404
assert status_of(lambda: client.show("ponny")) == 404
assert status_of(lambda: client.pull("missing-from-the-registry")) == 404
assert status_of(lambda: client.delete("ponny")) == 404
assert status_of(lambda: client.chat(model="pony", messages=[{**question[0], "images": [b"not read"]}])) == 400
assert status_of(lambda: client.generate(model="pony", prompt="x", suffix="y")) == 400
assert status_of(lambda: client.generate(model="pony", prompt="x", template="{{ .Prompt }}")) == 400
assert status_of(lambda: client.pull("registry.example.com/library/tiny")) == 400
assert status_of(lambda: client.pull("tiny", insecure=True)) == 400
assert status_of(lambda: next(client.chat(model="ponny", messages=question, stream=True))) == 404


made = client.embed(
    model="pony-embed", input=["How do I download a model?", "How can I get a model?", "What is 3 plus 4?"]
)
one, same, other = made.embeddings
assert sum(a * b for a, b in zip(one, same, strict=True)) > sum(a * b for a, b in zip(one, other, strict=True))
assert made.prompt_eval_count > 15
assert client.embed(model="pony-embed", input="horse " * 600).prompt_eval_count == 512
older = client.embeddings(model="pony-embed", prompt="How do I download a model?").embedding
assert max(abs(a - b) for a, b in zip(one, older, strict=True)) < 1e-5
assert status_of(lambda: client.embed(model="pony-embed", input="horse " * 600, truncate=False)) == 400
assert status_of(lambda: client.embed(model="pony", input="a")) == 400


async def at_once() -> None:
    many = AsyncClient(host=host)
    answers = await asyncio.gather(*(many.chat(model="pony", messages=question, options=exact) for _ in range(16)))
    assert {one.message.content for one in answers} == {answer.message.content}
    async for _ in await many.chat(model="pony", messages=question, stream=True):
        break  # leaving a stream ends its request


asyncio.run(at_once())
print("done")
