"""`/v1/completions`, from bytes to requests: one for each prompt."""

from dataclasses import replace
from typing import Any, Final, cast

from pydantic import Field

from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_fields import CHOICES_MAX, INT32_MAX, parse, read_object, unknown_names, wrong
from paddock.dialects.openai_formats import FormatFields, format_of
from paddock.dialects.openai_sampling import (
    CommonFields,
    includes_usage,
    keep_alive_of,
    known_besides,
    priority_of,
    refuse_what_is_not_taken,
    sampling_of,
)
from paddock.vocabulary import ChatRequest

BEST_OF_MAX: Final = 20
LOGPROBS_MAX: Final = 20
PROMPT_TOKENS_MAX: Final = 4_000_000  # of one prompt; the context holds far less, and says so with both numbers

_HINT: Final = "Send a text, a list of texts, a list of token ids, or a list of such lists."
Prompt = str | tuple[int, ...]


class CompletionFields(CommonFields, FormatFields):
    """The body of a completion request."""

    prompt: Any = Field(description="A text, a list of texts, a list of token ids, or a list of such lists.")
    best_of: int | None = Field(default=None, ge=1, le=BEST_OF_MAX, description="Choose the `n` likeliest of so many.")
    echo: bool = Field(default=False, description="Give the prompt back in front of the answer.")
    logprobs: int | None = Field(default=None, ge=0, le=LOGPROBS_MAX)


def parse_completion(body: bytes, *, request_id: str, tenant: str) -> Asked:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    refuse_what_is_not_taken(given)
    fields = parse(CompletionFields, given)
    prompts = _prompts(fields.prompt)
    choices = _choices(fields, len(prompts))
    wanted = 0 if choices > fields.n and fields.logprobs is None else fields.logprobs  # the best are told by them
    sampling, left_open = sampling_of(fields, max_tokens=fields.max_tokens, top_logprobs=wanted)
    common = ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        choices=choices,
        priority=priority_of(fields),
        tenant=tenant,
        format=format_of(fields),
        keep_alive=keep_alive_of(fields),
    )
    return Asked(
        id=request_id,
        requests=tuple(_request(common, prompt, number) for number, prompt in enumerate(prompts)),
        shown=fields.n,
        prompt_field="prompt",
        stream=fields.stream,
        include_usage=includes_usage(fields),
        logprobs=fields.logprobs,
        ignored=unknown_names(CompletionFields, given, known_besides()),
        echo=_echo(fields, prompts),
    )


def _request(common: ChatRequest, prompt: Prompt, number: int) -> ChatRequest:
    request_id = f"{common.id}-{number}" if number else common.id
    if isinstance(prompt, str):
        return replace(common, id=request_id, prompt=prompt)
    return replace(common, id=request_id, tokens=prompt)


def _prompts(given: Any) -> tuple[Prompt, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list) or not given:
        raise wrong("prompt", "`prompt` is empty or no prompt.", _HINT)
    entries = cast("list[Any]", given)
    if type(entries[0]) is int:
        return (_tokens(entries, "prompt"),)
    if len(entries) > CHOICES_MAX:
        raise wrong("prompt", f"`prompt` holds {len(entries)} prompts.", f"At most {CHOICES_MAX} are taken at once.")
    kind = str if isinstance(entries[0], str) else list
    return tuple(_one(entry, f"prompt[{number}]", kind) for number, entry in enumerate(entries))


def _one(entry: Any, where: str, kind: type[object]) -> Prompt:
    if type(entry) is not kind:
        raise wrong(where, f"`{where}` is not what the others are, or no prompt.", _HINT)
    return entry if isinstance(entry, str) else _tokens(cast("list[Any]", entry), where)


def _tokens(entries: list[Any], where: str) -> tuple[int, ...]:
    if not 0 < len(entries) <= PROMPT_TOKENS_MAX:
        raise wrong(where, f"`{where}` has {len(entries)} tokens.", f"Send 1 to {PROMPT_TOKENS_MAX} token ids.")
    strange = next(
        (at for at, token in enumerate(entries) if type(token) is not int or not 0 <= token <= INT32_MAX), None
    )
    if strange is not None:
        raise wrong(f"{where}[{strange}]", f"`{where}[{strange}]` is no token id.", _HINT)
    return tuple(entries)


def _choices(fields: CompletionFields, prompts: int) -> int:
    """How many answers each prompt gets, before the best are chosen."""
    choices = fields.n if fields.best_of is None else fields.best_of
    if choices < fields.n:
        raise wrong("best_of", f"`best_of` is {choices}, `n` is {fields.n}.", "`best_of` is `n` or more.")
    if choices > fields.n and fields.stream:
        raise wrong("best_of", "The best of several answers is known when all are there.", "Leave `stream` out.")
    if choices * prompts > CHOICES_MAX:
        raise wrong(
            "n" if fields.best_of is None else "best_of",
            f"{prompts} prompts with {choices} answers each are {prompts * choices}.",
            f"One request has at most {CHOICES_MAX} answers.",
        )
    return choices


def _echo(fields: CompletionFields, prompts: tuple[Prompt, ...]) -> tuple[str, ...]:
    if not fields.echo:
        return ()
    if fields.logprobs is not None:
        raise wrong("logprobs", "Tokens of the prompt have no log-probabilities here.", "Leave `echo` or it out.")
    texts = tuple(prompt for prompt in prompts if isinstance(prompt, str))
    if len(texts) < len(prompts):
        raise wrong("echo", "`echo` gives texts back, and the prompt is token ids.", "Send the prompt as text.")
    return texts
