"""Generates docs/reference/configuration.md and config.schema.json from the schema; a test keeps both true."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from paddock.config.environment import PROVIDER_HOST, SHORT, variable_of
from paddock.config.example import EXAMPLE
from paddock.config.keys import Key, Leaf, joined, leaves, root
from paddock.config.rules import Rule
from paddock.config.schema import Settings
from paddock.config.units import MemoryAmount, format_duration

_BORROWED: Mapping[str, str] = {
    "HF_HOME": "Hugging Face's folder: its cache and its token",
    "HF_HUB_CACHE": "Hugging Face's cache, wherever it is",
    "HF_TOKEN": "`hub.token`",
    "HF_ENDPOINT": "`hub.endpoint`",
    "HF_HUB_OFFLINE": "`hub.offline`",
    "OLLAMA_MODELS": "Ollama's models, which are adopted in place",
    "OLLAMA_HOST": "`providers.ollama.host`",
    "LLAMA_CACHE": "llama.cpp's models, which are adopted in place",
    "KAGGLE_USERNAME": "`hub.kaggle_username`",
    "KAGGLE_KEY": "`hub.kaggle_key`",
    "KAGGLE_API_TOKEN": "`hub.kaggle_token`",
}

_HEAD = """\
# Configuration

<!-- Generated from src/paddock/config/schema.py by paddock.config.reference; a test holds it to that. -->

Settings come from, strongest first: flags; `PADDOCK_*` variables; other tools' variables; `.paddock/config.yaml` in the
folder you are in; `$XDG_CONFIG_HOME/paddock/config.yaml` (usually `~/.config/paddock/config.yaml`); defaults.
`PADDOCK_HOME` puts configuration, data, state and cache under one folder. `paddock config show --source` tells what is
in force and where it comes from, `paddock config set KEY VALUE` changes your file and keeps its comments, and
`paddock config init` writes the example below.

Every setting has a variable: the key in capitals, `__` for each dot, such as `PADDOCK_OPTIONS__TOP_P` for
`options.top_p`. Keys may be written in camelCase, too. A key that does not exist is a warning that names the nearest; a
value that breaks a rule is an error that names field, value, rule and remedy.

Settings marked ¹ say where tokens, prompts and rows go: a workspace's file may not set them. Settings marked ² are
secrets: they come from the environment or from where other tools store them, and no file may hold them.
"""


def render_reference() -> str:
    """The page, complete."""
    return "\n".join([_HEAD, *_sections(), *_variables(), "## A complete example\n", f"```yaml\n{EXAMPLE}```", ""])


def render_json_schema() -> str:
    """The settings file as JSON Schema, for editors: without secrets, which no file may hold."""
    schema = Settings.model_json_schema()
    for key, leaf in leaves():
        if leaf.secret:
            _definition(schema, key[0])["properties"].pop(key[-1], None)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Paddock's settings"
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _definition(schema: dict[str, Any], section: str) -> dict[str, Any]:
    shape = schema["properties"][section]
    shape = shape.get("additionalProperties", shape)  # of a table: what stands under each name
    return schema["$defs"][shape["$ref"].rpartition("/")[2]]


def _sections() -> Iterator[str]:
    for name, shape in root().children.items():
        yield f"## {name}\n"
        yield f"{shape.description}\n"
        yield "| setting | default | |"
        yield "|---|---|---|"
        for key, leaf in leaves(shape, (name,)):
            yield _row(key, leaf)
        yield ""


def _row(key: Key, leaf: Leaf) -> str:
    mark = "²" if leaf.secret else "¹" if leaf.user_only else ""
    rule = "" if leaf.free or leaf.secret else _sentence(leaf.rule)
    return f"| `{joined(key)}`{mark} | {_default(leaf)} | {' '.join(filter(None, (leaf.description, rule)))} |"


def _sentence(rule: Rule) -> str:
    if rule.text.startswith("must be text"):
        return ""
    return f"{rule.text[0].upper()}{rule.text[1:]}." if rule.text.startswith("must") else rule.remedy


def _default(leaf: Leaf) -> str:
    match leaf.default:
        case None | "":
            return ""
        case bool():
            return f"`{str(leaf.default).lower()}`"
        case timedelta():
            return f"`{format_duration(leaf.default)}`"
        case MemoryAmount() | str() | int() | float():
            return f"`{leaf.default}`"
        case _:
            return ""


def _variables() -> Iterator[str]:
    yield "## Variables\n"
    yield "| variable | sets |"
    yield "|---|---|"
    yield "| `PADDOCK_HOME` | the folder of configuration, data, state and cache |"
    for name, key in SHORT.items():
        yield f"| `{name}` | `{joined(key)}`, like `{variable_of(key)}` |"
    yield f"| `{PROVIDER_HOST}` | `host` of the provider in `PADDOCK_PROVIDER`, of `ollama` when that is not set |"
    for name, meaning in _BORROWED.items():
        yield f"| `{name}` | {meaning} |"
    yield ""


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "configuration.md").write_text(render_reference(), encoding="utf-8")
    (folder / "config.schema.json").write_text(render_json_schema(), encoding="utf-8")
