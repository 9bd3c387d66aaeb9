"""The library's rows: models, aliases, registry and templates, in and out of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, select

from paddock.catalog.facts import Facts
from paddock.db.engine import Database
from paddock.db.tables import AliasRow, ModelRow
from paddock.errors import Corrupt
from paddock.hub.gguf_files import is_projector
from paddock.library.adopt.found import FileRole
from paddock.vocabulary import ModelFormat, ModelInfo, ModelStatus, Origin, SourceKind

_ROWS_AT_ONCE = 500

# What reading a row that somebody damaged raises: text that is no JSON, values of the wrong kind.
_UNREADABLE = (Corrupt, ValueError, TypeError, msgspec.ValidationError)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """One file of a model that is here. `sha256` or `git_oid` say what its content must be, where the source told."""

    path: str
    size: int
    sha256: str | None = None
    git_oid: str | None = None
    key: str = ""
    role: FileRole = FileRole.PART


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Everything the library knows about one model."""

    name: str
    source: SourceKind
    origin: Origin
    reference: str
    revision: str | None
    format: ModelFormat
    path: str  # what a runner opens: a folder, or the (first) weight file
    root: str  # the folder that the files' names are relative to
    size_bytes: int
    files: tuple[KeptFile, ...]
    facts: Facts
    fingerprint: str
    license: str | None = None
    pinned: bool = False
    keep_alive: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    added_at: datetime
    modified_at: datetime
    last_used_at: datetime | None = None
    verified_at: datetime | None = None

    @property
    def projector_path(self) -> str | None:
        """The file that a GGUF model sees with, when it came with one."""
        if self.format is not ModelFormat.GGUF:
            return None
        found = (file.path for file in self.files if file.role is FileRole.PROJECTOR or is_projector(file.path))
        return next((str(Path(self.root, path)) for path in found), None)

    def info(self, *, aliases: Sequence[str] = (), stale: bool = False) -> ModelInfo:
        """The model as people and programs see it."""
        return ModelInfo(
            name=self.name,
            family=self.facts.family,
            format=self.format,
            framework=self.format.framework,
            size=self.size_bytes,
            parameters=self.facts.parameters,
            quantization=self.facts.quantization,
            context_window=self.facts.context_window,
            max_output_tokens=self.facts.max_output_tokens,
            modified_at=self.modified_at,
            capabilities=self.facts.capabilities,
            architecture=self.facts.architecture,
            source=self.source,
            revision=self.revision,
            status=ModelStatus.AVAILABLE,
            origin=self.origin,
            license=self.license,
            path=self.path,
            pinned=self.pinned,
            keep_alive=self.keep_alive,
            aliases=tuple(aliases),
            last_used_at=self.last_used_at,
            stale=stale,
        )


class Records:
    """Model records and aliases by name. Every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[dict[str, ModelRecord], list[str]]:
        """Every record that can be read, by name, and the names of rows that cannot."""
        try:
            rows = await self._rows()
        except ValueError:  # a column that is no JSON spoils the whole answer: one at a time tells which
            return await self._one_by_one()
        records: dict[str, ModelRecord] = {}
        corrupt: list[str] = []
        for row in rows:
            try:
                records[row.name] = _from_row(row)
            except _UNREADABLE:
                corrupt.append(row.name)
        return records, corrupt

    async def _rows(self) -> Sequence[ModelRow]:
        async with self._database.session() as session:
            return (await session.scalars(select(ModelRow).order_by(ModelRow.name))).all()

    async def _one_by_one(self) -> tuple[dict[str, ModelRecord], list[str]]:
        async with self._database.session() as session:
            names = (await session.scalars(select(ModelRow.name).order_by(ModelRow.name))).all()
        records: dict[str, ModelRecord] = {}
        corrupt: list[str] = []
        for name in names:
            try:
                record = await self.get(name)
            except Corrupt:
                corrupt.append(name)
                continue
            if record is not None:
                records[name] = record
        return records, corrupt

    async def get(self, name: str) -> ModelRecord | None:
        """One record, None when there is none. Raises Corrupt when it cannot be read."""
        try:
            async with self._database.session() as session:
                row = await session.get(ModelRow, name)
            return _from_row(row) if row is not None else None
        except _UNREADABLE as error:
            raise Corrupt(
                f"What the database holds about `{name}` cannot be read.",
                hint="`paddock list --refresh` reads the model's files again.",
            ) from error

    async def save(self, *records: ModelRecord) -> None:
        """Write these records over whatever there is under their names."""
        async with self._database.session() as session:
            for start in range(0, len(records), _ROWS_AT_ONCE):
                some = records[start : start + _ROWS_AT_ONCE]
                # Two statements for many rows; merging would read each row first.
                await session.execute(delete(ModelRow).where(ModelRow.name.in_([record.name for record in some])))
                session.add_all(_to_row(record) for record in some)
                await session.flush()

    async def delete(self, *names: str) -> None:
        async with self._database.session() as session:
            await session.execute(delete(ModelRow).where(ModelRow.name.in_(names)))

    async def aliases(self) -> dict[str, str]:
        """Alias to the name it stands for."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(AliasRow))).all()
        return {row.alias: row.target for row in rows}

    async def save_alias(self, alias: str, target: str, *, now: datetime) -> None:
        async with self._database.session() as session:
            await session.merge(AliasRow(alias=alias, target=target, created_at=now))

    async def delete_alias(self, alias: str) -> bool:
        async with self._database.session() as session:
            row = await session.get(AliasRow, alias)
            if row is None:
                return False
            await session.delete(row)
            return True

    async def delete_aliases_of(self, target: str) -> None:
        async with self._database.session() as session:
            await session.execute(delete(AliasRow).where(AliasRow.target == target))


def _from_row(row: ModelRow) -> ModelRecord:
    return ModelRecord(
        name=row.name,
        source=SourceKind(row.source),
        origin=Origin(row.origin),
        reference=row.reference,
        revision=row.revision,
        format=ModelFormat(row.format),
        path=row.path,
        root=row.root,
        size_bytes=row.size_bytes,
        files=msgspec.convert(row.files, tuple[KeptFile, ...]),
        facts=Facts.from_json(row.facts),
        fingerprint=row.fingerprint,
        license=row.license,
        pinned=row.pinned,
        keep_alive=row.keep_alive,
        options=row.options,
        added_at=row.added_at,
        modified_at=row.modified_at,
        last_used_at=row.last_used_at,
        verified_at=row.verified_at,
    )


def _to_row(record: ModelRecord) -> ModelRow:
    return ModelRow(
        name=record.name,
        source=record.source.value,
        origin=record.origin.value,
        reference=record.reference,
        revision=record.revision,
        format=record.format.value,
        path=record.path,
        root=record.root,
        size_bytes=record.size_bytes,
        files=[msgspec.to_builtins(file) for file in record.files],
        facts=dict(record.facts.to_json()),
        fingerprint=record.fingerprint,
        license=record.license,
        pinned=record.pinned,
        keep_alive=record.keep_alive,
        options=dict(record.options),
        added_at=record.added_at,
        modified_at=record.modified_at,
        last_used_at=record.last_used_at,
        verified_at=record.verified_at,
    )
