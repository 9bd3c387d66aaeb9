"""The registry as a file: models worth knowing by a short name, aliases and prompt templates, for others to import.

JSON with sorted keys, so that a team can keep it under version control. What comes in is validated whole before any of
it is used, and names that are taken already are settled by one rule for the whole import.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from paddock.errors import InvalidFile, InvalidReference, InvalidTemplate, StorageError
from paddock.hub.reference import parse_reference
from paddock.library.carry.lockfile import write_text
from paddock.library.prompts.template import parse_template

FILE_BYTES_MAX = 16 * 1024 * 1024
ENTRIES_MAX = 10_000
OPTIONS_MAX = 100
_NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,254}[A-Za-z0-9_-])?$"
_HINT = "Export it again where it comes from, or correct the entry."


def _reference(text: str) -> str:
    try:
        reference = parse_reference(text)
    except InvalidReference as error:
        raise ValueError(error.message) from error
    if reference.source is None:
        raise ValueError(f"`{text}` names no source; write `org/name`, `ollama://{text}` or an address")
    return str(reference)


def _template(text: str) -> str:
    try:
        parse_template(text)
    except InvalidTemplate as error:
        raise ValueError(error.message) from error
    return text


Name = Annotated[str, Field(pattern=_NAME)]
Options = Annotated[dict[Annotated[str, Field(max_length=128)], JsonValue], Field(max_length=OPTIONS_MAX)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RegistryModel(_Entry):
    """A model by a short name: where to get it, what it must hash to, how to run it."""

    name: Name
    reference: Annotated[str, Field(max_length=1024), AfterValidator(_reference)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    options: Options = {}


class RegistryAlias(_Entry):
    alias: Name
    target: Annotated[str, Field(min_length=1, max_length=512)]


class RegistryTemplate(_Entry):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    text: Annotated[str, AfterValidator(_template)]
    description: Annotated[str, Field(max_length=4096)] | None = None
    defaults: Options = {}


class Registry(_Entry):
    """All that an export carries."""

    version: Literal[1] = 1
    models: Annotated[tuple[RegistryModel, ...], Field(max_length=ENTRIES_MAX)] = ()
    aliases: Annotated[tuple[RegistryAlias, ...], Field(max_length=ENTRIES_MAX)] = ()
    templates: Annotated[tuple[RegistryTemplate, ...], Field(max_length=ENTRIES_MAX)] = ()


class Conflict(StrEnum):
    """What an import does with a name that is taken by something else."""

    SKIP = "skip"  # what is here stays
    REPLACE = "replace"
    RENAME = "rename"  # the newcomer becomes `name-2`


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A name that was taken, and how that was settled."""

    kind: str  # model, alias or template
    name: str
    outcome: Conflict
    new_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryImport:
    """What an import would write, and each conflict. Entries that are here already, the same, are neither."""

    write: Registry
    conflicts: tuple[Settled, ...]
    unchanged: int


def write_registry(registry: Registry, path: Path) -> None:
    """Write the file in one step. The same registry always gives the same text. Raises StorageError."""
    write_text(path, format_registry(registry))


def format_registry(registry: Registry) -> str:
    ordered = Registry(
        models=tuple(sorted(registry.models, key=lambda entry: entry.name)),
        aliases=tuple(sorted(registry.aliases, key=lambda entry: entry.alias)),
        templates=tuple(sorted(registry.templates, key=lambda entry: entry.name)),
    )
    content = ordered.model_dump(mode="json", exclude_none=True)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_registry(path: Path) -> Registry:
    """The registry at `path`, checked. Raises InvalidFile naming the entry that is wrong, or StorageError."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from error
    if len(text) > FILE_BYTES_MAX:
        raise InvalidFile(f"{path} is no registry: it is larger than {FILE_BYTES_MAX // 1024**2} MB.", hint=_HINT)
    try:
        registry = Registry.model_validate_json(text)
    except ValidationError as error:
        raise InvalidFile(f"{path} is no registry: {_first_complaint(error)}.", hint=_HINT) from error
    for kind, names in _names(registry).items():
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InvalidFile(f"{path} is no registry: the {kind} `{twice}` is listed twice.", hint=_HINT)
    return registry


def plan_import(incoming: Registry, here: Registry, conflict: Conflict) -> RegistryImport:
    """What to write so that `here` also knows `incoming`. Models and aliases share one space of names."""
    settle = _Settling(conflict)
    called = {model.name for model in here.models} | {alias.alias for alias in here.aliases}
    models = settle.each(
        "model", incoming.models, {model.name: model for model in here.models}, called, name_of=lambda entry: entry.name
    )
    aliases = settle.each(
        "alias",
        tuple(_following(alias, settle.renamed) for alias in incoming.aliases),
        {alias.alias: alias for alias in here.aliases},
        called,
        name_of=lambda entry: entry.alias,
    )
    templates = settle.each(
        "template",
        incoming.templates,
        {template.name: template for template in here.templates},
        {template.name for template in here.templates},
        name_of=lambda entry: entry.name,
    )
    return RegistryImport(
        write=Registry(models=models, aliases=aliases, templates=templates),
        conflicts=tuple(settle.conflicts),
        unchanged=settle.unchanged,
    )


AnEntry = TypeVar("AnEntry", bound=_Entry)


class _Settling:
    """Settles entry after entry by one rule and remembers what it did."""

    def __init__(self, conflict: Conflict) -> None:
        self._conflict = conflict
        self.conflicts: list[Settled] = []
        self.renamed: dict[str, str] = {}  # models only: aliases follow
        self.unchanged = 0

    def each(
        self,
        kind: str,
        entries: tuple[AnEntry, ...],
        here: Mapping[str, AnEntry],
        called: set[str],
        *,
        name_of: Callable[[AnEntry], str],
    ) -> tuple[AnEntry, ...]:
        """The entries to write. `called` are the names that are taken; new ones are added to it."""
        write: list[AnEntry] = []
        for entry in entries:
            name = name_of(entry)
            if here.get(name) == entry:
                self.unchanged += 1
                continue
            if name not in called:
                called.add(name)
                write.append(entry)
                continue
            # A name of the other kind (a model called like an alias) cannot be replaced, only gone round.
            outcome = Conflict.SKIP if self._conflict is Conflict.REPLACE and name not in here else self._conflict
            new_name = _free_name(name, called) if outcome is Conflict.RENAME else None
            self.conflicts.append(Settled(kind=kind, name=name, outcome=outcome, new_name=new_name))
            if new_name:
                called.add(new_name)
                if kind == "model":
                    self.renamed[name] = new_name
                entry = entry.model_copy(update={"alias" if kind == "alias" else "name": new_name})
            if outcome is not Conflict.SKIP:
                write.append(entry)
        return tuple(write)


def _following(alias: RegistryAlias, renamed: Mapping[str, str]) -> RegistryAlias:
    """An alias of a model that was renamed on the way in means the renamed one."""
    return alias.model_copy(update={"target": renamed.get(alias.target, alias.target)})


def _free_name(name: str, called: set[str]) -> str:
    number = 2
    while f"{name}-{number}" in called:
        number += 1
    return f"{name}-{number}"


def _names(registry: Registry) -> dict[str, list[str]]:
    return {
        "name": [model.name for model in registry.models] + [alias.alias for alias in registry.aliases],
        "template": [template.name for template in registry.templates],
    }


def _first_complaint(error: ValidationError) -> str:
    """Pydantic's first error in plain words: where, and what."""
    detail: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    what = str(detail["msg"]).removeprefix("Value error, ").rstrip(".")
    return (f"`{steps.lstrip('.')}`: {what}" if steps else what)[:500]
