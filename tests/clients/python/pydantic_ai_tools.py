"""A Pydantic AI agent with a tool, through chat completions and through responses, run and streamed."""

import asyncio
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=sys.argv[1], api_key="none")
asked: list[str] = []


def get_weather(city: str) -> dict[str, object]:
    """Weather in a city."""
    asked.append(city)
    return {"temperature": 21, "conditions": "sunny"}


async def talk() -> None:
    for model in (OpenAIChatModel("pony", provider=provider), OpenAIResponsesModel("pony", provider=provider)):
        agent = Agent(model, tools=[get_weather], model_settings={"temperature": 0.0, "max_tokens": 64})
        asked.clear()
        answer = await agent.run("What is the weather in Paris?")
        assert asked == ["Paris"], asked
        assert "sunny" in answer.output, answer
        async with agent.run_stream("What is the weather in Paris?") as streamed:
            text = await streamed.get_output()
        assert asked == ["Paris"] * 2, asked
        assert "sunny" in text, text


asyncio.run(talk())
print("done")
