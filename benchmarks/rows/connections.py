"""A thousand clients that have asked once and hold on to their connections."""

import asyncio
import resource
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.asking import asks
from benchmarks.rows.figures import figure, no_figure
from benchmarks.rows.row import Compared, Finding, Options
from benchmarks.serving.arena import Arena
from benchmarks.serving.contenders import PADDOCK
from benchmarks.serving.http import HttpServing
from benchmarks.serving.serving import Serving, cpu_seconds, memory_bytes

_CONNECTIONS: Final = 1000
_QUICK_CONNECTIONS: Final = 50
_BURST: Final = 50  # opened at once: more would measure the listen queue
_HOLD_S: Final = 4.0
_QUICK_HOLD_S: Final = 0.5
_REQUEST: Final = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_CPU: Final = f"{_CONNECTIONS} idle connections: CPU"
_UNIT: Final = "% of a core"
_GOAL_PERCENT: Final = 0.5

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Connections:
    """What they cost, whether all stay open, and what somebody who asks beside them notices."""

    name: str = "connections"
    title: str = f"{_CONNECTIONS} connections that stay open"

    def model(self, options: Options) -> Path:
        return options.model()

    async def measure(self, arena: Arena, options: Options) -> list[Finding]:
        await arena.clear()
        try:
            with _files_allowed(3 * _CONNECTIONS):
                serving = await arena.alone(PADDOCK, options.model())
                assert isinstance(serving, HttpServing), "Paddock's server is asked over HTTP"
                return await _measured(serving, options)
        except Exception as error:  # noqa: BLE001  other rows are still measured
            return [no_figure(_CPU, _UNIT, f"{type(error).__name__}: {error}", _GOAL_PERCENT)]
        finally:
            await arena.clear()


async def _measured(serving: HttpServing, options: Options) -> list[Finding]:
    many = _QUICK_CONNECTIONS if options.quick else _CONNECTIONS
    before = [await _first_token_ms(serving, 9000 + number) for number in range(options.rounds)]
    small = memory_bytes(serving.process)
    async with _held(serving.address, many) as pairs:
        began, used = time.perf_counter(), cpu_seconds(serving.process)
        await asyncio.sleep(_QUICK_HOLD_S if options.quick else _HOLD_S)
        percent = 100 * (cpu_seconds(serving.process) - used) / (time.perf_counter() - began)
        grown = memory_bytes(serving.process) - small
        beside = [await _first_token_ms(serving, 9500 + number) for number in range(options.rounds)]
        still_open = sum(not reader.at_eof() for reader, _ in pairs)
    return [
        figure(_CPU, _UNIT, [percent], _GOAL_PERCENT),
        figure(f"{_CONNECTIONS} idle connections: memory of each", "KB", [grown / many / 1000]),
        figure(f"{_CONNECTIONS} idle connections: of them open after {_HOLD_S:.0f} s", "%", [100 * still_open / many]),
        Finding(
            what=f"{_CONNECTIONS} idle connections: first token beside them over without",
            unit="ms",
            ours=beside,
            theirs=before,
            compared=Compared.DIFFERENCE,
            goal=None,
        ),
    ]


@asynccontextmanager
async def _held(address: str, many: int) -> AsyncGenerator[list[Pair]]:
    """So many connections that have each had one answer."""
    target = urlsplit(address)
    pairs: list[Pair] = []
    try:
        for start in range(0, many, _BURST):
            burst = range(start, min(many, start + _BURST))
            pairs += await asyncio.gather(*(_opened(str(target.hostname), target.port or 80) for _ in burst))
        yield pairs
    finally:
        for _, writer in pairs:
            writer.close()


async def _opened(host: str, port: int) -> Pair:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(_REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return reader, writer


async def _first_token_ms(serving: Serving, seed: int) -> float:
    (ask,) = asks(seed, 1, prompt_tokens=8, answers=(2, 2))
    return (await serving.answer(ask)).first_token_s * 1000


@contextmanager
def _files_allowed(many: int) -> Generator[None]:
    """So many open files for this process and those that it starts meanwhile, as far as the machine allows."""
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = many if hard == resource.RLIM_INFINITY else min(many, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
