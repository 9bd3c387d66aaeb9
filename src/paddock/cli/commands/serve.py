"""`paddock serve`."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.errors import InUse, NotFound

if TYPE_CHECKING:
    import socket

    from paddock.config.schema import Config
    from paddock.server.state_file import ServerState
    from paddock.telemetry.logs import LogTail

ADMIN_KEY: Final = "PADDOCK_ADMIN_KEY"
_NO_FLAGS = Flags()
_LOOK_S: Final = 0.05
_GRACE_S: Final = 15.0  # beyond `server.drain_s`: runners end, rows are written


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeDocument:
    """A server that takes requests."""

    address: str
    pid: int
    version: str
    started_at: datetime
    wants_key: bool
    airgap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDocument:
    """A server that has ended."""

    address: str
    pid: int


def serve(
    *,
    host: Annotated[str | None, Parameter(help="The address to listen on, instead of `server.host`.")] = None,
    port: Annotated[int | None, Parameter(help="The port to listen on, instead of `server.port`.")] = None,
    preload: Annotated[
        tuple[str, ...], Parameter(help="A model to load at once; may be given again.", consume_multiple=False)
    ] = (),
    stop: Annotated[bool, Parameter(help="End the server that runs, and wait until it has.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Answer over HTTP, or end the server that does.

    Ctrl-C ends it once running answers are complete; a second one at once.
    """
    said = {"server.host": host, "server.port": port, "pool.preload": ",".join(preload) or None}
    config = desk.config_with(said)
    if stop:
        document = _stop(config)
        desk.answer(document, lambda screen: screen.sentence(f"The server at {document.address} has ended."))
    else:
        _serve(desk, config, said)


def _serve(desk: Desk, config: "Config", said: Mapping[str, Any]) -> None:
    import asyncio

    from paddock.app import wants_key
    from paddock.server import listening, state_file
    from paddock.telemetry.logs import LogTail, start_logging

    if config.airgap:
        listening.check_closed(config.server.host)
    admin_key = desk.invocation.environment.get(ADMIN_KEY) or None
    wanted = admin_key is not None or asyncio.run(wants_key(config))
    listening.check_exposure(config.server.host, has_key=wanted)
    state = config.paths.state
    with state_file.only_server(state):
        tail = LogTail(config.log.tail_lines)
        with (
            listening.listen(config.server.host, config.server.port, ours=None) as listener,
            start_logging(config.log, stream=desk.invocation.stderr, folder=state / "logs", tail=tail),
        ):
            _run(desk, config, said, listener, tail, wants_key=wanted)


def _run(
    desk: Desk,
    config: "Config",
    said: Mapping[str, Any],
    listener: "socket.socket",
    tail: "LogTail",
    *,
    wants_key: bool,
) -> None:
    import asyncio

    import uvloop

    from paddock.app import open_server
    from paddock.server import listening, serving, state_file
    from paddock.server.life import Life
    from paddock.version import VERSION

    admin_key = desk.invocation.environment.get(ADMIN_KEY) or None
    state = state_file.ServerState(
        pid=os.getpid(),
        address=listening.address_of(listener, config.server.host),
        token=secrets.token_urlsafe(32),
        launch_token=secrets.token_urlsafe(32),
        version=VERSION,
        started_at=desk.invocation.now(),
        airgap=config.airgap,
    )

    async def run() -> None:
        life = Life()
        with serving.heeding_signals(life, at_once=lambda: state_file.forget(config.paths.state, state)):
            async with open_server(
                config,
                desk.invocation.world,
                admin_key=admin_key,
                token=state.token,
                launch_token=state.launch_token,
                life=life,
                log_tail=tail,
                reread=lambda: desk.config_with(said, again=True),
            ) as rooms:
                for notice in rooms.library.notices:
                    desk.warn(notice)
                await serving.serve(rooms, listener, state, ready=_telling(desk, config, state, wants_key=wants_key))

    # uvloop opens sockets where Python's hook does not hear of it.
    factory = asyncio.new_event_loop if config.airgap else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())


def _telling(desk: Desk, config: "Config", state: "ServerState", *, wants_key: bool) -> Callable[[], None]:
    document = ServeDocument(
        address=state.address,
        pid=state.pid,
        version=state.version,
        started_at=state.started_at,
        wants_key=wants_key,
        airgap=state.airgap,
    )
    return lambda: desk.answer(document, lambda screen: _show(screen, document, config.model.default))


def _show(screen: Screen, document: ServeDocument, model: str) -> None:
    key = f"${ADMIN_KEY}" if document.wants_key else "none"
    allowed = f' -H "authorization: Bearer ${ADMIN_KEY}"' if document.wants_key else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "What is 3 plus 4?"}}]}}'
    for line in (
        f"Paddock answers at {document.address}; Ctrl-C ends it. To use it:",
        "",
        f"  export OPENAI_BASE_URL={document.address}/v1 OPENAI_API_KEY={key}",
        "",
        f"  curl {document.address}/v1/chat/completions -H 'content-type: application/json'{allowed} \\",
        f"    -d '{body}'",
        *(
            ["Nothing beyond this machine is reached; `paddock airgap` lists what was turned down.", ""]
            if document.airgap
            else []
        ),
        "",
    ):
        screen.line(line)


def _stop(config: "Config") -> StopDocument:
    from paddock.server import state_file

    state = config.paths.state
    server = state_file.running(state)
    if server is None:
        if state_file.is_held(state):
            raise InUse("A server is just starting or ending.", hint="Try again in a moment.")
        raise NotFound("No server of this home runs.", hint="Start one with `paddock serve`.")
    try:
        os.kill(server.pid, signal.SIGTERM)
    except ProcessLookupError:
        return StopDocument(address=server.address, pid=server.pid)  # it has just ended by itself
    except PermissionError as error:
        raise InUse(
            f"The server (process {server.pid}) belongs to another user.", hint="Let its owner end it."
        ) from error
    deadline = time.monotonic() + config.server.drain_s + _GRACE_S
    while state_file.is_held(state):
        if time.monotonic() > deadline:
            raise InUse(
                f"The server (process {server.pid}) still finishes its answers.",
                hint=f"Wait, or end it at once: `kill {server.pid}`.",
            )
        time.sleep(_LOOK_S)
    return StopDocument(address=server.address, pid=server.pid)
