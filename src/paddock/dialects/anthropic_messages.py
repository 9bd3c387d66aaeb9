"""`/v1/messages` and `/v1/messages/count_tokens`, from bytes to a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from paddock.dialects.anthropic_blocks import MESSAGES_MAX, CacheControl, SystemField, Turn, conversation
from paddock.dialects.anthropic_tools import (
    SCHEMA_BYTES_MAX,
    TOOLS_MAX,
    ChoiceFields,
    ToolFields,
    choice_of,
    tools_of,
)
from paddock.dialects.openai_fields import (
    INT32_MAX,
    STOP_CHARACTERS_MAX,
    STOPS_MAX,
    Fields,
    parse,
    read_object,
    unknown_names,
    wrong,
)
from paddock.vocabulary import ChatRequest, FormatKind, OutputFormat, Priority, Sampling, Thinking

# The newest has no sampling settings any more, since Anthropic's own models take none; here they are taken in every version.
VERSIONS: Final = ("2026-10-21", "2023-06-01", "2023-01-01")
_NESTED: Final = (
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "metadata",
    "cache_control",
)
_TOP_P_MIN: Final = 1e-6  # 0 means the likeliest token
_OPEN: Final = ("temperature", "top_p", "top_k")
# What is asked for by a field's presence, and the values of it that ask for nothing.
_REFUSED: Final[Mapping[str, tuple[tuple[object, ...], str]]] = {
    "container": ((), "There are no containers here. Leave it out."),
    "inference_geo": ((), "Models run on the machine that you ask. Leave it out."),
    "mcp_servers": (([],), "Servers of tools are called by clients, not here. Leave it out."),
    "fallbacks": (([],), "Name the model that is to answer. Leave it out."),
}


class ThinkingFields(Fields):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = Field(default=None, ge=1, le=INT32_MAX)
    display: Literal["summarized", "omitted"] | None = None


class FormatFields(Fields):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputFields(Fields):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: FormatFields | None = None


class Metadata(Fields):
    user_id: Annotated[str, Field(max_length=4096)] | None = None


class Diagnostics(Fields):
    previous_message_id: Annotated[str, Field(max_length=256)] | None = None


class CountFields(Fields):
    """What both endpoints take: all that becomes part of the prompt."""

    model: str = Field(description="A name, an alias or a unique short name; empty is the default model.")
    messages: Annotated[list[Turn], Field(min_length=1, max_length=MESSAGES_MAX)]
    system: SystemField | None = None
    tools: Annotated[list[ToolFields], Field(max_length=TOOLS_MAX)] = Field(default_factory=list[ToolFields])
    tool_choice: ChoiceFields | None = None
    thinking: ThinkingFields | None = None
    output_config: OutputFields | None = None
    output_format: FormatFields | None = Field(default=None, description="The older place of `output_config.format`.")
    cache_control: CacheControl | None = Field(default=None, description="Taken; prompts are cached without it.")
    speed: Literal["standard", "fast"] | None = Field(default=None, description="`fast` goes before others.")


class MessageFields(CountFields):
    """The body of `/v1/messages`."""

    max_tokens: int = Field(ge=0, le=INT32_MAX, description="0 reads the prompt into the cache and answers nothing.")
    stream: bool = Field(default=False, description="Send the answer as it is written, as server-sent events.")
    stop_sequences: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=STOP_CHARACTERS_MAX)]], Field(max_length=STOPS_MAX)
    ] = Field(default_factory=list[str], description="Texts that end the answer; they are not part of it.")
    temperature: float | None = Field(default=None, ge=0, le=1, description="0 takes the likeliest token.")
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=INT32_MAX, description="0 is off.")
    metadata: Metadata | None = Field(default=None, description="Taken, and kept nowhere.")
    service_tier: Literal["auto", "standard_only"] | None = Field(default=None, description="There is one tier.")
    diagnostics: Diagnostics | None = Field(default=None, description="Nothing is kept that could be compared.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMessage:
    """One request for a message, understood."""

    id: str
    request: ChatRequest
    stream: bool
    ignored: tuple[str, ...] = ()  # fields that nobody here knows
    shows_thoughts: bool = True
    silent: bool = False  # the prompt is read, and nothing said
    diagnoses: bool = False  # asked to compare with an earlier message


def parse_message(body: bytes, *, request_id: str, tenant: str, default_model: str) -> AskedMessage:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    _refuse_what_is_not_taken(given)
    fields = parse(MessageFields, given, nested=_NESTED)
    _check_budget(fields)
    sampling, left_open = _sampling(fields)
    return AskedMessage(
        id=request_id,
        request=_request(
            fields, request_id, tenant, default_model=default_model, sampling=sampling, left_open=left_open
        ),
        stream=fields.stream,
        ignored=unknown_names(MessageFields, given, tuple(_REFUSED)),
        shows_thoughts=fields.thinking is None or fields.thinking.display != "omitted",
        silent=fields.max_tokens == 0,
        diagnoses=fields.diagnostics is not None and fields.diagnostics.previous_message_id is not None,
    )


def parse_count(body: bytes, *, request_id: str, tenant: str, default_model: str) -> tuple[ChatRequest, Sequence[str]]:
    """Whose tokens are to be counted, and the fields that nobody here knows. Raises UsageError."""
    given = read_object(body)
    _refuse_what_is_not_taken(given)
    fields = parse(CountFields, given, nested=_NESTED)
    request = _request(fields, request_id, tenant, default_model=default_model, sampling=Sampling())
    return request, unknown_names(CountFields, given, tuple(_REFUSED))


def _request(
    fields: CountFields,
    request_id: str,
    tenant: str,
    *,
    default_model: str,
    sampling: Sampling,
    left_open: frozenset[str] = frozenset(),
) -> ChatRequest:
    tools = tools_of(fields.tools)
    return ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        messages=conversation(fields.system or (), fields.messages, model=fields.model or default_model),
        priority=Priority.HIGH if fields.speed == "fast" else Priority.NORMAL,
        tenant=tenant,
        tools=tools,
        tool_choice=choice_of(fields.tool_choice, tools),
        format=_format(fields),
        thinking=_thinking(fields.thinking),
        template_options=_effort(fields.output_config),
    )


def _sampling(fields: MessageFields) -> tuple[Sampling, frozenset[str]]:
    given = {name: getattr(fields, name) for name in _OPEN if getattr(fields, name) is not None}
    if "top_p" in given:
        given["top_p"] = max(given["top_p"], _TOP_P_MIN)
    # One token is the least that makes a model read a prompt.
    sampling = Sampling(**given, max_tokens=max(fields.max_tokens, 1), stop=tuple(fields.stop_sequences))
    left_open = {name for name in _OPEN if name not in given} | {"repetition_penalty"}
    return sampling, frozenset(left_open)


def _thinking(given: ThinkingFields | None) -> Thinking:
    if given is None:
        return Thinking()
    match given.type:
        case "disabled":
            return Thinking(enabled=False)
        case "adaptive":
            return Thinking(enabled=True)
        case "enabled" if given.budget_tokens is not None:
            return Thinking(enabled=True, budget_tokens=given.budget_tokens)
        case "enabled":
            raise wrong(
                "thinking.budget_tokens", "`thinking.budget_tokens` is missing.", "Send it, or `adaptive` without."
            )
        case "between_tools":
            raise wrong("thinking.type", "`between_tools` is not taken.", "Send `enabled`, `adaptive` or `disabled`.")


def _check_budget(fields: MessageFields) -> None:
    """The thought is a part of the answer."""
    budget = fields.thinking.budget_tokens if fields.thinking is not None else None
    if budget is not None and budget >= fields.max_tokens:
        raise wrong(
            "thinking.budget_tokens",
            f"The thought may have {budget} tokens, and the answer with it {fields.max_tokens}.",
            "Send a `max_tokens` above the budget.",
        )


def _format(fields: CountFields) -> OutputFormat:
    inner = fields.output_config.format if fields.output_config is not None else None
    if inner is not None and fields.output_format is not None:
        raise wrong("output_format", "`output_format` and `output_config.format` are one.", "Send the latter alone.")
    wanted = inner or fields.output_format
    if wanted is None:
        return OutputFormat()
    size = len(msgspec.json.encode(wanted.schema_))
    if size > SCHEMA_BYTES_MAX:
        raise wrong(
            "output_config.format.schema",
            f"This schema has {size} bytes; {SCHEMA_BYTES_MAX} is the most.",
            "Send less.",
        )
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=wanted.schema_)


def _effort(given: OutputFields | None) -> Mapping[str, Any]:
    """Told to the templates of models that know degrees of it; `high` is the most that any knows."""
    if given is None or given.effort is None:
        return {}
    return {"reasoning_effort": given.effort if given.effort in ("low", "medium") else "high"}


def _refuse_what_is_not_taken(given: Mapping[str, Any]) -> None:
    for name, (harmless, hint) in _REFUSED.items():
        value = given.get(name)
        if value is not None and value not in harmless:
            raise wrong(name, f"`{name}` is not taken.", hint)
