"""Names worth knowing and prompts worth keeping: the registry of models by short name, and prompt templates.

The registry has two parts: entries that come with the package, and a person's own in the database, which win.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import select

from paddock.db.engine import Database
from paddock.db.tables import RegistryRow, TemplateRow
from paddock.errors import NotFound, UsageError
from paddock.library.carry.registry import (
    Conflict,
    Registry,
    RegistryAlias,
    RegistryImport,
    RegistryModel,
    RegistryTemplate,
    plan_import,
    read_registry,
    write_registry,
)
from paddock.library.naming import near_names
from paddock.library.prompts.template import parse_template, render
from paddock.library.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """A model by a short name."""

    name: str
    reference: str
    description: str | None = None
    sha256: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    own: bool = True  # False for those of the package


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateEntry:
    """A prompt template and what it wants to be told."""

    name: str
    text: str
    description: str | None
    defaults: Mapping[str, Any]
    variables: tuple[str, ...]
    updated_at: datetime


class Handbook:
    def __init__(self, *, database: Database, records: Records, now: Callable[[], datetime]) -> None:
        self._database = database
        self._records = records
        self._now = now

    # Registry

    async def registry(self) -> Sequence[RegistryEntry]:
        """Every entry in order of name; a person's own hide those of the package."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(RegistryRow))).all()
        entries = {entry.name: entry for entry in packaged_entries()}
        for row in rows:
            entries[row.name] = RegistryEntry(
                name=row.name,
                reference=row.reference,
                description=row.description,
                sha256=row.sha256,
                options=row.options,
            )
        return [entries[name] for name in sorted(entries)]

    async def lookup(self, name: str) -> str | None:
        """The reference behind a short name, with the checksum that was registered; None when there is none."""
        lowered = name.lower()
        for entry in await self.registry():
            if entry.name.lower() == lowered:
                pinned = entry.sha256 and "#" not in entry.reference and entry.reference.startswith("http")
                return f"{entry.reference}#sha256={entry.sha256}" if pinned else entry.reference
        return None

    async def add(self, entry: RegistryEntry) -> RegistryEntry:
        """Add or replace one of a person's own entries. Raises UsageError for what is not one."""
        if entry.sha256 and not entry.reference.lower().startswith(("https://", "http://")):
            raise UsageError(
                f"The registry entry `{entry.name}` has a checksum that nothing would check.",
                hint="A checksum goes with the address of one file; hubs tell the hashes of theirs themselves.",
            )
        checked = _checked(
            {"name": entry.name, "reference": entry.reference, "sha256": entry.sha256,
             "description": entry.description, "options": dict(entry.options)}
        )  # fmt: skip
        await self._save(Registry(models=(checked,)))
        return entry

    async def forget(self, name: str) -> None:
        """Remove one of a person's own entries. Raises NotFound."""
        async with self._database.session() as session:
            row = await session.get(RegistryRow, name)
            if row is not None:
                await session.delete(row)
                return
        names = [entry.name for entry in await self.registry() if entry.own]
        near = near_names(name, names)
        raise NotFound(
            f"There is no entry `{name}` of yours in the registry.",
            hint=f"Did you mean `{near[0]}`?" if near else "`paddock registry list` shows them.",
        )

    # Templates

    async def templates(self) -> Sequence[TemplateEntry]:
        async with self._database.session() as session:
            rows = (await session.scalars(select(TemplateRow).order_by(TemplateRow.name))).all()
        return [_template(row) for row in rows]

    async def template(self, name: str) -> TemplateEntry:
        """One template. Raises NotFound with near names."""
        found = {entry.name: entry for entry in await self.templates()}
        if name not in found:
            near = near_names(name, found)
            raise NotFound(
                f"There is no prompt template `{name}`.",
                hint=f"Did you mean `{near[0]}`?" if near else "Save one with `paddock template save`.",
            )
        return found[name]

    async def save_template(
        self, name: str, text: str, *, description: str | None = None, defaults: Mapping[str, Any] | None = None
    ) -> TemplateEntry:
        """Validate and keep. Raises InvalidTemplate with the line, UsageError for the name."""
        parse_template(text)
        await self._save(Registry(templates=(_checked_template(name, text, description, defaults or {}),)))
        return await self.template(name)

    async def delete_template(self, name: str) -> None:
        await self.template(name)
        async with self._database.session() as session:
            await session.delete(await session.get_one(TemplateRow, name))

    async def render_template(self, name: str, variables: Mapping[str, Any]) -> str:
        """The prompt. Raises InvalidTemplate for variables that are missing or unknown."""
        entry = await self.template(name)
        return render(parse_template(entry.text), variables, defaults=entry.defaults)

    # To a file and back

    async def export(self, path: Path) -> Registry:
        """Everything of a person's own: entries, aliases, templates."""
        registry = await self._own()
        write_registry(registry, path)
        return registry

    async def import_from(self, path: Path, conflict: Conflict, *, dry_run: bool = False) -> RegistryImport:
        """Read a file that `export` wrote. Raises InvalidFile; names that are taken are settled as `conflict` says."""
        plan = plan_import(read_registry(path), await self._own(), conflict)
        if not dry_run:
            await self._save(plan.write)
        return plan

    async def _own(self) -> Registry:
        models = [
            RegistryModel(
                name=entry.name,
                reference=entry.reference,
                sha256=entry.sha256,
                description=entry.description,
                options=dict(entry.options),
            )
            for entry in await self.registry()
            if entry.own
        ]
        aliases = [
            RegistryAlias(alias=alias, target=target) for alias, target in (await self._records.aliases()).items()
        ]
        templates = [
            RegistryTemplate(
                name=entry.name, text=entry.text, description=entry.description, defaults=dict(entry.defaults)
            )
            for entry in await self.templates()
        ]
        return Registry(models=tuple(models), aliases=tuple(aliases), templates=tuple(templates))

    async def _save(self, registry: Registry) -> None:
        now = self._now()
        async with self._database.session() as session:
            for model in registry.models:
                row = RegistryRow(
                    name=model.name,
                    reference=model.reference,
                    sha256=model.sha256,
                    description=model.description,
                    options=dict(model.options),
                    created_at=now,
                )
                await session.merge(row)
            for template in registry.templates:
                row = TemplateRow(
                    name=template.name,
                    text=template.text,
                    description=template.description,
                    defaults=dict(template.defaults),
                    updated_at=now,
                )
                await session.merge(row)
        for alias in registry.aliases:
            await self._records.save_alias(alias.alias, alias.target, now=now)


