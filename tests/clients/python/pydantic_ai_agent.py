"""A Pydantic AI agent: one run, a conversation that goes on, a streamed run."""

import asyncio
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

model = OpenAIChatModel("pony", provider=OpenAIProvider(base_url=sys.argv[1], api_key="none"))
agent = Agent(model, model_settings={"temperature": 0.0, "max_tokens": 64})


async def talk() -> None:
    first = await agent.run("What is 3 plus 4?")
    assert "7" in first.output, first
    second = await agent.run("What is 2 plus 2?", message_history=first.all_messages())
    assert "4" in second.output, second
    async with agent.run_stream("What is 3 plus 4?") as streamed:
        text = await streamed.get_output()
    assert text == first.output


asyncio.run(talk())
print("done")
