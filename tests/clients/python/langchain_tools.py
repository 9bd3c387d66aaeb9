"""LangChain's `bind_tools`: a call, its result, the answer; the same streamed; and with the Responses API."""

import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """Weather in a city."""
    return json.dumps({"temperature": 21, "conditions": "sunny", "city": city})


question = HumanMessage("What is the weather in Paris?")
for responses in (False, True):
    plain = ChatOpenAI(
        model="pony", base_url=sys.argv[1], api_key="none", temperature=0, max_retries=0, use_responses_api=responses
    )
    model = plain.bind_tools([get_weather])
    asked = model.invoke([question])
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"}), asked
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    answer = model.invoke([question, asked, result])
    assert "sunny" in answer.text, answer
    whole = None
    for piece in model.stream([question]):
        whole = piece if whole is None else whole + piece
    assert [(one["name"], one["args"]) for one in whole.tool_calls] == [("get_weather", {"city": "Paris"})], whole
print("done")
