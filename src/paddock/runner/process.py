"""What a runner's process does to itself: lets go of what it inherited, and dies with its server."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_NAME_BYTES_MAX: Final = 15


def close_inherited(keep: int) -> None:
    """Close every descriptor but the standard ones and `keep`."""
    for entry in tuple(Path("/dev/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):  # the one that listed the folder is closed already
                os.close(descriptor)


def settle(name: str) -> None:
    """Be found as `name`, leave Ctrl-C to the server, and on Linux be killed when the server ends however it ends.

    Everywhere else, and when the server was gone before we asked, the end of the connection tells.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        system = ctypes.CDLL(None, use_errno=True)
        system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        system.prctl(_PR_SET_NAME, f"paddock:{name}".encode()[:_NAME_BYTES_MAX], 0, 0, 0)
