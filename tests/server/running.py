"""A server under test: the real one on loopback, in this process or in one of its own.

async with served(tmp_path, PADDOCK_SERVER__BODY_BYTES_MAX="1KB") as server:
    answer = await server.client.get("/readyz")
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil

from paddock.app import World, open_server
from paddock.config.sources import load_config
from paddock.server import listening, serving
from paddock.server.life import Life
from paddock.server.rooms import ServerRooms
from paddock.server.state_file import ServerState
from paddock.telemetry.logs import LogTail

TOKEN = "the-token-of-this-test"
LAUNCH_TOKEN = "what-programs-are-launched-with"
NOBODY = "http://127.0.0.1:9"
PATIENCE_S = 60.0


def variables(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a machine of its own below `folder`."""
    return {
        "HOME": str(folder / "home"),
        "PADDOCK_HOME": str(folder / "paddock"),
        "HF_HOME": str(folder / "huggingface"),
        "HF_ENDPOINT": NOBODY,
        "OLLAMA_MODELS": str(folder / "ollama"),
        "LLAMA_CACHE": str(folder / "llama.cpp"),
        "PADDOCK_HUB__RETRIES": "0",
        "PADDOCK_VAULT__MASTER_KEY": "file",  # never the keyring of whoever runs the tests
        "PADDOCK_SERVER__PORT": "0",
        "PATH": os.environ["PATH"],
        **more,
    }


@dataclass
class Served:
    """A server in this process."""

    rooms: ServerRooms
    address: str
    client: httpx2.AsyncClient
    log: LogTail
    task: "asyncio.Task[None]"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that says nothing yet."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *pieces: bytes, pause_s: float = 0.0) -> bytes:
        """Send raw bytes and read until the server closes. Whatever stands in the way of sending is the server's answer."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                with suppress(ConnectionError):
                    writer.write(piece)
                    await writer.drain()
                await asyncio.sleep(pause_s)
            with suppress(ConnectionError):
                return await asyncio.wait_for(reader.read(), PATIENCE_S)
            return b""
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def is_well(self) -> bool:
        """Whether it still answers, and nothing is left over of what was asked before."""
        answer = await self.client.get("/readyz")
        return answer.status_code == 200 and self.rooms.life.active <= 1


@asynccontextmanager
async def served(
    folder: Path, *, admin_key: str | None = None, world: World | None = None, **settings: str
) -> AsyncGenerator[Served]:
    """A server on a free port; `settings` are variables of its environment."""
    config = load_config(environment=variables(folder, **settings), workspace=folder)
    listener = listening.listen("127.0.0.1", 0, ours=None)
    address = listening.address_of(listener, "127.0.0.1")
    state = ServerState(pid=os.getpid(), address=address, token=TOKEN, version="test", started_at=datetime.now(UTC))
    life, log, ready = Life(), LogTail(config.log.tail_lines), asyncio.Event()
    with listener:
        async with (
            open_server(
                config, world, admin_key=admin_key, token=TOKEN, launch_token=LAUNCH_TOKEN, life=life, log_tail=log
            ) as rooms,
            httpx2.AsyncClient(base_url=address, timeout=PATIENCE_S, trust_env=False) as client,
        ):
            task = asyncio.create_task(serving.serve(rooms, listener, state, ready=ready.set))
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if task.done():
                task.result()
            try:
                yield Served(rooms, address, client, log, task)
            finally:
                life.drain()
                await asyncio.wait_for(task, PATIENCE_S)


@dataclass
class Process:
    """`paddock serve` in a process of its own."""

    folder: Path
    environment: dict[str, str]
    words: tuple[str, ...] = ()
    process: subprocess.Popen[str] = field(init=False)
    document: dict[str, Any] = field(init=False)

    def start(self) -> None:
        self.process = launch(self.folder, self.environment, "serve", *self.words, "--json")
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:  # one document, however many lines
            text += line
            with suppress(json.JSONDecodeError):
                self.document = json.loads(text)
                return
        raise AssertionError(f"no server: {self.process.wait()} {self.log}")

    @property
    def log(self) -> str:
        path = self.folder / "stderr.txt"
        return path.read_text(encoding="utf-8", errors="replace")

    @property
    def address(self) -> str:
        return self.document["address"]

    @property
    def state(self) -> Path:
        return Path(self.environment["PADDOCK_HOME"]) / "state"

    @property
    def runners(self) -> list[psutil.Process]:
        """The children that it has now."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return httpx2.get(self.address + path, timeout=PATIENCE_S, trust_env=False, **more)

    def post(self, path: str, **more: Any) -> httpx2.Response:
        return httpx2.post(self.address + path, timeout=PATIENCE_S, trust_env=False, **more)

    def put(self, path: str, **more: Any) -> httpx2.Response:
        return httpx2.put(self.address + path, timeout=PATIENCE_S, trust_env=False, **more)

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(PATIENCE_S)


def launch(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """The program, its stderr in a file of the folder."""
    with (folder / "stderr.txt").open("a") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", "from paddock.cli.main import main; main()", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


def finished(folder: Path, environment: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Run the program to its end: exit code, stdout, what it added to stderr."""
    before = len((folder / "stderr.txt").read_text()) if (folder / "stderr.txt").exists() else 0
    process = launch(folder, environment, *words)
    out, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, (folder / "stderr.txt").read_text()[before:]


@contextmanager
def running(folder: Path, *words: str, **settings: str) -> Generator[Process]:
    """`paddock serve WORDS`; killed at the end if it still runs, and its runners with it."""
    server = Process(folder, variables(folder, **settings), words)
    try:
        server.start()
        yield server
    finally:
        children = server.runners
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()
        if server.process.stdout is not None:
            server.process.stdout.close()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def gone(processes: list[psutil.Process]) -> bool:
    """Whether they all end in bounded time."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return not alive


def eventually(holds: Any, *, seconds: float = PATIENCE_S) -> bool:
    """Whether `holds()` comes true in bounded time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def status_of(answer: bytes) -> int:
    """Of a raw answer; 0 when there was none."""
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found.group(1)) if found else 0
