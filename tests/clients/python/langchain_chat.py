"""LangChain's chat model: invoke, stream, batch, usage."""

import sys

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="pony", base_url=sys.argv[1], api_key="none", temperature=0, max_retries=0, stream_usage=True)
question = [SystemMessage("You are a helpful assistant."), HumanMessage("What is 3 plus 4?")]

answer = model.invoke(question)
assert "7" in answer.content, answer
assert answer.usage_metadata["total_tokens"] > 0
pieces = list(model.stream(question))
assert "".join(piece.content for piece in pieces) == answer.content
assert any(piece.usage_metadata for piece in pieces)
assert all("7" in one.content for one in model.batch([question] * 4))
print("done")
