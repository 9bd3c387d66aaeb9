"""The program of a runner: `python -m paddock.runner.main --name NAME --fd N`. Started by the fleet, never by a person.

The main thread owns the device: it loads, steps and closes. One thread reads the connection, one sends heartbeats.
"""

import argparse
import os
import socket
import sys
import threading
import traceback
from typing import Final

from paddock.airgap.enclosing import enclose_runner
from paddock.errors import NotEnoughMemory, PaddockError, ProtocolError
from paddock.runner.channel import RunnerChannel
from paddock.runner.executors import open_model
from paddock.runner.inbox import Inbox
from paddock.runner.messages import (
    PROTOCOL_VERSION,
    Failed,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    StatsQuery,
    StatsReply,
    check_hello,
)
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.pictures import ReceivedPictures
from paddock.runner.process import close_inherited, settle
from paddock.runner.pulse import Pulse, beat
from paddock.runner.worker import Opened, OpenModel, Wires, Worker

DONE: Final = 0
FAILED: Final = 1
NO_SERVER: Final = 3  # nobody is there to tell anything


def main() -> None:
    """Serve the connection that was inherited, with a model of whatever format is asked for."""
    parser = argparse.ArgumentParser(prog="paddock.runner.main", description=__doc__)
    parser.add_argument("--name", required=True, help="the model, for `ps`")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    words = parser.parse_args()
    enclose_runner(os.environ, words.name)
    close_inherited(words.fd)
    settle(words.name)
    sys.exit(serve(words.fd, open_model))


def serve(descriptor: int, opener: OpenModel) -> int:
    """Be a runner until the server says or is gone. Returns the exit code."""
    channel = RunnerChannel(socket.socket(fileno=descriptor))
    try:
        load = _greet(channel)
        return NO_SERVER if load is None else _run(channel, load, opener)
    except ProtocolError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (stderr is what the fleet reads)
        return FAILED
    except OSError:  # the server went while we were telling it something
        return NO_SERVER
    finally:
        channel.close()


def _greet(channel: RunnerChannel) -> Load | None:
    """Say hello, hear it, and what to load. None when the server is gone. Raises ProtocolError."""
    channel.send(Hello(PROTOCOL_VERSION, os.getpid()))
    first = channel.receive()
    if first is None:
        return None
    check_hello(first)
    match channel.receive():
        case Load() as load:
            return load
        case None:
            return None
        case other:
            raise ProtocolError(f"Load was expected, {type(other).__name__} came.", hint="Restart Paddock.")


def _run(channel: RunnerChannel, load: Load, opener: OpenModel) -> int:
    inbox, pulse = Inbox(), Pulse()
    threading.Thread(target=_read, args=(channel, inbox, pulse), name="reader", daemon=True).start()
    beat(channel, pulse, every_s=load.heartbeat_s)
    opened = _open(channel, load.options, opener)
    if opened is None:
        return FAILED
    try:
        # Before it is told to be loaded it shows its numbers, so that whoever asks at once sees a cache with blocks.
        worker = _worker(opened, Wires(channel=channel, inbox=inbox, pulse=pulse), load.options)
        channel.send(Loaded(opened.model))
        worker.run()
        worker.close()
    except OSError:
        return NO_SERVER
    except Exception as error:  # noqa: BLE001  (the boundary of the process: whoever waits is told, then it ends)
        traceback.print_exc()
        channel.send(_failed(load.options.name, error))
        return FAILED
    return DONE


def _worker(opened: Opened, wires: Wires, options: LoadOptions) -> Worker:
    if not isinstance(opened, OpenedModel):
        return opened.worker(wires)
    # Imported only now: it brings a library that comes with MLX, and who has neither was told so by the opener.
    from paddock.runner.loop import Loop

    return Loop(channel=wires.channel, inbox=wires.inbox, pulse=wires.pulse, opened=opened, options=options)


def _open(channel: RunnerChannel, options: LoadOptions, opener: OpenModel) -> Opened | None:
    """The model, or None once the server was told why not."""
    try:
        return opener(options)
    except PaddockError as error:
        told = error
    except MemoryError:
        told = NotEnoughMemory(
            f"Memory ran out while `{options.name}` was loaded.",
            hint="Unload another model, lower the context window, or take a smaller quantization.",
        )
    except Exception as error:  # noqa: BLE001  (the boundary of the process: whoever waits is told, then it ends)
        traceback.print_exc()
        channel.send(
            LoadFailed(
                "runner_crashed",
                f"`{options.name}` could not be loaded: {type(error).__name__}.",
                f"`paddock verify {options.name}` checks its files; the server's log has the details.",
            )
        )
        return None
    channel.send(LoadFailed(told.code, told.message, told.hint))
    return None


def _failed(name: str, error: Exception) -> Failed:
    if isinstance(error, PaddockError):
        return Failed(error.code, error.message, error.hint)
    return Failed(
        "runner_crashed",
        f"`{name}` broke in a step: {type(error).__name__}.",
        "Try again: it is started anew. If it happens again, report it with the server's log.",
    )


def _read(channel: RunnerChannel, inbox: Inbox, pulse: Pulse) -> None:
    """Pass on what the server sends. When it is gone nothing is left to do, whatever the device is at."""
    code, pictures = NO_SERVER, ReceivedPictures()
    try:
        while (message := channel.receive()) is not None:
            if isinstance(message, StatsQuery):  # answered at once, even while the device is busy
                channel.send(StatsReply(message.call, pulse.numbers))
            elif (complete := pictures.take(message)) is not None:
                inbox.put(complete)
    except ProtocolError as error:
        print(error.message, file=sys.stderr, flush=True)  # noqa: T201  (stderr is what the fleet reads)
        code = FAILED
    except OSError:
        pass
    os._exit(code)


if __name__ == "__main__":
    main()
