"""Checks a value against the part of JSON Schema that our own schemas use, and returns what is wrong with it."""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def complaints(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str = "$") -> list[str]:
    """Every way in which `value` is not what `schema` says; unknown fields are one of them."""
    return list(_complaints(value, schema, root, place))


def _complaints(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _complaints(value, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root, place)
        return
    if "anyOf" in schema:
        if all(complaints(value, choice, root, place) for choice in schema["anyOf"]):
            yield f"{place}: {value!r} fits no choice"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    if "type" in schema and not _has_type(value, schema["type"]):
        yield f"{place}: {value!r} is no {schema['type']}"
        return
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", "properties" not in schema)  # our objects say all that they hold
        yield from (f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value)
        for name, item in value.items():
            if name in known:
                yield from _complaints(item, known[name], root, f"{place}.{name}")
            elif rest is False:
                yield f"{place}: {name} is not in the schema"
            elif isinstance(rest, dict):
                yield from _complaints(item, rest, root, f"{place}.{name}")
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _complaints(item, schema.get("items", {}), root, f"{place}[{position}]")


def _has_type(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
