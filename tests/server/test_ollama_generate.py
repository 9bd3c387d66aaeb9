"""`/api/generate` over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

EXACT = {"temperature": 0}


def generate(http: httpx2.Client, **body: Any) -> Mapping[str, Any]:
    answer = http.post("/api/generate", json={"model": "pony", "stream": False, "options": EXACT, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_prompt_is_a_question_and_its_stream_says_the_same(http: httpx2.Client) -> None:
    whole = generate(http, prompt="What is 3 plus 4?")
    assert whole["response"] == "3 + 4 = 7."
    streamed = http.post("/api/generate", json={"model": "pony", "prompt": "What is 3 plus 4?", "options": EXACT})
    parts = [json.loads(line) for line in streamed.text.splitlines()]
    assert "".join(part["response"] for part in parts) == whole["response"]
    assert parts[-1]["context"] == whole["context"]
    assert all("context" not in part for part in parts[:-1])


def test_a_raw_prompt_reaches_the_model_as_it_is(http: httpx2.Client) -> None:
    """Three words are three tokens, without a template around them; there is no conversation to go on from."""
    raw = generate(http, prompt="one two three", raw=True)
    assert raw["prompt_eval_count"] == 3
    assert "context" not in raw
    assert generate(http, prompt="one two three")["prompt_eval_count"] > 3


def test_the_context_goes_on_where_the_last_answer_ended(http: httpx2.Client) -> None:
    """The same prompt as the conversation would make, hence the same number of tokens and the same answer."""
    system = "You are a helpful assistant."
    first = generate(http, prompt="What is 3 plus 4?", system=system)
    second = generate(http, prompt="What is 2 plus 2?", context=first["context"])
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": "What is 3 plus 4?"},
        {"role": "assistant", "content": first["response"]},
        {"role": "user", "content": "What is 2 plus 2?"},
    ]
    chat = {"model": "pony", "messages": messages, "stream": False, "options": EXACT}
    answer = http.post("/api/chat", json=chat).json()
    assert second["response"] == answer["message"]["content"]
    assert second["prompt_eval_count"] == answer["prompt_eval_count"]
    replaced = generate(http, prompt="What is 2 plus 2?", context=first["context"], system="Be brief.")
    assert replaced["prompt_eval_count"] < second["prompt_eval_count"] + 3, "a system text takes the other's place"


def test_it_loads_and_unloads_without_a_prompt(http: httpx2.Client) -> None:
    assert generate(http, keep_alive=0)["done_reason"] == "unload"
    assert generate(http)["done_reason"] == "load"
    assert generate(http)["response"] == ""
