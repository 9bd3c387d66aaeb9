"""The hook in each Python process of ours: whatever opens a socket, knowing of `--airgap` or not, is turned down.

Python tells its audit hooks of each address before it is used. A hook cannot be taken away again, by nobody, so this module
holds one for the process. Code that is not Python's is not seen by it; `kernel` is for that.
"""

import errno
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

from paddock.airgap.airgap import Airgap
from paddock.airgap.destinations import listens_here, may_be_made, place_of, stays_here, text_of

_OWN: Final = "paddock."
_HERE: Final = "paddock.airgap"
_FRAMES_MAX: Final = 100

_airgap: Airgap | None = None


class SocketRefused(PermissionError):
    """What a program meets that reaches for another machine. An OSError, for those are what programs of sockets expect."""


def install(airgap: Airgap) -> None:
    """Hold this process to this machine, for good. Once; later calls change nothing."""
    global _airgap  # noqa: PLW0603 (hooks are the process's)
    if _airgap is None:
        _airgap = airgap
        sys.addaudithook(_heard)


def is_installed() -> bool:
    """Whether this process is held."""
    return _airgap is not None


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    judge = _JUDGES.get(event)  # every import and every opened file comes by here
    if judge is not None:
        judge(arguments)


def _connecting(action: str) -> Callable[[tuple[Any, ...]], None]:
    def judge(arguments: tuple[Any, ...]) -> None:
        place = place_of(int(arguments[0].family), arguments[1])
        if place is not None and not stays_here(place[0]):
            _refuse(action, *place)

    return judge


def _listening(arguments: tuple[Any, ...]) -> None:
    place = place_of(int(arguments[0].family), arguments[1])
    if place is not None and not listens_here(place[0]):
        _refuse("listen", *place)


def _looking_up(arguments: tuple[Any, ...]) -> None:
    host = text_of(arguments[0])
    if not stays_here(host):
        port = arguments[1] if len(arguments) > 1 else None
        _refuse("look up", host, port if isinstance(port, int) else None)


def _naming(arguments: tuple[Any, ...]) -> None:
    host = text_of(arguments[0][0])
    if not stays_here(host):
        _refuse("look up", host, None)


def _opening(arguments: tuple[Any, ...]) -> None:
    _, family, kind, _ = arguments
    # -1 is a socket that exists already, handed over by its number.
    if family != -1 and not may_be_made(int(family), int(kind)):
        _refuse("open", f"a socket of family {int(family)}, kind {int(kind)}", None)


_JUDGES: Final[Mapping[str, Callable[[tuple[Any, ...]], None]]] = {
    "socket.__new__": _opening,
    "socket.connect": _connecting("connect"),
    "socket.sendto": _connecting("send"),
    "socket.sendmsg": _connecting("send"),
    "socket.bind": _listening,
    "socket.getaddrinfo": _looking_up,
    "socket.gethostbyname": _looking_up,
    "socket.gethostbyaddr": _looking_up,
    "socket.getnameinfo": _naming,
}


def _refuse(action: str, host: str, port: int | None) -> None:
    assert _airgap is not None, "the hook is there once this is"
    _airgap.write_down(action, host, port, who=_who(sys._getframe(1)))  # pyright: ignore[reportPrivateUsage] (the way to the frames)
    raise SocketRefused(errno.EACCES, f"`--airgap` keeps this process on this machine ({action} {host})")


def _who(frame: FrameType | None) -> str:
    """Whose code wanted it: ours if any of it is on the way, else the nearest that is not Python's own, else the thread."""
    other, left = "", _FRAMES_MAX
    while frame is not None and left:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_OWN) and not name.startswith(_HERE):
            return name
        if not other and name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith(_HERE):
            other = name
        frame, left = frame.f_back, left - 1
    return other or f"thread {threading.current_thread().name}"
