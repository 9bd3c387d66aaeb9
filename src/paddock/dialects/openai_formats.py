"""The form an answer is held to: OpenAI's `response_format`, and vLLM's `structured_outputs` and `guided_*`."""

import json
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field

from paddock.dialects.openai_fields import Fields, wrong
from paddock.vocabulary import FormatKind, OutputFormat

CHOICES_MAX: Final = 10_000
_SCHEMA_HINT: Final = "Send a JSON schema: an object, true or false."

Schema = dict[str, Any] | bool | str
Choices = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=CHOICES_MAX)]


class JsonSchemaFields(Fields):
    """OpenAI's wrapping of a schema. Every schema is held to strictly, whatever `strict` says."""

    name: str = ""
    description: str | None = None
    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormatFields(Fields):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFields | None = None


class StructuredFields(Fields):
    """vLLM's. Exactly one of them."""

    json_: Schema | None = Field(default=None, alias="json")
    regex: str | None = None
    choice: Choices | None = None
    grammar: str | None = Field(default=None, description="Lark, or llama.cpp's GBNF.")
    json_object: bool | None = None


class FormatFields(Fields):
    """What an answer can be held to. At most one of them."""

    response_format: ResponseFormatFields | None = Field(
        default=None, description="`text`, `json_object`, `json_schema`."
    )
    structured_outputs: StructuredFields | None = Field(
        default=None, description="One of `json`, `regex`, `choice`, `grammar`, `json_object`."
    )
    guided_json: Schema | None = None
    guided_regex: str | None = None
    guided_choice: Choices | None = None
    guided_grammar: str | None = Field(default=None, description="Lark, or llama.cpp's GBNF.")


def format_of(fields: FormatFields) -> OutputFormat:
    """Raises UsageError when several forms are asked for, or one that is incomplete."""
    asked = {name: form for name, form in _forms(fields).items() if form is not None}
    if len(asked) > 1:
        first, second, *_ = asked
        raise wrong(second, f"`{first}` and `{second}` both say what the answer is held to.", "Send one of them.")
    return next(iter(asked.values()), OutputFormat())


def _forms(fields: FormatFields) -> dict[str, OutputFormat | None]:
    forms = {"response_format": _response_format(fields.response_format)}
    structured = fields.structured_outputs
    if structured is not None:
        given = {
            "structured_outputs.json": _schema(structured.json_, "structured_outputs.json"),
            "structured_outputs.regex": _pattern(FormatKind.REGEX, structured.regex),
            "structured_outputs.choice": _choice(structured.choice),
            "structured_outputs.grammar": _pattern(FormatKind.GRAMMAR, structured.grammar),
            "structured_outputs.json_object": (
                OutputFormat(kind=FormatKind.JSON_OBJECT) if structured.json_object else None
            ),
        }
        if not any(given.values()):
            raise wrong(
                "structured_outputs",
                "`structured_outputs` has no form that is known here.",
                "Send one of `json`, `regex`, `choice`, `grammar`, `json_object`.",
            )
        forms |= given
    return forms | {
        "guided_json": _schema(fields.guided_json, "guided_json"),
        "guided_regex": _pattern(FormatKind.REGEX, fields.guided_regex),
        "guided_choice": _choice(fields.guided_choice),
        "guided_grammar": _pattern(FormatKind.GRAMMAR, fields.guided_grammar),
    }


def _response_format(given: ResponseFormatFields | None) -> OutputFormat | None:
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return OutputFormat(kind=FormatKind.JSON_OBJECT)
    if given.json_schema is None or given.json_schema.schema_ is None:
        raise wrong("response_format", "`response_format.json_schema.schema` is missing.", _SCHEMA_HINT)
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=given.json_schema.schema_)


def _schema(given: Schema | None, name: str) -> OutputFormat | None:
    if given is None:
        return None
    if isinstance(given, str):
        try:
            value: Any = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise wrong(name, f"`{name}` is a text that is no JSON.", _SCHEMA_HINT) from error
        if not isinstance(value, dict | bool):
            raise wrong(name, f"`{name}` is no schema.", _SCHEMA_HINT)
        given = cast("dict[str, Any] | bool", value)
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=given)


def _pattern(kind: FormatKind, given: str | None) -> OutputFormat | None:
    return None if given is None else OutputFormat(kind=kind, pattern=given)


def _choice(given: list[str] | None) -> OutputFormat | None:
    return None if given is None else OutputFormat(kind=FormatKind.CHOICE, choices=tuple(given))
