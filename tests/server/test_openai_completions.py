"""`/v1/completions` and `/v1/models` with the official client, over real HTTP, answered by `pony` in a real runner."""

from urllib.parse import quote

import httpx2
import openai
import pytest

from tests.server import openai_shapes as shapes
from tests.server.openai_server import Running

pytestmark = pytest.mark.xdist_group("openai")

HORSE = "The horse"


def test_a_completion_goes_on_with_the_prompt(http: httpx2.Client) -> None:
    """`echo` puts the prompt in front; every shape of a prompt is taken."""
    body = {"model": "pony", "prompt": HORSE, "temperature": 0, "max_tokens": 6}
    answer = shapes.completion(http.post("/v1/completions", json=body).content)
    text = answer.choices[0].text
    echoed = shapes.completion(http.post("/v1/completions", json=body | {"echo": True}).content)
    assert (echoed.choices[0].text, answer.choices[0].finish_reason) == (HORSE + text, "length")
    several = shapes.completion(http.post("/v1/completions", json=body | {"prompt": [HORSE, "A dog", HORSE]}).content)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert several.choices[0].text == several.choices[2].text == text
    assert answer.usage is not None
    assert several.usage is not None
    assert several.usage.prompt_tokens > 2 * answer.usage.prompt_tokens
    assert several.usage.completion_tokens == 18


def test_token_ids_are_as_good_as_text(http: httpx2.Client) -> None:
    """Benchmarks and other tokenizers' owners send them."""
    body = {"model": "pony", "temperature": 0, "max_tokens": 4}
    one = shapes.completion(http.post("/v1/completions", json=body | {"prompt": [300, 301]}).content)
    lists = shapes.completion(http.post("/v1/completions", json=body | {"prompt": [[300, 301], [302]]}).content)
    assert lists.choices[0].text == one.choices[0].text
    assert one.usage is not None
    assert one.usage.prompt_tokens == 2


def test_a_stream_of_completions_says_the_same(http: httpx2.Client) -> None:
    body = {"model": "pony", "prompt": [HORSE, "A dog"], "temperature": 0, "max_tokens": 6, "echo": True}
    whole = shapes.completion(http.post("/v1/completions", json=body).content)
    texts = ["", ""]
    response = http.post("/v1/completions", json=body | {"stream": True, "stream_options": {"include_usage": True}})
    for chunk in map(shapes.text_chunk, shapes.events(response.text)):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
        if not chunk.choices:
            assert chunk.usage == whole.usage or (chunk.usage and whole.usage and chunk.usage.completion_tokens == 12)
    assert texts == [choice.text for choice in whole.choices]


def test_older_log_probabilities_say_where_tokens_begin(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="pony", prompt=HORSE, temperature=0, max_tokens=6, logprobs=2)
    choice = answer.choices[0]
    assert choice.logprobs is not None
    tokens, offsets = choice.logprobs.tokens or [], choice.logprobs.text_offset or []
    assert "".join(tokens) == choice.text
    assert [choice.text[at : at + len(token)] for at, token in zip(offsets, tokens, strict=True)] == tokens
    tops = choice.logprobs.top_logprobs or []
    assert all(token in top and len(top) >= 2 for token, top in zip(tokens, tops, strict=True))


def test_the_best_of_several_is_the_likeliest(client: openai.OpenAI) -> None:
    """By its mean log-probability; all of them count as tokens that were made."""

    def ask(n: int, best_of: int | None = None) -> list[float]:
        answer = client.completions.create(
            model="pony", prompt=HORSE, temperature=1.5, seed=5, max_tokens=8, logprobs=0, n=n, best_of=best_of
        )
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 8 * (best_of or n)
        means: list[float] = []
        for choice in answer.choices:
            logprobs = choice.logprobs.token_logprobs if choice.logprobs else None
            assert logprobs
            means.append(sum(logprobs) / len(logprobs))
        return means

    every = ask(6)
    assert ask(2, best_of=6) == pytest.approx(sorted(every, reverse=True)[:2], abs=1e-3)


def test_models_are_listed_with_what_people_choose_by(
    http: httpx2.Client, client: openai.OpenAI, server: Running
) -> None:
    """OpenAI's fields, and the context, what a model can do, and whether it is in memory; an alias is a name, too."""
    server.ask(lambda: server.rooms.library.copy("pony", "my-horse"))
    client.chat.completions.create(model="my-horse", messages=[{"role": "user", "content": "Hi"}], max_tokens=1)
    listed = {entry["id"]: entry for entry in http.get("/v1/models").json()["data"]}
    assert {"pony", "foal", "pony-embed", "my-horse"} <= listed.keys()
    assert listed["my-horse"]["alias_of"] == "pony"
    assert (listed["pony"]["context_window"], listed["pony"]["loaded"]) == (2048, True)
    assert listed["pony-embed"]["capabilities"]["embeddings"] is True
    one = http.get("/v1/models/pony")
    assert one.json() == listed["pony"]
    assert shapes.model(one.content).id == "pony"
    assert {model.id for model in client.models.list()} == listed.keys()
    assert client.models.retrieve("my-horse").id == "my-horse"
    assert http.get("/v1/models/builtin%3A%2F%2Fpony").json()["alias_of"] == "pony"


@pytest.mark.parametrize(
    "name", ["pny", "../../etc/passwd", "pony/../pony", "%2e%2e%2fpony", "a" * 7000, "pony\x00", "🐴", "auto:kode"]
)
def test_a_model_that_is_not_here_is_a_404(http: httpx2.Client, name: str) -> None:
    """With near names, whatever was typed; never a file of this machine."""
    for response in (
        http.get(f"/v1/models/{quote(name, safe='').replace('.', '%2E')}"),
        http.post("/v1/chat/completions", json={"model": name, "messages": [{"role": "user", "content": "Hi"}]}),
    ):
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["type"]) == (404, "model_not_found", "not_found_error")
        assert len(response.content) < 2000
    if name == "pny":
        assert "`pony`" in error["message"]
