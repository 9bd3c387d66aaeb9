"""All layers, one result.

    flags  >  PADDOCK_*  >  HF_*, OLLAMA_*, KAGGLE_*  >  stored tokens
           >  .paddock/config.yaml  >  the user's config.yaml  >  preset  >  defaults

The merge is a plain dictionary under dotted keys: a higher layer replaces a lower one's value, and its source with it.
Values are checked once, merged, so a value that nobody will see can do no harm.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paddock.config.credentials import stored_credentials
from paddock.config.environment import borrowed_variables, own_variables
from paddock.config.keys import Key, Leaf, Table, joined, shape_at, split_key, suggestion
from paddock.config.layers import Layer, Origin, Problem, Setting, read_layer, shown
from paddock.config.paths import Paths, find_paths, path_sources
from paddock.config.rules import Rule
from paddock.config.schema import PRESETS, Config, Settings
from paddock.config.yaml_file import Document, read_document
from paddock.errors import InvalidConfig, StorageError

PROBLEMS_SHOWN_MAX = 50
_FLAGS: Mapping[Key, str] = {("model", "default"): "--model", ("model", "routing", "default_profile"): "--profile"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What loading came to: the settings, or all that is wrong with them."""

    config: Config | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def load_config(
    *,
    environment: Mapping[str, str],
    workspace: Path,
    flags: Mapping[str, Any] | None = None,
    home: Path | None = None,
    platform: str = sys.platform,
) -> Config:
    """The settings for one run. `flags` maps dotted keys to values, None where a flag was not given.

    Raises InvalidConfig with every broken rule, or StorageError when a settings file cannot be read.
    """
    outcome = inspect_config(environment=environment, workspace=workspace, flags=flags, home=home, platform=platform)
    if outcome.config is None:
        raise invalid(outcome.problems)
    return outcome.config


def inspect_config(
    *,
    environment: Mapping[str, str],
    workspace: Path,
    flags: Mapping[str, Any] | None = None,
    home: Path | None = None,
    platform: str = sys.platform,
) -> Outcome:
    """As `load_config`, but broken rules are part of the answer. Files that are no YAML still raise InvalidConfig."""
    home = home or Path(environment.get("HOME") or Path.home())
    paths = find_paths(environment, workspace=workspace, home=home, platform=platform)
    layers = [
        file_layer(read_document(paths.config_file), paths.config_file),
        file_layer(read_document(paths.workspace_file), paths.workspace_file, workspace=True),
        stored_credentials(paths),
        borrowed_variables(environment),
        own_variables(environment),
        _flag_layer(flags or {}),
    ]
    return resolve(layers, paths, path_sources(environment))


def resolve(layers: list[Layer], paths: Paths, sources: Mapping[str, str]) -> Outcome:
    """Merge `layers`, lowest first, and check what came out."""
    problems = [problem for layer in layers for problem in layer.problems]
    warnings = tuple(warning for layer in layers for warning in layer.warnings)
    merged = _with_preset({setting.key: setting for layer in layers for setting in layer.settings})
    settings, broken = check(merged)
    problems += broken
    if settings is None or problems:
        return Outcome(None, tuple(problems), warnings)
    found = {**sources, **{joined(key): str(setting.origin) for key, setting in merged.items()}}
    sections = {name: getattr(settings, name) for name in Settings.model_fields}
    config = Config.model_construct(**sections, paths=paths, sources=found, warnings=warnings)
    return Outcome(config, (), warnings)


def check(merged: Mapping[Key, Setting]) -> tuple[Settings | None, list[Problem]]:
    """The settings if every value keeps its rule, else one problem for each that does not."""
    try:
        return Settings.model_validate(_nested(merged)), []
    except ValidationError as error:
        return None, [
            _problem(tuple(str(part) for part in found["loc"]), found["input"], merged)
            for found in error.errors(include_url=False, include_context=False)
        ]


def file_layer(document: Document, path: Path, *, workspace: bool = False) -> Layer:
    """A settings file's layer."""
    place = str(path)
    return read_layer(
        document.data,
        lambda spelled: Origin(place, document.lines.get(spelled)),
        file=True,
        workspace=workspace,
    )


def settings_in(path: Path, paths: Paths) -> Config:
    """What one settings file says by itself, defaults for the rest. Raises InvalidConfig, StorageError."""
    if not path.is_file():
        raise StorageError(f"There is no file `{path}`.", hint="Give a settings file, in YAML.")
    outcome = resolve([file_layer(read_document(path), path)], paths, {})
    if outcome.config is None:
        raise invalid(outcome.problems)
    return outcome.config


def invalid(problems: tuple[Problem, ...] | list[Problem]) -> InvalidConfig:
    """One error for all broken rules."""
    lines = [str(problem) for problem in problems[:PROBLEMS_SHOWN_MAX]]
    if len(problems) > PROBLEMS_SHOWN_MAX:
        lines.append(f"… and {len(problems) - PROBLEMS_SHOWN_MAX} more.")
    message = lines[0] if len(lines) == 1 else "\n".join([f"{len(problems)} settings break a rule:", *lines])
    return InvalidConfig(
        message, hint="Correct what is named above; `paddock config show --source` tells what is in force."
    )


def _flag_layer(flags: Mapping[str, Any]) -> Layer:
    layer = Layer()
    for text, value in flags.items():
        if value is None:
            continue
        key = split_key(text)
        if key is None:
            raise InvalidConfig(f"`{text}` is not a setting.", hint=suggestion(tuple(text.split("."))))
        spelled = _FLAGS.get(key, f"--{key[-1].replace('_', '-')}")
        layer.settings.append(Setting(key, value, Origin(f"flag {spelled}")))
    return layer


def _with_preset(merged: dict[Key, Setting]) -> dict[Key, Setting]:
    """A preset's values stand where nobody says otherwise."""
    chosen = merged.get(("pool", "preset"))
    if chosen is None:
        return merged
    origin = Origin(f"preset {chosen.value}")
    values = PRESETS.get(str(chosen.value), {})
    preset = {("pool", name): Setting(("pool", name), value, origin) for name, value in values.items()}
    return {**preset, **merged}


def _nested(merged: Mapping[Key, Setting]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, setting in merged.items():
        below = data
        for name in key[:-1]:
            below = below.setdefault(name, {})
        if not isinstance(shape_at(key), Leaf):  # a name in a table with nothing below it
            below.setdefault(key[-1], {})
        else:
            below[key[-1]] = setting.value
    return data


def _problem(place: Key, value: Any, merged: Mapping[Key, Setting]) -> Problem:
    """What the schema refused, in words. `place` is where, with `[key]` at the end when a name is wrong."""
    of_name = place[-1] == "[key]"
    key = place[:-1] if of_name else place
    shape = shape_at(key[:-1] if of_name else key)
    rule = Rule("is not what belongs here", "See `docs/reference/configuration.md`.")
    secret = False
    if of_name and isinstance(shape, Table):
        rule = shape.name_rule
    elif isinstance(shape, Leaf):
        rule, secret = shape.rule, shape.secret
    setting = next((merged[known] for known in merged if known[: len(key)] == key), None)
    origin = setting.origin.phrase if setting else "default"
    if of_name:
        return Problem(joined(key[:-1]), shown(value), origin, rule.text, rule.remedy, subject="the name")
    return Problem(joined(key), shown(value, secret=secret), origin, rule.text, rule.remedy)
