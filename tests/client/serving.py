"""A whole server on loopback for tests: its own thread and loop, the real library, pool and runners of one site.

    with RunningServer(site) as server:
        … server.url, server.token …

It holds the lock and writes the state file, so that whoever looks for the server of this home finds it.
"""

import asyncio
import os
import secrets
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from paddock.app import World, open_server
from paddock.server import listening, serving, state_file
from paddock.server.life import Life
from paddock.server.rooms import ServerRooms
from paddock.version import VERSION
from tests.library.rooms import Site


class RunningServer:
    """Serves `site` within the block."""

    def __init__(self, site: Site, *, admin_key: str | None = None) -> None:
        self.token = secrets.token_hex()
        self.url = ""
        self._site = site
        self._admin_key = admin_key
        self._life: Life | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server under test")
        self.rooms: ServerRooms | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(60), "the server did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._life is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._life.drain)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the server did not end"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 (told to whoever waits for the server)
            self._failure = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._life = Life()
        config, state = self._site.config, self._site.config.paths.state
        with (
            state_file.only_server(state),
            listening.listen("127.0.0.1", 0, ours=None) as listener,
        ):
            server = state_file.ServerState(
                pid=os.getpid(),
                address=listening.address_of(listener, "127.0.0.1"),
                token=self.token,
                version=VERSION,
                started_at=datetime.now(UTC),
            )
            self.url = server.address
            async with open_server(
                config,
                real_time(self._site.world),
                admin_key=self._admin_key,
                token=self.token,
                life=self._life,
                reread=lambda: self._site.config,
            ) as rooms:
                self.rooms = rooms
                await serving.serve(rooms, listener, server, ready=self._up.set)


def real_time(world: World) -> World:
    """A pool's clock runs like its loop's."""
    return replace(world, clock=time.monotonic, now=lambda: datetime.now(UTC))
