"""The entry: reads the words, runs the command, and ends with the right number.

0 done, 1 failed, 2 usage, 3 will not fit or is incompatible, 4 not found, 5 network, 6 in use, 130 interrupted.
"""

import gc
import inspect
import os
import sys
from typing import NoReturn

from paddock.cli.desk import Desk
from paddock.cli.failure import defect, show_error
from paddock.cli.invocation import Invocation, of_this_process
from paddock.cli.parsing import Call, parse, wants_json
from paddock.errors import Interrupted, PaddockError

INTERRUPTED = Interrupted.exit_code
_GC_THRESHOLD = 100_000


def main() -> NoReturn:
    """The `paddock` program."""
    # Start-up makes a hundred thousand objects that all stay; looking through them again and again costs a tenth of it.
    gc.set_threshold(_GC_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        if not (stream.encoding or "").lower().startswith("utf") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    code = run(of_this_process())
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    sys.exit(code)


def run(invocation: Invocation) -> int:
    """Carry out one invocation and return its exit code. Raises nothing."""
    json = wants_json(list(invocation.arguments))
    try:
        return _run(invocation)
    except PaddockError as error:
        show_error(invocation, error, json=json)
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has gone, as `head` does; nobody is left to tell
        _forget_stdout()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 (the boundary of the process: a defect is told in one line, not in a traceback)
        told = defect(invocation, error)
        show_error(invocation, told, json=json)
        return told.exit_code


def _run(invocation: Invocation) -> int:
    call = parse(invocation)
    desk = Desk(invocation, call.flags)
    if "desk" in call.wants:
        call.named["desk"] = desk
    _carry_out(call)
    return desk.exit_code


def _carry_out(call: Call) -> None:
    if inspect.iscoroutinefunction(call.function):
        from paddock.cli.running import run_until_done

        run_until_done(call.function(*call.positional, **call.named))
    else:
        call.function(*call.positional, **call.named)


def _forget_stdout() -> None:
    """Python flushes stdout once more when it exits, and would complain about the broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