@cache
def packaged_entries() -> tuple[RegistryEntry, ...]:
    """The ready-to-use models that come with the package."""
    told = json.loads(files("paddock.catalog").joinpath("data/registry.json").read_text("utf-8"))
    return tuple(
        RegistryEntry(name=model["name"], reference=model["reference"], description=model.get("description"), own=False)
        for model in told["models"]
    )


def _template(row: TemplateRow) -> TemplateEntry:
    return TemplateEntry(
        name=row.name,
        text=row.text,
        description=row.description,
        defaults=row.defaults,
        variables=tuple(sorted(parse_template(row.text).variables)),
        updated_at=row.updated_at,
    )


def _checked(values: Mapping[str, Any]) -> RegistryModel:
    from pydantic import ValidationError

    try:
        return RegistryModel.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        raise _wrong("registry entry", str(values.get("name")), error) from error


def _checked_template(name: str, text: str, description: str | None, defaults: Mapping[str, Any]) -> RegistryTemplate:
    from pydantic import ValidationError

    try:
        return RegistryTemplate(name=name, text=text, description=description, defaults=dict(defaults))
    except ValidationError as error:
        raise _wrong("prompt template", name, error) from error


def _wrong(kind: str, name: str, error: Any) -> UsageError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(step) for step in first["loc"])
    return UsageError(
        f"The {kind} `{name}` is not valid: {field}: {first['msg']}.",
        hint="Names are letters, digits, `.`, `_`, `-` and `:`; references are written as for `paddock pull`.",
    )
