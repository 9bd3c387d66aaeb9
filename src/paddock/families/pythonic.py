"""Calls in Python's spelling: `[weather(city="Rome", days=3), clock()]`. Read, never run."""

import ast
import json
from collections.abc import Collection
from typing import Final

CHARACTERS_MAX: Final = 65_536


def read_calls(text: str, tool_names: Collection[str]) -> list[tuple[str, str]]:
    """Name and arguments (JSON) of every call; empty when `text` is anything else, or calls what is no tool."""
    if len(text) > CHARACTERS_MAX:
        return []
    try:
        calls = _from_python(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []
    return calls if all(name in tool_names for name, _ in calls) else []


def _from_python(node: ast.expr) -> list[tuple[str, str]]:
    calls = node.elts if isinstance(node, ast.List) else [node]
    found: list[tuple[str, str]] = []
    for call in calls:
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("no call with named arguments")
        arguments = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
        found.append((ast.unparse(call.func), json.dumps(arguments, ensure_ascii=False, allow_nan=False)))
    return found
