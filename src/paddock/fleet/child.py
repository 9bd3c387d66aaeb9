"""One process with a connection to it. Knows how to start, listen to and end it; nothing of models."""

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Final, Self

from paddock.fleet.channel import ServerChannel

_STDERR_BYTES_KEPT: Final = 8 * 1024
_LAST_WORDS_MAX: Final = 200
_PRIVATE: Final = re.compile(r"0x[0-9a-fA-F]+|(?<![\w.])(?:/[\w.+@~-]+){2,}")  # addresses and paths tell too much


class Child:
    """A process in a session of its own, so that Ctrl-C at our terminal does not reach it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: ServerChannel, words: "_LastWords") -> None:
        self._process = process
        self._words = words
        self.channel = channel

    @classmethod
    async def spawn(cls, command: Sequence[str], *, environment: Mapping[str, str]) -> Self:
        """Start `command --fd N` with one end of a connection as descriptor N. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            async with contextlib.AsyncExitStack() as undo:
                channel = await ServerChannel.open(ours)
                undo.push_async_callback(channel.close)
                words = await _LastWords.open()
                undo.callback(words.close)
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--fd",
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=words.descriptor,
                    stderr=words.descriptor,
                    pass_fds=(theirs.fileno(),),
                    env=environment,
                    start_new_session=True,
                )
                undo.pop_all()
        words.close_descriptor()
        return cls(process, channel, words)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it to the process and its children. Silent when they are gone."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    async def exited(self, timeout_s: float) -> bool:
        """Whether it ends within `timeout_s`."""
        try:
            await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def end(self, *, timeout_s: float) -> None:
        """Kill it if it still runs, and free everything of it on our side."""
        try:
            self.signal(signal.SIGKILL)
            await self.exited(timeout_s)
        finally:
            self._words.close()
            await self.channel.close()

    def how_it_ended(self) -> str:
        """`was killed by SIGKILL`, `exited with 1`, …"""
        code = self._process.returncode
        if code is None:
            return "closed its connection but does not end"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with {code}"

    def last_words(self) -> str:
        """The last line that it wrote to stderr, fit to be shown."""
        return self._words.last_line()

    def said(self) -> str:
        """The end of what it wrote to stderr, as it is: for the log of whoever runs the server."""
        return self._words.text()


class _LastWords(asyncio.Protocol):
    """Reads what a process writes, as fast as it writes, and keeps the end of it."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._transport: asyncio.BaseTransport | None = None
        self.descriptor = -1

    @classmethod
    async def open(cls) -> Self:
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        _, words = await loop.connect_read_pipe(cls, os.fdopen(reading, "rb", buffering=0))
        words.descriptor = writing
        return words

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._kept += data
        del self._kept[:-_STDERR_BYTES_KEPT]

    def text(self) -> str:
        return self._kept.decode(errors="replace")

    def last_line(self) -> str:
        lines = self.text().split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return _PRIVATE.sub("…", last)[:_LAST_WORDS_MAX]

    def close_descriptor(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        self.close_descriptor()
        if self._transport is not None:
            self._transport.close()
