"""Answers in OpenAI's words: whatever a model says, in whatever pieces, the stream says what the whole answer says."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.dialects.openai_answers import AnswerHead, ChatRenderer, CompletionRenderer, Renderer
from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_logprobs import TextOffsets, mean_logprob, token_text
from paddock.vocabulary import ChatRequest, FinishReason, GenerateEvent, Sampling, TokenLogprob, Usage
from tests.server import openai_shapes as shapes

HEAD = AnswerHead(created=1, model="pony", fingerprint="fp_1")
# Text of a model is decoded, and holds no half of a character.
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5)


def asked(*, choices: int = 1, prompts: int = 1, shown: int | None = None, echo: tuple[str, ...] = ()) -> Asked:
    request = ChatRequest(id="1", model="pony", sampling=Sampling(), prompt="p", choices=choices)
    return Asked(
        id="1",
        requests=(request,) * prompts,
        shown=shown or choices,
        prompt_field="prompt",
        stream=True,
        include_usage=True,
        logprobs=1,
        echo=echo,
    )


def pieces(texts: Sequence[str], *, logprob: float = -0.5, usage: Usage | None = None) -> list[GenerateEvent]:
    """An answer that comes as `texts`, a token each."""
    events = [
        GenerateEvent(
            id="1",
            text=text,
            logprobs=((TokenLogprob(token_id=1, logprob=logprob, token=text.encode()),),),
        )
        for text in texts
    ]
    return [*events, GenerateEvent(id="1", finish_reason=FinishReason.STOP, usage=usage or Usage(completion_tokens=2))]


@settings(deadline=None)
@given(TEXTS)
def test_chunks_of_a_chat_join_to_the_whole(texts: list[str]) -> None:
    whole, streamed = ChatRenderer(asked(), HEAD), ChatRenderer(asked(), HEAD)
    said = b""
    for event in pieces(texts):
        whole.collect(0, event)
        said += streamed.chunk(0, event)
    chunks = [shapes.chat_chunk(data) for data in shapes.events((said + streamed.end()).decode())]
    answer = shapes.chat_completion(whole.whole())
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == answer.choices[0].message.content == "".join(texts)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert b"".join(bytes(token.bytes or ()) for token in logprobs.content or []).decode() == text


@settings(deadline=None)
@given(TEXTS)
def test_chunks_of_a_completion_join_to_the_whole(texts: list[str]) -> None:
    """With the offsets of its tokens, counted in characters."""
    whole, streamed = CompletionRenderer(asked(echo=("front",)), HEAD), CompletionRenderer(asked(echo=("front",)), HEAD)
    said = b""
    for event in pieces(texts):
        whole.collect(0, event)
        said += streamed.chunk(0, event)
    chunks = [shapes.text_chunk(data) for data in shapes.events((said + streamed.end()).decode())]
    answer = shapes.completion(whole.whole())
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == answer.choices[0].text
    assert answer.choices[0].text == "front" + "".join(texts)
    offsets = [
        offset
        for chunk in chunks
        for choice in chunk.choices
        for offset in ((choice.logprobs.text_offset or []) if choice.logprobs else [])
    ]
    assert offsets == [len("".join(texts[:number])) for number in range(len(texts))]


@pytest.mark.parametrize("kind", [ChatRenderer, CompletionRenderer])
def test_a_prompt_counts_once_however_many_answers_it_has(kind: type[ChatRenderer | CompletionRenderer]) -> None:
    """And what one choice left in the cache for the next was not there before."""
    renderer: Renderer = kind(asked(choices=2, prompts=2), HEAD)
    for choice in range(4):
        usage = Usage(
            prompt_tokens=10,
            cached_tokens=4 + 3 * (choice % 2),
            completion_tokens=5,
            drafted_tokens=4,
            accepted_tokens=3,
        )
        for event in pieces(["a"], usage=usage):
            renderer.collect(choice, event)
    usage = json.loads(renderer.whole())["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (20, 20, 40)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 8
    assert usage["completion_tokens_details"]["accepted_prediction_tokens"] == 12
    assert usage["completion_tokens_details"]["rejected_prediction_tokens"] == 4


def test_the_best_answers_of_each_prompt_are_shown() -> None:
    renderer = CompletionRenderer(asked(choices=3, prompts=2, shown=1, echo=("one ", "two ")), HEAD)
    for choice, logprob in enumerate((-3.0, -1.0, -2.0, -1.5, -9.0, -0.5)):
        for event in pieces([f"answer {choice}"], logprob=logprob):
            renderer.collect(choice, event)
    shown = shapes.completion(renderer.whole()).choices
    assert [(choice.index, choice.text) for choice in shown] == [(0, "one answer 1"), (1, "two answer 5")]


def test_a_probability_of_nothing_is_a_number() -> None:
    """JSON has no infinity; OpenAI writes -9999."""
    renderer = ChatRenderer(asked(), HEAD)
    for event in pieces(["a"], logprob=-float("inf")):
        renderer.collect(0, event)
    logprobs = shapes.chat_completion(renderer.whole()).choices[0].logprobs
    assert logprobs is not None
    assert (logprobs.content or [])[0].logprob == -9999.0
    assert mean_logprob([]) == -float("inf")


def test_a_part_of_a_character_is_written_as_its_bytes() -> None:
    """And the offset waits until the character is whole."""
    first, second = "é".encode()[:1], "é".encode()[1:]
    assert (token_text(first), token_text(b"e")) == ("bytes:\\xc3", "e")
    entries = [(TokenLogprob(token_id=1, logprob=-1.0, token=token),) for token in (first, second, b"e")]
    assert TextOffsets(0).logprobs(entries, 0).text_offset == [0, 0, 1]
