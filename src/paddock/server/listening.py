"""The address to listen on: taken once, before anything else is opened, or an error that says by whom it is taken."""

import contextlib
import errno
import http.client
import os
import socket
from collections.abc import Generator
from typing import Final

import psutil

from paddock.config.kinds import is_loopback
from paddock.errors import Airgapped, InUse, UsageError
from paddock.server.routes.root import LINE
from paddock.server.state_file import ServerState

_BACKLOG: Final = 2048
_PROBE_S: Final = 1.0
_PROBE_BYTES: Final = 200


def check_exposure(host: str, *, has_key: bool) -> None:
    """Raises UsageError for an address that others can reach while no key is wanted."""
    if not is_loopback(host) and not has_key:
        raise UsageError(
            f"`{host}` can be reached by others, and this server has no key.",
            hint="Make one (`paddock key add NAME`), set `PADDOCK_ADMIN_KEY` to a long random text, or listen on 127.0.0.1.",
        )


def check_closed(host: str) -> None:
    """Raises Airgapped for an address that others can reach while nothing may leave this machine."""
    if not is_loopback(host):
        raise Airgapped(
            f"`{host}` can be reached by others, and `--airgap` keeps Paddock on this machine: answers would leave it.",
            hint="Listen on 127.0.0.1 (`--host`, `server.host`), or start without `--airgap`.",
        )


def listen(host: str, port: int, *, ours: ServerState | None) -> socket.socket:
    """A socket that listens. `ours` is what this home's state file says. Raises InUse and UsageError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError(f"`{host}` is not an address of this machine.", hint="Set `server.host` anew.") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _why(error, host, port, ours) from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """How to call it: `http://127.0.0.1:8484`."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 (compared)
    return f"http://{name}:{port}"


def _why(error: OSError, host: str, port: int, ours: ServerState | None) -> InUse | UsageError:
    if error.errno == errno.EADDRINUSE:
        who, remedy = _holder(port, ours)
        return InUse(f"Port {port} is taken by {who}.", hint=f"{remedy}, or choose another port with `--port`.")
    if error.errno == errno.EACCES:
        return UsageError(
            f"Port {port} is not for this user: {error.strerror}.", hint="Choose a port from 1024 up with `--port`."
        )
    return UsageError(
        f"`{host}` cannot be listened on: {os.strerror(error.errno or 0)}.", hint="Set `server.host` anew."
    )


def _holder(port: int, ours: ServerState | None) -> tuple[str, str]:
    """Who has the port, and what to do about it."""
    if ours is not None and ours.address.endswith(f":{port}"):
        return f"Paddock (process {ours.pid})", "End it with `paddock serve --stop`"
    process = _process_on(port)
    if _line_at(port) == LINE:
        whose = f"Paddock (process {process.pid})" if process else "Paddock"
        stop = f"`kill {process.pid}`" if process else "its owner's `paddock serve --stop`"
        return f"{whose}, of another home or user", f"End it with {stop}"
    if process is not None:
        with contextlib.suppress(psutil.Error):
            return f"`{process.name()}` (process {process.pid})", "End that program"
    return "another program", "End that program"


def _process_on(port: int) -> psutil.Process | None:
    """The process that listens there, as far as this user may know."""
    for process in _processes():
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return process
    return None


def _processes() -> Generator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        yield from psutil.process_iter()


def _line_at(port: int) -> str:
    """What answers there to `GET /`; empty when nothing does in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_S)
    try:
        connection.request("GET", "/", headers={"accept": "text/plain"})
        return connection.getresponse().read(_PROBE_BYTES).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
