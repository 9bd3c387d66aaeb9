"""`paddock.open_sync()`: a Paddock for programs without a loop. Every method is the one of `Paddock`, waited for."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Unpack

from paddock.client.blocking import Behind, Portal, calls, iterates
from paddock.client.opening import open_paddock
from paddock.client.paddock import HowToAnswer, Paddock, Session
from paddock.config.schema import Config
from paddock.vocabulary import Message


class SyncSession(Behind[Session]):
    """A conversation with one model."""

    say = calls(Session.say)
    stream = iterates(Session.stream)
    ready = calls(Session.ready)
    close = calls(Session.close)

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def messages(self) -> Sequence[Message]:
        """What was said so far."""
        return tuple(self.inner.messages)


class SyncPaddock(Behind[Paddock]):
    """A Paddock that waits. Callbacks such as `on_progress` are called from another thread."""

    list = calls(Paddock.list)
    show = calls(Paddock.show)
    status = calls(Paddock.status)
    search = calls(Paddock.search)
    compare = calls(Paddock.compare)
    plan = calls(Paddock.plan)
    pull = calls(Paddock.pull)
    remove = calls(Paddock.remove)
    copy = calls(Paddock.copy)
    verify = calls(Paddock.verify)

    load = calls(Paddock.load)
    unload = calls(Paddock.unload)
    pin = calls(Paddock.pin)
    warm = calls(Paddock.warm)
    trial = calls(Paddock.trial)
    memory = calls(Paddock.memory)

    chat = calls(Paddock.chat)
    stream = iterates(Paddock.stream)
    embed = calls(Paddock.embed)

    @property
    def url(self) -> str | None:
        return self.inner.url

    def session(self, model: str, *, system: str | None = None, **how: Unpack[HowToAnswer]) -> SyncSession:
        """A conversation that remembers what was said. The model is warmed up meanwhile."""

        async def begin() -> Session:
            return self.inner.session(model, system=system, **how)

        return SyncSession(self.portal, self.portal.call(begin()))


@contextmanager
def open_sync(
    url: str | None = None,
    *,
    key: str | None = None,
    in_process: bool = False,
    settings: Mapping[str, Any] | None = None,
    config: Config | None = None,
) -> Generator[SyncPaddock]:
    """As `paddock.open`, for a plain `with` block."""
    portal = Portal()
    try:
        with portal.entered(
            open_paddock(url, key=key, in_process=in_process, settings=settings, config=config)
        ) as paddock:
            yield SyncPaddock(portal, paddock)
    finally:
        portal.close()
