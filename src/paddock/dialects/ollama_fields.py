"""What `/api/chat` and `/api/generate` have in common: options, format, thinking, and how long the model stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field

from paddock.config.units import parse_duration
from paddock.dialects.openai_fields import (
    INT32_MAX,
    SEED_MAX,
    SEED_MIN,
    STOP_CHARACTERS_MAX,
    STOPS_MAX,
    Fields,
    Penalty,
    parse,
    wrong,
)
from paddock.dialects.saying import inline
from paddock.errors import UsageError
from paddock.vocabulary import ChatRequest, FormatKind, OutputFormat, Picture, Sampling, Thinking

TOP_LOGPROBS_MAX: Final = 20
OPTIONS_MAX: Final = 128
_TOP_P_MIN: Final = 1e-6  # 0 is taken, and means the likeliest token
_LEFT_OPEN: Final = {  # field of Sampling to the option that sets it
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repeat_penalty",
    "max_tokens": "num_predict",
}
# Ways to choose tokens that do not exist here, and the values of them that ask for nothing.
_REFUSED: Final[Mapping[str, tuple[object, ...]]] = {
    "mirostat": (0,),
    "typical_p": (0, 1),
    "tfs_z": (0, 1),
}
# These set up llama.cpp, or belong to one of the above: they are named in the answer's headers, and nothing else.


def _whole(value: Any) -> Any:
    """Ollama reads `100.0` as 100."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Whole = Annotated[int, BeforeValidator(_whole)]
KeepAlive = Annotated[str, Field(max_length=64)] | float | int


class OptionFields(Fields):
    """`options`. What is left out is as set for the model."""

    num_predict: Annotated[Whole, Field(le=INT32_MAX)] | None = Field(
        default=None, description="The most tokens of the answer; 0 and less is until the context is full."
    )
    temperature: float | None = Field(default=None, ge=0, le=10)
    top_k: Annotated[Whole, Field(ge=-1, le=INT32_MAX)] | None = Field(default=None, description="0 and -1 are off.")
    top_p: float | None = Field(default=None, ge=0, le=1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, gt=0, le=10)
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0
    seed: Annotated[Whole, Field(ge=SEED_MIN, le=SEED_MAX)] | None = Field(
        default=None, description="-1 is another one each time."
    )
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=STOP_CHARACTERS_MAX)]],
        Field(max_length=STOPS_MAX),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    ] = Field(default_factory=list[str])


class CommonFields(Fields):
    """The fields of both endpoints."""

    model: str = Field(description="A name, an alias or a unique short name; `:latest` may be left out.")
    stream: bool = Field(default=True, description="Send the answer as it is written, one JSON object a line.")
    options: Annotated[dict[str, Any], Field(max_length=OPTIONS_MAX)] = Field(
        default_factory=dict[str, Any], description="How tokens are chosen; see `OptionFields` in the documentation."
    )
    format: Literal["", "json"] | dict[str, Any] | None = Field(
        default=None, description="`json`, or a JSON schema that the answer is held to."
    )
    think: bool | Literal["low", "medium", "high"] | None = Field(
        default=None, description="Whether, or how much, a model that can think does so first."
    )
    keep_alive: KeepAlive | None = Field(
        default=None, description="How long the model stays in memory: `10m`, seconds; -1 is forever, 0 not at all."
    )
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0, le=TOP_LOGPROBS_MAX)
    truncate: bool = Field(default=False, description="Prompts are never cut here; one that is too long is refused.")
    shift: bool = Field(
        default=False, description="The context is never shifted here; the answer ends when it is full."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One HTTP request, understood."""

    request: ChatRequest
    model: str  # as it was asked for; the answer says so, too
    stream: bool
    logprobs: bool
    thinks: bool  # a thought was asked for outright
    empty: bool  # nothing is to be answered: the model is to be loaded, or to leave
    leaves: bool  # with `empty`
    ignored: tuple[str, ...] = field(default=())


def sampling_of(fields: CommonFields) -> tuple[Sampling, frozenset[str]]:
    """How tokens are chosen, and which of these settings were left to the model's options. Raises UsageError."""
    for name, harmless in _REFUSED.items():
        value = fields.options.get(name)
        if value is not None and value not in harmless:
            raise wrong(
                f"options.{name}", f"`options.{name}` is not taken.", "Leave it out; `min_p` does much the same."
            )
    if fields.top_logprobs and not fields.logprobs:
        raise wrong("top_logprobs", "`top_logprobs` is for answers with `logprobs`.", "Set `logprobs`, too.")
    options = _options(fields.options)
    given = {
        ours: getattr(options, theirs) for ours, theirs in _LEFT_OPEN.items() if getattr(options, theirs) is not None
    }
    left_open = frozenset(_LEFT_OPEN) - given.keys()
    if "top_p" in given:
        given["top_p"] = max(given["top_p"], _TOP_P_MIN)
    if "top_k" in given:
        given["top_k"] = max(given["top_k"], 0)
    if given.get("max_tokens", 1) <= 0:
        given["max_tokens"] = None
    sampling = Sampling(
        **given,
        min_p=options.min_p or 0.0,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        seed=None if options.seed == -1 else options.seed,
        stop=tuple(options.stop),
        top_logprobs=fields.top_logprobs if fields.logprobs else None,
    )
    return sampling, left_open


def format_of(fields: CommonFields) -> OutputFormat:
    """The form that the answer is held to."""
    if not fields.format:
        return OutputFormat()
    if isinstance(fields.format, str):
        return OutputFormat(kind=FormatKind.JSON_OBJECT)
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=fields.format)


def thinking_of(fields: CommonFields) -> tuple[Thinking, dict[str, Any]]:
    """Whether the model thinks, and what its template is told of how much."""
    if isinstance(fields.think, str):
        return Thinking(enabled=True), {"reasoning_effort": fields.think}
    return Thinking(enabled=fields.think), {}


def keep_alive_of(given: KeepAlive | None) -> str | None:
    """As the pool takes it: anything below nothing is forever. Raises UsageError when it is no duration."""
    if given is None:
        return None
    text = str(given).strip() if isinstance(given, str) else f"{given:f}".rstrip("0").rstrip(".")
    forever = text.startswith("-")
    try:
        parse_duration(text.removeprefix("-").strip())
    except ValueError:
        raise wrong(
            "keep_alive", f"`keep_alive` is `{text}`.", "Send a duration such as `10m`, seconds, 0 or -1."
        ) from None
    return "forever" if forever else text


def is_nothing(keep_alive: str | None) -> bool:
    """Whether the model is to leave at once."""
    return keep_alive is not None and not parse_duration(keep_alive)


def ignored_options(fields: CommonFields, unknown: tuple[str, ...]) -> tuple[str, ...]:
    """Everything that was sent and changes nothing."""
    passed = tuple(f"options.{name}" for name in fields.options if name not in OptionFields.model_fields)
    cut = tuple(name for name in ("truncate", "shift") if getattr(fields, name))
    return (*unknown, *cut, *passed)


def pictures_of(images: Sequence[str]) -> tuple[Picture, ...]:
    """Pictures in base64. They stand before the text, as Ollama has it."""
    return tuple(Picture(source=data if data.startswith("data:") else inline(data)) for data in images)


def _options(given: Mapping[str, Any]) -> OptionFields:
    try:
        return parse(OptionFields, {name: value for name, value in given.items() if value is not None})
    except UsageError as error:
        error.param = f"options.{error.param}"
        raise


def as_object(value: object) -> dict[str, Any] | None:
    """`value` when it is a JSON object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
