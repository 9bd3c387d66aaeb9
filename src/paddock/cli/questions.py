"""A yes-or-no question on a terminal."""

import asyncio
from typing import TextIO

from paddock.cli.screen import Screen

_YES = frozenset({"y", "yes"})


async def ask(screen: Screen, stdin: TextIO, question: str) -> bool:
    """Ask, and wait for a line. Anything but yes is no; so is the end of input."""
    screen.stream.write(f"{question} [y/N] ")
    screen.flush()
    line = ""
    try:
        line = await _line(stdin)
    finally:
        if not line:  # Ctrl-C and the end of input leave the cursor behind the question
            screen.line()
    return line.strip().lower() in _YES


async def _line(stdin: TextIO) -> str:
    """One line without blocking the loop, so that Ctrl-C at the question is heard at once."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(stdin.fileno(), lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(stdin.fileno())
    return stdin.readline()
