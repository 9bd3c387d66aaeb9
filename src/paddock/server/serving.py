"""One server from its first connection to its last: listens, heeds signals, drains, ends.

SIGTERM, SIGINT and SIGHUP (a terminal that closes) ask it to drain: no new work is taken, what runs has `server.drain_s` to
finish, pulls pause. A second signal ends the process at once; runners see their connection end and follow.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from uvicorn.server import ServerState as Connections

from paddock.errors import StorageError
from paddock.server import state_file
from paddock.server.asgi import make_app
from paddock.server.chores import Chores
from paddock.server.connections import Connection
from paddock.server.life import Life
from paddock.server.rooms import ServerRooms
from paddock.telemetry.logs import get_logger

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LAST_WORDS_S: Final = 2.0  # for answers that were cut off to tidy up
_FILES_WANTED: Final = 65536

_log = get_logger("paddock.server")


@contextmanager
def heeding_signals(life: Life, *, at_once: Callable[[], None]) -> Generator[None]:
    """Within the block the first signal drains `life`; the second calls `at_once` and ends the process there and then."""
    loop = asyncio.get_running_loop()

    def heed(number: int) -> None:
        if life.draining:
            at_once()
            os._exit(128 + number)
        _log.info("server.draining", signal=signal.Signals(number).name)
        life.drain()

    # Whoever started us with `nohup` wants us to outlive the terminal.
    heeded = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN or one is not signal.SIGHUP]
    for number in heeded:
        loop.add_signal_handler(number, heed, number)
    try:
        yield
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)


async def serve(
    rooms: ServerRooms, listener: socket.socket, state: state_file.ServerState, *, ready: Callable[[], None]
) -> None:
    """Answer on `listener` until `rooms.life` is to end; then drain. `ready` is called once requests are taken."""
    _allow_many_files()
    config = uvicorn.Config(
        make_app(rooms), log_config=None, access_log=False, ws="none", lifespan="off", server_header=False
    )
    config.load()
    connections = Connections()

    def connect() -> Connection:
        return Connection(limits=rooms.config.server, metrics=rooms.metrics, config=config, server_state=connections)

    server = await asyncio.get_running_loop().create_server(connect, sock=listener)
    chores = Chores(rooms)
    with _published(rooms, state):
        _log.info("server.ready", address=state.address, pid=state.pid, version=rooms.version)
        chores.begin()
        ready()
        try:
            await rooms.life.ending.wait()
            await _drain(rooms, chores)
        finally:
            server.close()
            await _hang_up(connections)
    _log.info("server.ended")


async def _drain(rooms: ServerRooms, chores: Chores) -> None:
    """Whoever is being answered is answered to the end, if that comes in time."""
    pausing = asyncio.create_task(chores.end())
    try:
        async with asyncio.timeout(rooms.config.server.drain_s):
            await rooms.life.idle()
    except TimeoutError:
        _log.warning("server.cut_off", requests=rooms.life.active)
        rooms.life.cut.set()
        with contextlib.suppress(TimeoutError):  # who does not read its last words is cut off without
            async with asyncio.timeout(_LAST_WORDS_S):
                await rooms.life.idle()
    await pausing


async def _hang_up(connections: Connections) -> None:
    for connection in list(connections.connections):
        connection.shutdown()
    for task in list(connections.tasks):
        task.cancel()
    if connections.tasks:
        await asyncio.wait(list(connections.tasks), timeout=_LAST_WORDS_S)
    await asyncio.sleep(0)
    for connection in list(connections.connections):
        if not connection.transport.is_closing():
            connection.transport.abort()


@contextmanager
def _published(rooms: ServerRooms, state: state_file.ServerState) -> Generator[None]:
    """A full disk keeps nobody from being served; only `paddock` in another terminal does not find the server."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(state_file.published(rooms.config.paths.state, state))
        except StorageError as error:
            _log.warning("server.not_published", reason=error.message)
        yield


def _allow_many_files() -> None:
    """Each connection is an open file, and many systems allow 1024 where they would allow more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
