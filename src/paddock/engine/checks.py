"""What is wrong with a request, said before it comes near the device.

A token id outside the vocabulary reads or writes outside an array, a NaN spoils a whole batch: nothing here is left to the
executor. Comparisons are written so that NaN fails them.
"""

import math
from collections.abc import Iterable, Sequence

from paddock.errors import PromptTooLong, UsageError
from paddock.vocabulary import Sampling

LOGIT_BIAS_MAX = 1024  # entries
STOP_STRINGS_MAX = 32
STOP_STRING_CHARACTERS_MAX = 1024
STOP_TOKENS_MAX = 128
TOP_LOGPROBS_MAX = 20
MAX_TOKENS_MAX = 2**31 - 1
SEED_MIN, SEED_MAX = -(2**63), 2**64 - 1


def check_prompt(tokens: Sequence[int], vocabulary: int, context_window: int) -> None:
    """Raises UsageError when the prompt is empty or names a token that does not exist, PromptTooLong when it leaves no room
    for an answer."""
    if not tokens:
        raise UsageError("The prompt is empty.", hint="Send at least one token of text.")
    if len(tokens) >= context_window:
        raise PromptTooLong(
            f"The prompt has {len(tokens)} tokens; the context holds {context_window}, answer included.",
            hint="Shorten the prompt, or load a model with a larger context window. Prompts are never cut.",
        )
    _check_token_ids("The prompt", tokens, vocabulary)


def check_sampling(sampling: Sampling, vocabulary: int, context_window: int) -> None:
    """Raises UsageError whose `param` is the first setting outside its range."""
    _check_number("temperature", sampling.temperature, 0, 10)
    _check_number("top_p", sampling.top_p, 0, 1, above=True)
    _check_integer("top_k", sampling.top_k, 0, vocabulary, "the vocabulary; 0 is off")
    _check_number("min_p", sampling.min_p, 0, 1)
    _check_number("repetition_penalty", sampling.repetition_penalty, 0, 10, above=True)
    _check_number("presence_penalty", sampling.presence_penalty, -2, 2)
    _check_number("frequency_penalty", sampling.frequency_penalty, -2, 2)
    if sampling.seed is not None:
        _check_integer("seed", sampling.seed, SEED_MIN, SEED_MAX, "64 bits")
    if sampling.max_tokens is not None:
        # More than the context holds is fine and common: the answer then ends with `length` when the context is full.
        _check_integer("max_tokens", sampling.max_tokens, 1, MAX_TOKENS_MAX, f"the context holds {context_window}")
    if sampling.top_logprobs is not None:
        most = min(TOP_LOGPROBS_MAX, vocabulary)
        _check_integer("top_logprobs", sampling.top_logprobs, 0, most, "0 is the chosen token's only")
    _check_logit_bias(sampling, vocabulary)
    _check_stops(sampling, vocabulary)


def _check_logit_bias(sampling: Sampling, vocabulary: int) -> None:
    _check_count("logit_bias", len(sampling.logit_bias), LOGIT_BIAS_MAX)
    _check_token_ids("`logit_bias`", sampling.logit_bias, vocabulary, param="logit_bias")
    for token, bias in sampling.logit_bias.items():
        _check_number(f"logit_bias[{token}]", bias, -100, 100)


def _check_stops(sampling: Sampling, vocabulary: int) -> None:
    _check_count("stop", len(sampling.stop), STOP_STRINGS_MAX)
    for text in sampling.stop:
        if not 0 < len(text) <= STOP_STRING_CHARACTERS_MAX:
            raise UsageError(
                f"A stop string has {len(text)} characters.",
                hint=f"Stop strings have 1 to {STOP_STRING_CHARACTERS_MAX} characters.",
                param="stop",
            )
    _check_count("stop_token_ids", len(sampling.stop_token_ids), STOP_TOKENS_MAX)
    _check_token_ids("`stop_token_ids`", sampling.stop_token_ids, vocabulary, param="stop_token_ids")


def _check_token_ids(what: str, tokens: Iterable[int], vocabulary: int, *, param: str | None = None) -> None:
    for token in tokens:
        # True is an int to Python, and a token to nobody.
        if type(token) is not int or not 0 <= token < vocabulary:
            raise UsageError(
                f"{what} names token {token!r}; the model's vocabulary has {vocabulary}.",
                hint=f"Token ids run from 0 to {vocabulary - 1}. Make them with this model's tokenizer.",
                param=param,
            )


def _check_number(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """`above`: `low` itself is out of range too."""
    if not (math.isfinite(value) and low <= value <= high) or (above and value == low):
        raise UsageError(
            f"`{name}` is {value}.",
            hint=f"It must be {'above' if above else 'from'} {low} {'and at most' if above else 'to'} {high}.",
            param=name,
        )


def _check_integer(name: str, value: int, low: int, high: int, why: str) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(
            f"`{name}` is {value}.", hint=f"It must be a whole number from {low} to {high} ({why}).", param=name
        )


def _check_count(name: str, count: int, most: int) -> None:
    if count > most:
        raise UsageError(f"`{name}` has {count} entries.", hint=f"At most {most} are taken.", param=name)
