"""The small bodies of Ollama's API: which model is shown, pulled, deleted or copied."""

from typing import Any

from pydantic import Field

from paddock.dialects.openai_fields import Fields, parse, read_object, wrong


class NameFields(Fields):
    """`/api/show`, `/api/delete`. Older clients call the model `name`."""

    model: str = ""
    name: str = Field(default="", description="As `model`, which newer clients send.")


class PullFields(NameFields):
    """`/api/pull`."""

    stream: bool = Field(default=True, description="Send progress, one JSON object a line.")
    insecure: bool = Field(default=False, description="Not taken: models come over connections that can be trusted.")


class CopyFields(Fields):
    """`/api/copy`."""

    source: str = Field(min_length=1)
    destination: str = Field(min_length=1)


def parse_name(body: bytes) -> str:
    """The model that `body` names. Raises UsageError."""
    return _name(parse(NameFields, read_object(body)))


def parse_pull(body: bytes) -> tuple[str, bool]:
    """What to pull, and whether progress is to be told. Raises UsageError."""
    fields = parse(PullFields, read_object(body))
    if fields.insecure:
        raise wrong("insecure", "`insecure` is not taken.", "Leave it out; models come over HTTPS only.")
    return _name(fields), fields.stream


def parse_copy(body: bytes) -> CopyFields:
    """What is to be copied. Raises UsageError."""
    given: dict[str, Any] = read_object(body)
    return parse(CopyFields, given)


def _name(fields: NameFields) -> str:
    name = fields.model or fields.name
    if not name:
        raise wrong("model", "`model` is missing.", "Send the name of a model; `/api/tags` lists them.")
    return name
