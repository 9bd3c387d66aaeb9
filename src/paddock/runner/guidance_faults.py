"""Why a form cannot be held to, in words that name its part."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from paddock.errors import UsageError
from paddock.runner.guidance_grammar import Wanted, schema_part
from paddock.vocabulary import FormatKind

_TRIES_MAX: Final = 200  # sub-schemas looked at for one message
_SCHEMA_HINT: Final = "Change this part of the schema, or leave it out and check the answer when it has come."
_KINDS: Final = {
    FormatKind.JSON_SCHEMA: ("The schema", _SCHEMA_HINT),
    FormatKind.REGEX: ("The regular expression", "Lookahead, lookbehind and references back are not taken."),
    FormatKind.GRAMMAR: (
        "The grammar",
        "Write it as Lark does, with a rule `start`, or as llama.cpp does, with `root`.",
    ),
    FormatKind.CHOICE: ("The choice", "Name plain texts."),
}


def explained(error: str, wanted: Wanted, error_of: Callable[[str], str]) -> UsageError:
    """`error_of` tells what is wrong with a grammar, or nothing."""
    for what, schema, lenient in _schemas(wanted):
        found = _innermost(schema, error_of, lenient=lenient)
        if found is not None:
            path, reason = found
            where = f" at `{path}`" if path else ""
            return UsageError(f"{what} cannot be held to{where}: {_short(reason)}", hint=_SCHEMA_HINT)
    what, hint = _KINDS.get(wanted.format.kind, ("The form", "Ask for a simpler one."))
    return UsageError(f"{what} cannot be held to: {_short(error)}", hint=hint)


def _schemas(wanted: Wanted) -> Iterator[tuple[str, Mapping[str, Any] | bool, bool]]:
    if not wanted.must_call and wanted.format.schema is not None:
        yield "The schema", wanted.format.schema, False
    for tool in wanted.tools:
        if wanted.as_it_likes and not tool.strict:
            continue
        yield f"The schema of tool `{tool.name}`", {"type": "object", **tool.parameters}, not tool.strict


def _innermost(
    schema: Mapping[str, Any] | bool, error_of: Callable[[str], str], *, lenient: bool
) -> tuple[str, str] | None:
    """The path and fault of the smallest part that is at fault by itself. None when the whole has none."""

    def fault(part: Mapping[str, Any] | bool) -> str:
        if not isinstance(part, bool) and not isinstance(schema, bool):
            part = {**{key: schema[key] for key in ("$defs", "definitions") if key in schema}, **part}
        return error_of(json.dumps({"grammars": [schema_part(part, lenient=lenient)]}))

    reason = fault(schema)
    if not reason:
        return None
    path, tries = "", _TRIES_MAX
    part: Mapping[str, Any] = {} if isinstance(schema, bool) else schema
    while True:
        for inner_path, inner in _parts(part):
            tries -= 1
            if tries < 0:
                return path, reason
            inner_reason = fault(inner)
            if inner_reason:
                path, part, reason = f"{path}.{inner_path}" if path else inner_path, inner, inner_reason
                break
        else:
            return path, reason


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Schemas right inside a schema."""
    for key in ("properties", "patternProperties", "$defs", "definitions"):
        named = schema.get(key)
        if isinstance(named, Mapping):
            for name, inner in cast("Mapping[str, Any]", named).items():
                if isinstance(inner, Mapping):
                    yield f"{key}.{name}", cast("Mapping[str, Any]", inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield key, schema[key]
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        listed = schema.get(key)
        if isinstance(listed, list | tuple):
            for number, inner in enumerate(cast("list[Any]", listed)):
                if isinstance(inner, Mapping):
                    yield f"{key}[{number}]", cast("Mapping[str, Any]", inner)


def _short(error: str) -> str:
    """The first lines say it; the rest is drawing."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    text = " ".join(lines[:4]) or "it is too complex."
    return text if len(text) <= 300 else f"{text[:300]}…"
