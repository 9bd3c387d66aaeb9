"""`/v1/chat/completions`, from bytes to a request."""

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_chat_tools import ToolFields, toolbox_of
from paddock.dialects.openai_fields import INT32_MAX, ShortText, parse, read_object, unknown_names, wrong
from paddock.dialects.openai_formats import FormatFields, format_of
from paddock.dialects.openai_messages import ChatMessage, messages_of
from paddock.dialects.openai_sampling import (
    CommonFields,
    includes_usage,
    keep_alive_of,
    known_besides,
    priority_of,
    refuse_what_is_not_taken,
    sampling_of,
    tier_of,
)
from paddock.dialects.openai_tools import TOOLS_MAX, Effort, effort_option, thinking_of, with_template_thinking
from paddock.vocabulary import ChatRequest

MESSAGES_MAX: Final = 10_000
TOP_LOGPROBS_MAX: Final = 20
TEMPLATE_OPTIONS_MAX: Final = 64
TEMPLATE_OPTIONS_BYTES_MAX: Final = 64 * 1024
# A template's own names: whoever could set them would write the prompt past the template.
_TEMPLATE_NAMES: Final = ("messages", "tools", "add_generation_prompt", "tokenize", "return_tensors", "return_dict")


class ChatFields(CommonFields, FormatFields):
    """The body of a chat request."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
    max_completion_tokens: int | None = Field(default=None, ge=1, le=INT32_MAX, description="As `max_tokens`.")
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=TOP_LOGPROBS_MAX)
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
    ] = Field(default_factory=dict[str, str], description="Comes back with the answer.")
    tools: Annotated[list[ToolFields], Field(max_length=TOOLS_MAX)] = Field(default_factory=list[ToolFields])
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] = "auto"
    parallel_tool_calls: bool = True
    reasoning_effort: Effort | None = Field(
        default=None,
        description="How hard to think. Left out, or `none`: a model that can do without answers without a thought.",
    )
    safety_identifier: ShortText = Field(default="", description="Taken, and kept nowhere.")
    prompt_cache_key: ShortText = Field(default="", description="Taken; prompts are cached without it.")
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    chat_template_kwargs: Annotated[dict[str, Any], Field(max_length=TEMPLATE_OPTIONS_MAX)] = Field(
        default_factory=dict[str, Any], description="Handed to the model's chat template."
    )


def parse_chat(body: bytes, *, request_id: str, tenant: str, default_model: str) -> Asked:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    refuse_what_is_not_taken(given, chat=True)
    fields = parse(ChatFields, given)
    sampling, left_open = sampling_of(fields, max_tokens=_max_tokens(fields), top_logprobs=_top_logprobs(fields))
    toolbox = toolbox_of(fields.tools, fields.tool_choice, parallel=fields.parallel_tool_calls)
    template_options = _template_options(fields.chat_template_kwargs)
    request = ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        messages=messages_of(fields.messages, model=fields.model or default_model),
        choices=fields.n,
        priority=priority_of(fields),
        tenant=tenant,
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        format=format_of(fields),
        thinking=with_template_thinking(thinking_of(fields.reasoning_effort), template_options),
        template_options={**effort_option(fields.reasoning_effort), **template_options},
        keep_alive=keep_alive_of(fields),
    )
    return Asked(
        id=request_id,
        requests=(request,),
        shown=fields.n,
        prompt_field="messages",
        stream=fields.stream,
        include_usage=includes_usage(fields),
        logprobs=sampling.top_logprobs,
        ignored=unknown_names(ChatFields, given, known_besides()),
        tier=tier_of(fields),
        metadata=fields.metadata or None,
    )


def _max_tokens(fields: ChatFields) -> int | None:
    if fields.max_tokens is not None and fields.max_completion_tokens is not None:
        raise wrong(
            "max_tokens",
            "`max_tokens` and `max_completion_tokens` are one setting.",
            "Send `max_completion_tokens` alone.",
        )
    return fields.max_tokens if fields.max_completion_tokens is None else fields.max_completion_tokens


def _top_logprobs(fields: ChatFields) -> int | None:
    if not fields.logprobs:
        if fields.top_logprobs is not None:
            raise wrong("top_logprobs", "`top_logprobs` is for answers with `logprobs`.", "Set `logprobs`, too.")
        return None
    return fields.top_logprobs or 0


def _template_options(given: dict[str, Any]) -> dict[str, Any]:
    taken = next((name for name in _TEMPLATE_NAMES if name in given), None)
    if taken is not None:
        raise wrong("chat_template_kwargs", f"`chat_template_kwargs` cannot set `{taken}`.", "Leave it out.")
    try:
        size = len(msgspec.msgpack.encode(given))
    except (OverflowError, RecursionError, ValueError) as error:
        raise wrong(
            "chat_template_kwargs",
            "`chat_template_kwargs` holds a value that cannot be handed on.",
            "Send flat values, and numbers of 64 bits.",
        ) from error
    if size > TEMPLATE_OPTIONS_BYTES_MAX:
        raise wrong("chat_template_kwargs", f"`chat_template_kwargs` has {size} bytes.", "Send less.")
    return given
