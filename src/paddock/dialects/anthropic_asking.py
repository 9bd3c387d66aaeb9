"""Anthropic's dialect, spoken to somebody else: requests as bodies. What it cannot say is refused, or left out and named."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from paddock.dialects.anthropic_bodies import prompt_body
from paddock.dialects.asking import Ask, Json, not_offered
from paddock.errors import NotOffered, UsageError
from paddock.vocabulary import ChatRequest, Thinking, ToolChoice

MESSAGES: Final = "/v1/messages"
COUNT: Final = "/v1/messages/count_tokens"
_TEMPERATURE_MAX: Final = 1.0  # of 2 elsewhere
_THINKING_TOKENS_MIN: Final = 1024
_UNSAID: Final = ("min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "seed", "logit_bias")


def ask_of(request: ChatRequest, *, model: str, options: Mapping[str, Any], tokens_max: int) -> Ask:
    """The body for `request`. `tokens_max`: the most tokens where nobody said; it wants a number. Raises NotOffered."""
    sampling = request.sampling
    most = sampling.max_tokens if "max_tokens" not in request.left_open else None
    most = most or tokens_max
    body: Json = {**_prompt(request, model=model), "max_tokens": most, "stream": True}
    if sampling.stop:
        body["stop_sequences"] = [*sampling.stop]
    if "temperature" not in request.left_open:
        body["temperature"] = min(sampling.temperature, _TEMPERATURE_MAX)
    if "top_p" not in request.left_open:
        body["top_p"] = sampling.top_p
    if sampling.top_k and "top_k" not in request.left_open:
        body["top_k"] = sampling.top_k
    _fit_thinking(body, most)
    return Ask(path=MESSAGES, body={**body, **options}, ignored=tuple(_unsaid(request)))


def count_ask_of(request: ChatRequest, *, model: str) -> Ask:
    """The body that asks how many tokens the prompt of `request` has."""
    return Ask(path=COUNT, body=_prompt(request, model=model))


def _prompt(request: ChatRequest, *, model: str) -> Json:
    plain = replace(
        request,
        model=model,
        messages=tuple(replace(each, name=None, reasoning="") for each in request.messages)
        if request.messages is not None
        else None,
        thinking=_thinking(request),
        tool_choice=request.tool_choice if request.tools else ToolChoice(),
    )
    try:
        return prompt_body(plain)
    except UsageError as error:
        raise NotOffered(error.message, hint=error.hint, param=error.param) from error


def _thinking(request: ChatRequest) -> Thinking:
    """A conversation that waits for what its calls brought goes on without a thought.

    Anthropic wants the thought before such a call back with its signature, which other dialects do not carry.
    """
    calls = any(message.tool_calls for message in request.messages or ())
    return Thinking() if calls and request.messages and request.messages[-1].role == "tool" else request.thinking


def _fit_thinking(body: Json, most: int) -> None:
    """A thought has at least so many tokens, and fewer than the answer."""
    thinking = body.get("thinking")
    if thinking is None or thinking["type"] == "disabled":
        return
    body.pop("top_k", None)
    body.pop("temperature", None)  # a model that thinks takes neither
    if "budget_tokens" in thinking:
        budget = max(thinking["budget_tokens"], _THINKING_TOKENS_MIN)
        body["thinking"] = {**thinking, "budget_tokens": budget}
        body["max_tokens"] = max(most, budget + 1)


def _unsaid(request: ChatRequest) -> list[str]:
    """What was asked for and this dialect has no word for."""
    sampling = request.sampling
    if request.choices > 1:
        raise not_offered("n", "Anthropic gives one answer to a request.", "Ask once for each.")
    usual = type(sampling)()
    said = [
        name for name in _UNSAID if name not in request.left_open and getattr(sampling, name) != getattr(usual, name)
    ]
    return [*said, *(["logprobs"] if sampling.top_logprobs is not None else [])]
