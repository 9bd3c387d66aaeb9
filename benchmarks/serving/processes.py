"""Starts servers as processes of their own and ends all that they started."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx2
import psutil

from benchmarks.serving.serving import family

START_S: Final = 120.0
_END_S: Final = 10.0
_TAIL: Final = 1500


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def server_process(
    command: Sequence[str | Path],
    variables: Mapping[str, str],
    *,
    log: Path,
    preload: str | None = None,
    end_s: float = _END_S,
) -> AsyncGenerator[psutil.Process]:
    """A process group; its output goes to `log`. `preload` is a library that takes the place of one of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    environment |= {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", **variables}
    if preload:
        environment["LD_PRELOAD"] = preload
    process = await asyncio.to_thread(_begin, command, environment, log)
    try:
        yield psutil.Process(process.pid)
    finally:
        await asyncio.to_thread(_end, process, end_s)


async def wait_until_it_answers(address: str, process: psutil.Process, log: Path, *, every_s: float = 0.1) -> None:
    """Raises RuntimeError with the end of its log when it ends or takes too long."""
    until = time.monotonic() + START_S
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
        while time.monotonic() < until and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            try:
                if (await client.get(address)).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(every_s)
    raise RuntimeError(f"it did not start: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:]


def _begin(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _end(process: "subprocess.Popen[bytes]", end_s: float) -> None:
    """Politely, then all of them for good. A group that was paused must run to hear it."""
    members = family(psutil.Process(process.pid)) if process.poll() is None else []
    for sign in (signal.SIGCONT, signal.SIGTERM):
        _tell_group(process.pid, sign)
    with suppress(subprocess.TimeoutExpired):
        process.wait(end_s)
    _tell_group(process.pid, signal.SIGKILL)
    process.wait()
    for member in members:  # those that left the group
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def _tell_group(group: int, sign: signal.Signals) -> None:
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return
