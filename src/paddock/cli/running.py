"""Runs an asynchronous command. Ctrl-C and SIGTERM cancel it, so that it can tidy up, and end as KeyboardInterrupt."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any


def run_until_done(command: Coroutine[Any, Any, None]) -> None:
    """Run `command` to its end. Raises what it raises, KeyboardInterrupt when it was asked to stop."""
    try:
        with asyncio.Runner() as runner:
            runner.run(_heeding_sigterm(command))
    except asyncio.CancelledError:  # SIGTERM; of Ctrl-C the runner makes a KeyboardInterrupt by itself
        raise KeyboardInterrupt from None


async def _heeding_sigterm(command: Coroutine[Any, Any, None]) -> None:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    if threading.current_thread() is threading.main_thread():  # only there may signals be taken
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await command
