"""The body of `/v1/responses`, from bytes to checked fields, before anything that was kept is looked at."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field

from paddock.dialects.openai_fields import INT32_MAX, Fields, ShortText, parse, read_object, unknown_names, wrong
from paddock.dialects.openai_sampling import CommonFields
from paddock.dialects.openai_tools import ARGUMENTS_CHARACTERS_MAX, TOOLS_MAX, Effort

ITEMS_MAX: Final = 10_000
PARTS_MAX: Final = 1024
TOP_LOGPROBS_MAX: Final = 20
_NESTED: Final = ("input", "tools", "text", "reasoning", "stream_options")
_IDS: Final = Field(max_length=256)

# What asks for something that does not exist here, and the values of it that ask for nothing.
_REFUSED: Final[Mapping[str, tuple[tuple[object, ...], str]]] = {
    "background": ((False,), "Answers are made while their caller waits. Leave it out, and set `stream`."),
    "background_options": ((), "Answers are made while their caller waits. Leave it out."),
    "conversation": ((), "Conversations go on with `previous_response_id`. Leave it out."),
    "prompt": ((), "Prompts are not kept here. Send `instructions` and `input`."),
    "moderation": ((), "Paddock moderates nothing. Leave it out."),
    "context_management": (([],), "What does not fit the context is refused. Leave it out."),
    "truncation": (("disabled",), "What does not fit the context is refused. Leave it out, or send `disabled`."),
    "max_tokens": ((), "Here it is `max_output_tokens`."),
    "n": ((1,), "A response is one answer. Leave it out."),
}
_PASSED_OVER: Final = ("access_programs", "image", "max_tool_calls")  # of no meaning for what runs here


def _as_items(value: Any) -> Any:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


def _as_parts(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _as_url(value: Any) -> Any:
    """Chat completions have an object around it, and clients mix the two up."""
    return cast("dict[str, Any]", value).get("url") if isinstance(value, dict) else value


class PartFields(Fields):
    """A piece of a message, of a function's output or of a thought."""

    type: Annotated[str, _IDS]
    text: str | None = None
    refusal: str | None = None
    image_url: Annotated[str | None, BeforeValidator(_as_url, json_schema_input_type=str | None)] = Field(
        default=None, description="Of a picture: a data URI, or an http or https address."
    )
    file_id: Annotated[str, _IDS] | None = Field(default=None, description="Not taken: no files are kept here.")
    detail: ShortText | None = Field(default=None, description="Taken; pictures are read as large as the model can.")


Parts = Annotated[
    list[PartFields] | None,
    Field(max_length=PARTS_MAX),
    BeforeValidator(_as_parts, json_schema_input_type=str | list[PartFields] | None),
]


class ItemFields(Fields):
    """One thing that was said or done: a message, a call, its output, a thought, or where one is kept."""

    type: Annotated[str, _IDS] = "message"
    id: Annotated[str, _IDS] | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Parts = None
    phase: Literal["commentary", "final_answer"] | None = Field(default=None, description="Of an assistant's message.")
    call_id: Annotated[str, _IDS] | None = None
    name: ShortText | None = None
    arguments: Annotated[str, Field(max_length=ARGUMENTS_CHARACTERS_MAX)] | None = None
    output: Parts = None
    input: Annotated[str, Field(max_length=ARGUMENTS_CHARACTERS_MAX)] | None = None
    summary: Annotated[list[PartFields], Field(max_length=PARTS_MAX)] | None = None


class TextFormatFields(Fields):
    type: Literal["text", "json_object", "json_schema"]
    name: ShortText | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class TextFields(Fields):
    """What the answer's text is to be."""

    format: TextFormatFields | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningFields(Fields):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = Field(default=None, description="Thoughts come whole.")
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class ResponseFields(CommonFields):
    """The body of a request for a response."""

    input: Annotated[
        list[ItemFields],
        Field(max_length=ITEMS_MAX),
        BeforeValidator(_as_items, json_schema_input_type=str | list[ItemFields]),
    ] = Field(default_factory=list[ItemFields], description="A text, or what was said and done so far.")
    instructions: str | None = Field(default=None, description="What the system says; of this response only.")
    previous_response_id: Annotated[str, _IDS] | None = Field(default=None, description="A kept one that this goes on.")
    max_output_tokens: int | None = Field(default=None, ge=1, le=INT32_MAX, description="Thoughts and calls included.")
    tools: Annotated[list[dict[str, Any]], Field(max_length=TOOLS_MAX)] = Field(
        default_factory=list[dict[str, Any]],
        description="Functions and custom tools; tools of other types are passed over.",
    )
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] = "auto"
    parallel_tool_calls: bool = True
    reasoning: ReasoningFields | None = None
    text: TextFields | None = None
    include: Annotated[list[Annotated[str, _IDS]], Field(max_length=32)] = Field(default_factory=list[str])
    top_logprobs: int | None = Field(default=None, ge=0, le=TOP_LOGPROBS_MAX)
    store: bool = Field(default=True, description="Keep it, so that others can go on from it.")
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
    ] = Field(default_factory=dict[str, str], description="Comes back with the response.")
    safety_identifier: ShortText = Field(default="", description="Taken, and kept nowhere.")
    prompt_cache_key: ShortText = Field(default="", description="Taken; prompts are cached without it.")
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None


def read_response(body: bytes) -> tuple[ResponseFields, tuple[str, ...]]:
    """What `body` says, and the fields of it that nobody here knows. Raises UsageError."""
    given = read_object(body)
    for name, (harmless, hint) in _REFUSED.items():
        value = given.get(name)
        if value is not None and not any(type(value) is type(each) and value == each for each in harmless):
            raise wrong(name, f"`{name}` is not taken.", hint)
    options: object = given.get("prompt_cache_options")
    if isinstance(options, dict) and cast("dict[str, Any]", options).get("mode") not in (None, "implicit"):
        raise wrong("prompt_cache_options", "Prompts are always cached implicitly.", "Leave `mode` out.")
    fields = parse(ResponseFields, _without_nulls(given), nested=_NESTED)
    known = (*_REFUSED, *_PASSED_OVER, "prompt_cache_options")
    return fields, unknown_names(ResponseFields, given, known)


def _without_nulls(given: dict[str, Any]) -> dict[str, Any]:
    """Clients send back what they were given, `null` where nothing was: an item's fields are as good as left out."""
    items: object = given.get("input")
    if not isinstance(items, list):
        return given
    cleaned = [
        {name: value for name, value in cast("dict[str, Any]", item).items() if value is not None}
        if isinstance(item, dict)
        else item
        for item in cast("list[object]", items)
    ]
    return {**given, "input": cleaned}
