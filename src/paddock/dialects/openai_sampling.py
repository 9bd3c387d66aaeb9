"""What chat and completion requests have in common: how tokens are chosen, how the answer comes, what is not taken."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field

from paddock.config.units import parse_duration
from paddock.dialects.openai_fields import (
    BIASES_MAX,
    CHOICES_MAX,
    INT32_MAX,
    SEED_MAX,
    SEED_MIN,
    STOP_CHARACTERS_MAX,
    STOP_TOKENS_MAX,
    STOPS_MAX,
    Fields,
    Penalty,
    ShortText,
    TokenId,
    wrong,
)
from paddock.vocabulary import Priority, Sampling

# What is asked for by a field's presence, and the values of it that ask for nothing.
_REFUSED: Final[Mapping[str, tuple[tuple[object, ...], str]]] = {
    "store": ((False,), "Paddock keeps no answers. Leave it out, and keep what you need yourself."),
    "moderation": ((), "Paddock moderates nothing. Leave it out."),
    "prediction": ((), "Paddock guesses ahead by itself. Leave it out."),
    "web_search_options": ((), "Paddock searches nothing on the web. Leave it out."),
    "audio": ((), "Paddock makes text only. Leave it out."),
    "modalities": ((["text"],), 'Paddock makes text only. Leave it out, or send `["text"]`.'),
    "verbosity": (("medium",), "Say in the messages how long the answer should be."),
    "functions": (([],), "Send `tools`, OpenAI's newer word for them."),
    "function_call": (("none", "auto"), "Send `tool_choice`, OpenAI's newer word for it."),
    "suffix": (("",), "The models here do not write between two texts. Leave it out."),
}
_CHAT_ONLY: Final[Mapping[str, tuple[tuple[object, ...], str]]] = {
    "reasoning_effort": (
        ("none",),
        "A text goes on without a thought. Leave it out, or ask at `/v1/chat/completions`.",
    ),
    "tools": (([],), "Tools are called at `/v1/chat/completions`."),
    "tool_choice": (("none", "auto"), "Tools are called at `/v1/chat/completions`."),
}
_OPEN: Final = ("temperature", "top_p", "top_k", "repetition_penalty")
_TOP_P_MIN: Final = 1e-6  # OpenAI takes 0 and means the likeliest token


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class StreamOptions(Fields):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ServiceFields(Fields):
    """How a request is served, whatever it asks for."""

    user: ShortText = Field(default="", description="Taken, and kept nowhere.")
    priority: Literal["high", "normal", "low"] | Annotated[int, Field(ge=-INT32_MAX, le=INT32_MAX)] | None = Field(
        default=None,
        description="Who goes first; of numbers, those below 0 are high, 0 is normal, those above are low.",
    )
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    keep_alive: Annotated[str, Field(max_length=64)] | float | int | None = Field(
        default=None, description="How long the model stays in memory unused: `10m`, seconds, `forever`."
    )


class CommonFields(ServiceFields):
    """The fields of both endpoints."""

    model: str = Field(default="", description="A name, an alias or a unique short name; empty is the default model.")
    stream: bool = Field(default=False, description="Send the answer as it is written, as server-sent events.")
    stream_options: StreamOptions | None = Field(default=None, description="With `stream` only.")
    n: int = Field(default=1, ge=1, le=CHOICES_MAX, description="Independent answers to each prompt.")
    max_tokens: int | None = Field(default=None, ge=1, le=INT32_MAX, description="The most tokens of one answer.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="0 takes the likeliest token.")
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=-1, le=INT32_MAX, description="0 and -1 are off.")
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0
    logit_bias: Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=BIASES_MAX)] = Field(
        default_factory=dict[str, float], description="Token id to what is added to its logit."
    )
    seed: int | None = Field(default=None, ge=SEED_MIN, le=SEED_MAX)
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=STOP_CHARACTERS_MAX)]],
        Field(max_length=STOPS_MAX),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    ] = Field(default_factory=list[str], description="Texts that end the answer; they are not part of it.")
    stop_token_ids: Annotated[list[TokenId], Field(max_length=STOP_TOKENS_MAX)] = Field(default_factory=list[int])
    ignore_eos: bool = Field(default=False, description="Go on past end tokens.")


def refuse_what_is_not_taken(given: Mapping[str, Any], *, chat: bool = False) -> None:
    """Raises UsageError for the first field of OpenAI's that asks for something that does not exist here."""
    for name, (harmless, hint) in (_REFUSED if chat else {**_REFUSED, **_CHAT_ONLY}).items():
        value = given.get(name)
        if value is not None and not any(type(value) is type(each) and value == each for each in harmless):
            raise wrong(name, f"`{name}` is not taken.", hint)
    if _member(given, "prompt_cache_options", "mode") not in (None, "implicit"):
        raise wrong("prompt_cache_options", "Prompts are always cached implicitly.", "Leave `mode` out.")


