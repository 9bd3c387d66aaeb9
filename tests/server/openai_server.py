"""A whole server in a thread of its own: a free port, a home of its own, the built-in models. One for many tests.

    with running_server(folder) as server:
        openai.OpenAI(base_url=server.url + "/v1", api_key="none")

`server.ask(coroutine)` runs something in the server's own loop, such as a look into its pool.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from paddock.app import open_server
from paddock.config.sources import load_config
from paddock.server.listening import listen
from paddock.server.rooms import ServerRooms
from paddock.server.serving import serve
from paddock.server.state_file import ServerState

NOBODY = "http://127.0.0.1:9"  # a port where nothing listens: refuses at once
STARTED_S = 60.0

Result = TypeVar("Result")


@dataclass
class Running:
    """A server that takes requests."""

    url: str
    rooms: ServerRooms
    loop: asyncio.AbstractEventLoop

    def ask(self, question: Callable[[], Awaitable[Result]]) -> Result:
        """What `question` returns, asked in the server's loop."""

        async def asked() -> Result:
            return await question()

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(STARTED_S)


@contextmanager
def running_server(
    folder: Path, *, flags: Mapping[str, Any] | None = None, send_buffer_bytes: int | None = None
) -> Generator[Running]:
    """A server with everything of its own below `folder`. It drains when the block ends.

    `send_buffer_bytes`: how much the system keeps for a client that does not read; megabytes, unless it is told.
    """
    environment = {
        "HOME": str(folder / "home"),
        "PADDOCK_HOME": str(folder / "paddock"),
        "HF_HOME": str(folder / "huggingface"),
        "HF_ENDPOINT": NOBODY,
        "OLLAMA_MODELS": str(folder / "ollama"),
        "LLAMA_CACHE": str(folder / "llama.cpp"),
    }
    config = load_config(environment=environment, workspace=folder, flags=flags or {}, home=folder / "home")
    listener = listen("127.0.0.1", 0, ours=None)
    if send_buffer_bytes is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    state = ServerState(pid=0, address=url, token="token", version="test", started_at=datetime.now(UTC))
    ready = threading.Event()
    running: list[Running] = []
    failures: list[BaseException] = []

    async def live() -> None:
        async with open_server(config, token="token") as rooms:
            running.append(Running(url, rooms, asyncio.get_running_loop()))
            await serve(rooms, listener, state, ready=ready.set)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(live())
        except BaseException as error:  # noqa: BLE001  (the thread's boundary: the test raises it)
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        assert ready.wait(STARTED_S), "the server did not start"
        if not failures:
            yield running[0]
    finally:
        if running:
            running[0].loop.call_soon_threadsafe(running[0].rooms.life.drain)
        thread.join(STARTED_S)
    if failures:
        raise failures[0]
    assert not thread.is_alive(), "the server did not end"
