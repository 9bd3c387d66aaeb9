"""`Providers`: everybody who can be asked, and the models that they list."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from paddock.airgap.airgap import Airgap
from paddock.config.schema import Config
from paddock.errors import NotOffered, PaddockError
from paddock.providers.definition import ProviderDefinition
from paddock.providers.provider import Provider
from paddock.providers.remote import RemoteProvider
from paddock.providers.speech import FarModel
from paddock.telemetry.logs import get_logger

_log = get_logger("paddock.providers")
_WAIT_S: Final = 3.0  # for lists that were never read; what comes later is there for the next request
_AGAIN_S: Final = 30.0  # after a list that could not be read


class Definitions(Protocol):
    """Where providers are kept."""

    async def all(self) -> Mapping[str, ProviderDefinition]: ...

    async def key(self, name: str) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FarList:
    """The models of one provider, as it last told."""

    provider: ProviderDefinition
    models: tuple[FarModel, ...]
    stale: bool = False  # it was away when it was last asked


@dataclass(slots=True)
class _Listed:
    models: tuple[FarModel, ...] = ()
    until: float = float("-inf")
    stale: bool = False
    reading: asyncio.Task[None] | None = None


class Providers:
    """Belongs to one event loop; close it when done. A definition that changes makes its provider anew."""

    def __init__(
        self,
        definitions: Definitions,
        *,
        config: Callable[[], Config],
        clock: Callable[[], float],
        airgap: Airgap | None = None,
    ) -> None:
        self._definitions = definitions
        self._config = config
        self._clock = clock
        self._airgap = airgap
        self._open: dict[str, RemoteProvider] = {}
        self._lists: dict[str, _Listed] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.version = 0  # changes when a list or a provider does

    async def close(self) -> None:
        for listed in self._lists.values():
            if listed.reading is not None:
                listed.reading.cancel()
                await asyncio.gather(listed.reading, return_exceptions=True)
        await asyncio.gather(*(provider.close() for provider in self._open.values()), *self._closing)

    async def refresh(self) -> Mapping[str, ProviderDefinition]:
        """Take up definitions that changed. All that are switched on, by name."""
        known = {name: one for name, one in (await self._definitions.all()).items() if one.enabled}
        for name in [name for name, provider in self._open.items() if provider.definition != known.get(name)]:
            gone = self._open.pop(name)
            self._lists.pop(name, None)
            self._later(gone.close())
            self.version += 1
        for name, definition in known.items():
            if name not in self._open:
                self._open[name] = self._made(definition)
                self.version += 1
        return known

    def get(self, name: str, options: Mapping[str, Any] | None = None) -> Provider | None:
        """The provider of this name, with `options` on top of its own; None when there is none, or it is switched off."""
        provider = self._open.get(name)
        if provider is None or not options:
            return provider
        return provider.with_options(options)

    async def lists(self, *, wait: bool = True) -> Sequence[FarList]:
        """What each provider lists, remembered for a while; what was told before when it is away."""
        known = await self.refresh()
        readings = [reading for name in known if (reading := self._read(name)) is not None]
        if wait and readings:
            await asyncio.wait(readings, timeout=_WAIT_S)
        return [
            FarList(provider=known[name], models=listed.models, stale=listed.stale)
            for name, listed in self._lists.items()
            if name in known
        ]

    async def tried(self, name: str) -> Sequence[FarModel]:
        """Ask one for its models, whatever is remembered. Raises what kept it from telling, NotOffered when it is off."""
        await self.refresh()
        provider = self._open.get(name)
        if provider is None:
            raise NotOffered(
                f"`{name}` is switched off.",
                hint=f"`paddock provider edit {name} --on` switches it on.",
            )
        return await provider.models()

    def _read(self, name: str) -> asyncio.Task[None] | None:
        """Begin to read a list that is out of date. The task that does, when nothing is known yet."""
        listed = self._lists.setdefault(name, _Listed())
        if listed.reading is None and self._clock() >= listed.until:
            listed.reading = asyncio.create_task(self._take(self._open[name], listed))
        return listed.reading if not listed.models else None

    async def _take(self, provider: RemoteProvider, listed: _Listed) -> None:
        try:
            listed.models = tuple(await provider.models())
            listed.stale = False
            listed.until = self._clock() + self._config().failover.models_cache_s
            self.version += 1
        except PaddockError as error:
            _log.warning("models.not_listed", provider=provider.definition.name, code=error.code)
            listed.stale = True
            listed.until = self._clock() + _AGAIN_S
        finally:
            listed.reading = None

    def _made(self, definition: ProviderDefinition) -> RemoteProvider:
        return RemoteProvider(
            definition,
            key=lambda: self._definitions.key(definition.name),
            config=self._config,
            airgap=self._airgap,
        )

    def _later(self, work: Awaitable[None]) -> None:
        async def done() -> None:
            await work

        task = asyncio.create_task(done())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