def known_besides() -> tuple[str, ...]:
    """Names of fields that are looked at, though no class holds them."""
    return (*_REFUSED, *_CHAT_ONLY, "prompt_cache_options")


def sampling_of(
    body: CommonFields, *, max_tokens: int | None, top_logprobs: int | None
) -> tuple[Sampling, frozenset[str]]:
    """How tokens are chosen, and which of these settings were left to the model's options. Raises UsageError."""
    given = {name: getattr(body, name) for name in _OPEN if getattr(body, name) is not None}
    if "top_p" in given:
        given["top_p"] = max(given["top_p"], _TOP_P_MIN)
    if "top_k" in given:
        given["top_k"] = max(given["top_k"], 0)
    left_open = {name for name in _OPEN if name not in given}
    if max_tokens is None:
        left_open.add("max_tokens")
    sampling = Sampling(
        **given,
        min_p=body.min_p or 0.0,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        logit_bias=_biases(body.logit_bias),
        seed=body.seed,
        max_tokens=max_tokens,
        stop=tuple(body.stop),
        stop_token_ids=tuple(body.stop_token_ids),
        ignore_end=body.ignore_eos,
        top_logprobs=top_logprobs,
    )
    return sampling, frozenset(left_open)


def includes_usage(body: CommonFields) -> bool:
    """Whether the stream ends with the numbers. Raises UsageError for options that do not fit."""
    options = body.stream_options
    if options is None:
        return False
    if not body.stream:
        raise wrong("stream_options", "`stream_options` is for streams.", "Set `stream`, or leave it out.")
    if options.include_obfuscation:
        raise wrong(
            "stream_options.include_obfuscation", "Streams are not padded here.", "Leave it out, or send `false`."
        )
    return bool(options.include_usage)


def priority_of(body: ServiceFields) -> Priority:
    """`priority` says it; without it, `service_tier` does."""
    match body.priority:
        case None:
            tiers = {"priority": Priority.HIGH, "fast": Priority.HIGH, "flex": Priority.LOW}
            return tiers.get(body.service_tier or "", Priority.NORMAL)
        case str(name):
            return Priority[name.upper()]
        case number:
            return Priority.HIGH if number < 0 else Priority.LOW if number > 0 else Priority.NORMAL


def tier_of(body: ServiceFields) -> str | None:
    """What the answer says it was served as; None when nobody asked."""
    if body.service_tier is None:
        return None
    return {Priority.HIGH: "priority", Priority.NORMAL: "default", Priority.LOW: "flex"}[priority_of(body)]


def keep_alive_of(body: ServiceFields) -> str | None:
    """As the pool takes it. Raises UsageError when it is no duration."""
    if body.keep_alive is None:
        return None
    text = f"{body.keep_alive:g}" if isinstance(body.keep_alive, float) else str(body.keep_alive)
    try:
        parse_duration(text)
    except ValueError:
        raise wrong("keep_alive", f"`keep_alive` is `{text}`.", "Send a duration: `10m`, `3600`, `forever`.") from None
    return text


def _biases(given: Mapping[str, float]) -> Mapping[int, float]:
    biases: dict[int, float] = {}
    for key, bias in given.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 10):  # no 32-bit number is longer
            raise wrong("logit_bias", f"`logit_bias` names `{key[:40]}`.", "Its keys are token ids, such as `1734`.")
        biases[int(key)] = bias
    return biases


def _member(given: Mapping[str, Any], name: str, member: str) -> object:
    """A member of an object. Raises UsageError when it is none."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong(name, f"`{name}` is no object.", "Send an object, or leave it out.")
    return cast("dict[str, Any]", value).get(member)
