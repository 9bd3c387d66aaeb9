"""`ProviderBook`: providers beside the models here, as rows, and those that stand in the settings. Keys are in the vault."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import select

from paddock.config.schema import Config
from paddock.db.engine import Database
from paddock.db.tables import ProviderRow
from paddock.errors import NotFound, UsageError
from paddock.gateway.noticed import Noticed
from paddock.providers.definition import Kind, ProviderDefinition, check_definition, kind_of
from paddock.security.vault import Vault

_KEY: Final = "provider/"


class ProviderBook:
    """Add, change, remove. A row of a name stands in the place of the settings' one of that name."""

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        config: Callable[[], Config],
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._vault = vault
        self._config = config
        self._now = now
        self._noticed: Noticed[Mapping[str, ProviderDefinition]] = Noticed(
            database, counted=ProviderRow.name, changed=ProviderRow.updated_at, read=self._read, clock=clock
        )

    async def all(self) -> Mapping[str, ProviderDefinition]:
        """Every provider by name."""
        return {**_of_settings(self._config()), **await self._noticed.get()}

    async def get(self, name: str) -> ProviderDefinition:
        """Raises NotFound."""
        found = (await self.all()).get(name)
        if found is None:
            raise NotFound(f"There is no provider `{name[:80]}`.", hint="`paddock provider list` shows them.")
        return found

    async def add(self, definition: ProviderDefinition) -> ProviderDefinition:
        """Raises UsageError for what is wrong, or a name that is taken."""
        if definition.name in await self.all():
            raise UsageError(
                f"There is a provider `{definition.name}` already.",
                hint="Change it with `paddock provider edit`.",
                param="name",
            )
        return await self.put(definition)

    async def put(self, definition: ProviderDefinition) -> ProviderDefinition:
        """Write it over whatever there is of that name."""
        check_definition(definition)
        async with self._database.session(exclusive=True) as session:
            await session.merge(_row(definition, self._now()))
        self._noticed.forget()
        return definition

    async def remove(self, name: str) -> ProviderDefinition:
        """What it was; its key goes, too."""
        found = await self.get(name)
        if found.from_settings:
            raise UsageError(
                f"`{name}` stands in the settings.", hint=f"Take `providers.{name}` out with `paddock config unset`."
            )
        async with self._database.session(exclusive=True) as session:
            row = await session.get(ProviderRow, name)
            if row is not None:
                await session.delete(row)
        self._noticed.forget()
        await self.forget_key(name)
        return found

    async def key(self, name: str) -> str | None:
        """Its key: of the vault, else of the environment. Raises VaultLocked when it is there and cannot be read."""
        try:
            return (await self._vault.get(_KEY + name)).get_secret_value()
        except NotFound:
            section = self._config().providers.get(name)
            return section.key.get_secret_value() if section is not None and section.key is not None else None

    async def has_key(self, name: str) -> bool:
        """Whether one is kept; it is not read."""
        section = self._config().providers.get(name)
        return (section is not None and section.key is not None) or any(
            entry.name == _KEY + name for entry in await self._vault.list()
        )

    async def keep_key(self, name: str, key: SecretStr) -> None:
        """Keep its key in the vault. Raises UsageError for what is none, or could not be sent to where the provider is."""
        check_takes_key(await self.get(name))
        text = key.get_secret_value()
        if not text or not text.isascii() or not text.isprintable() or " " in text:  # it travels in a header
            raise UsageError(
                "This is no key: keys are one word of plain ASCII.",
                hint="Copy it again, without blanks or line breaks.",
                param="key",
            )
        await self._vault.put(_KEY + name, key)

    async def forget_key(self, name: str) -> None:
        try:
            await self._vault.remove(_KEY + name)
        except NotFound:
            return

    async def _read(self) -> Mapping[str, ProviderDefinition]:
        async with self._database.session() as session:
            rows: Sequence[ProviderRow] = (await session.scalars(select(ProviderRow).order_by(ProviderRow.name))).all()
        return {row.name: _definition(row) for row in rows}


def check_takes_key(definition: ProviderDefinition) -> None:
    """Raises UsageError when a key of its could not be sent to where it is."""
    if not definition.takes_key:
        raise UsageError(
            f"`{definition.name}` is at a plain http address beyond this machine: its key would be read on the way.",
            hint="Give it an https address first.",
            param="key",
        )


def _of_settings(config: Config) -> Mapping[str, ProviderDefinition]:
    return {
        name: ProviderDefinition(
            name=name,
            kind=Kind(section.kind) if section.kind is not None else kind_of(name),
            base_url=section.host or "",
            options=section.options,
            headers={header: str(value) for header, value in section.headers.items()},
            organization=section.organization,
            timeout_s=section.timeout.total_seconds() if section.timeout is not None else None,
            enabled=section.enabled,
            automatic=section.automatic,
            from_settings=True,
        )
        for name, section in config.providers.items()
        if name != "local"
    }


def _definition(row: ProviderRow) -> ProviderDefinition:
    headers: dict[str, Any] = row.headers
    return ProviderDefinition(
        name=row.name,
        kind=Kind(row.kind),
        base_url=row.base_url,
        options=row.options,
        headers=headers,
        organization=row.organization,
        timeout_s=row.timeout_s,
        enabled=row.enabled,
        automatic=row.automatic,
    )


def _row(definition: ProviderDefinition, now: datetime) -> ProviderRow:
    return ProviderRow(
        name=definition.name,
        kind=definition.kind.value,
        base_url=definition.base_url,
        options=dict(definition.options),
        headers=dict(definition.headers),
        organization=definition.organization,
        timeout_s=definition.timeout_s,
        enabled=definition.enabled,
        automatic=definition.automatic,
        updated_at=now,
    )
