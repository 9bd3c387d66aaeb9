"""`/api/generate`, from bytes to a request."""

from typing import Annotated, Any, Final

from pydantic import Field

from paddock.dialects.ollama_context import NUMBERS_MAX, read_context
from paddock.dialects.ollama_fields import (
    Asked,
    CommonFields,
    format_of,
    ignored_options,
    is_nothing,
    keep_alive_of,
    pictures_of,
    sampling_of,
    thinking_of,
)
from paddock.dialects.openai_fields import parse, read_object, unknown_names, wrong
from paddock.vocabulary import ChatRequest, Message

_IMAGE_MAKING: Final = ("width", "height", "steps")


class GenerateFields(CommonFields):
    """The body of a request for text."""

    prompt: str = Field(default="", description="None: the model is loaded, or with `keep_alive` 0 unloaded.")
    system: str = Field(default="", description="What the model is told before the prompt.")
    raw: bool = Field(default=False, description="The prompt is handed to the model as it is, without its template.")
    context: Annotated[list[int], Field(max_length=NUMBERS_MAX)] = Field(
        default_factory=list[int], description="What the last answer brought, to go on from there."
    )
    images: list[str] = Field(default_factory=list[str], description="Pictures, in base64.")
    template: str = Field(default="", description="Not taken: a template of a request is a program of a stranger.")
    suffix: str = Field(default="", description="Not taken: the models here do not write between two texts.")


def parse_generate(body: bytes, *, request_id: str, tenant: str) -> Asked:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    fields = parse(GenerateFields, given)
    _refuse(fields, given)
    sampling, left_open = sampling_of(fields)
    thinking, template_options = thinking_of(fields)
    keep_alive = keep_alive_of(fields.keep_alive)
    request = ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        messages=None if fields.raw else _messages(fields),
        prompt=fields.prompt if fields.raw else None,
        tenant=tenant,
        format=format_of(fields),
        thinking=thinking,
        template_options=template_options,
        keep_alive=keep_alive,
    )
    return Asked(
        request=request,
        model=fields.model,
        stream=fields.stream,
        logprobs=fields.logprobs,
        thinks=bool(fields.think),
        empty=not fields.prompt,
        leaves=is_nothing(keep_alive),
        ignored=ignored_options(fields, unknown_names(GenerateFields, given)),
    )


def _refuse(fields: GenerateFields, given: dict[str, Any]) -> None:
    if fields.template:
        raise wrong(
            "template",
            "`template` is not taken: templates come with models, never with requests.",
            "Leave it out; with `raw` the prompt can be written out whole.",
        )
    if fields.suffix:
        raise wrong("suffix", "`suffix` is not taken.", "Leave it out; the models here do not write between two texts.")
    for name in _IMAGE_MAKING:
        if given.get(name):
            raise wrong(name, f"`{name}` is for images, and no model here makes any.", "Leave it out.")
    if fields.raw and (fields.system or fields.context or fields.images):
        name = "system" if fields.system else "context" if fields.context else "images"
        raise wrong(name, f"`{name}` has no place in a raw prompt.", "Write it into the prompt, or leave `raw` out.")


def _messages(fields: GenerateFields) -> tuple[Message, ...]:
    """A system text of this request takes the place of the one in the context."""
    before = read_context(fields.context)
    if fields.system:
        before = tuple(message for message in before if message.role != "system")
        before = (Message(role="system", content=fields.system), *before)
    return (*before, Message(role="user", content=fields.prompt, images=pictures_of(fields.images)))
