"""What a client of `/v1/responses` wants, understood: the request to answer, and what the response says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paddock.dialects.openai_fields import wrong
from paddock.dialects.openai_sampling import (
    includes_usage,
    keep_alive_of,
    priority_of,
    sampling_of,
    tier_of,
)
from paddock.dialects.openai_tools import effort_option, thinking_of
from paddock.dialects.responses_fields import ResponseFields, TextFormatFields
from paddock.dialects.responses_items import Item, Reading, items_of, messages_of
from paddock.dialects.responses_tools import custom_names, shown_choice, shown_tools, toolbox_of
from paddock.vocabulary import ChatRequest, FormatKind, OutputFormat

_LOGPROBS = "message.output_text.logprobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedResponse:
    """One HTTP request, understood."""

    key: str  # `resp_<key>` is the response's id
    request: ChatRequest
    stream: bool
    store: bool
    logprobs: bool  # whether they are shown
    ignored: tuple[str, ...]
    context: tuple[Item, ...]  # all that was said before the answer, this request's items at the end
    customs: frozenset[str] = frozenset()  # names of tools whose calls are custom ones
    shown: Mapping[str, Any]  # what the response repeats of the request


def understood(
    fields: ResponseFields,
    *,
    key: str,
    request_id: str,
    tenant: str,
    reading: Reading,
    before: Sequence[Item],
    unknown: Sequence[str],
) -> AskedResponse:
    """`before`: what the previous response knew and said. Raises UsageError that names the field, the rule and the remedy."""
    includes_usage(fields)  # refuses stream options that mean something else here
    context = (*before, *items_of(fields.input, reading))
    toolbox, passed_over = toolbox_of(fields)
    logprobs = _LOGPROBS in fields.include or fields.top_logprobs is not None
    sampling, left_open = sampling_of(
        fields, max_tokens=fields.max_output_tokens, top_logprobs=(fields.top_logprobs or 0) if logprobs else None
    )
    if fields.text is not None and fields.text.verbosity not in (None, "medium"):
        raise wrong("text.verbosity", "`text.verbosity` is not taken.", "Say in `instructions` how long to answer.")
    effort = fields.reasoning.effort if fields.reasoning else None
    request = ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        messages=messages_of(context, instructions=fields.instructions, first=len(before)),
        priority=priority_of(fields),
        tenant=tenant,
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        format=_format(fields.text.format if fields.text else None),
        thinking=thinking_of(effort),
        template_options=effort_option(effort),
        keep_alive=keep_alive_of(fields),
    )
    return AskedResponse(
        key=key,
        request=request,
        stream=fields.stream,
        store=fields.store,
        logprobs=logprobs,
        ignored=(*unknown, *passed_over, *_passed_over(fields)),
        context=context,
        customs=custom_names(fields),
        shown={
            "instructions": fields.instructions,
            "previous_response_id": fields.previous_response_id,
            "max_output_tokens": fields.max_output_tokens,
            "top_logprobs": fields.top_logprobs or 0,
            "store": fields.store,
            "tools": shown_tools(toolbox.tools, fields),
            "tool_choice": shown_choice(fields),
            "parallel_tool_calls": fields.parallel_tool_calls,
            "reasoning": {"effort": effort, "summary": None},
            "text": {"format": _shown_format(fields.text.format if fields.text else None)},
            "metadata": fields.metadata,
            "service_tier": tier_of(fields) or "default",
            "user": fields.user or None,
            "safety_identifier": fields.safety_identifier or None,
            "prompt_cache_key": fields.prompt_cache_key or None,
        },
    )


def _passed_over(fields: ResponseFields) -> Sequence[str]:
    """What is asked for beside the answer and does not come with it."""
    names = [f"include.{name}" for name in fields.include if name != _LOGPROBS]
    if fields.reasoning and (fields.reasoning.summary or fields.reasoning.generate_summary):
        names.append("reasoning.summary")
    return names


def _format(given: TextFormatFields | None) -> OutputFormat:
    if given is None or given.type == "text":
        return OutputFormat()
    if given.type == "json_object":
        return OutputFormat(kind=FormatKind.JSON_OBJECT)
    if given.schema_ is None:
        raise wrong("text.format.schema", "`text.format.schema` is missing.", "A `json_schema` format needs it.")
    if given.name is None:
        raise wrong("text.format.name", "`text.format.name` is missing.", "A `json_schema` format needs it.")
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=given.schema_)


def _shown_format(given: TextFormatFields | None) -> Mapping[str, Any]:
    if given is None or given.type != "json_schema":
        return {"type": "text" if given is None else given.type}
    return {
        "type": "json_schema",
        "name": given.name,
        "description": given.description,
        "schema": given.schema_,
        "strict": given.strict,
    }
