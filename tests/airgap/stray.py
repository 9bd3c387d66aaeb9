"""Code that reaches out and asks nobody: `python -m tests.airgap.stray HOST PORT process|runner [LEDGER]`.

With a ledger the process is first held, as a server or as a runner. Prints what became of each way: `refused`, or `tried`.
"""

import asyncio
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx2

from paddock.airgap.airgap import airgap_at
from paddock.airgap.enclosing import enclose, enclose_runner, runner_variables

_WAIT_S = 2.0


def main() -> None:
    host, port, kind, *ledger = sys.argv[1:]
    if ledger and kind == "runner":
        enclose_runner({**os.environ, **runner_variables(Path(ledger[0]))}, "stray")
    elif ledger:
        enclose(airgap_at(Path(ledger[0]), "stray"))
    json.dump({name: became(way) for name, way in ways(host, int(port), kind).items()}, sys.stdout)


def became(way: Callable[[], object]) -> str:
    """Refused by us or the kernel, or tried, whatever came of it."""
    try:
        way()
    except Exception as error:  # noqa: BLE001 (whatever came of it is what is asked)
        return "refused" if _is_refusal(error) else "tried"
    return "tried"


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, PermissionError) or "--airgap" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def ways(host: str, port: int, kind: str) -> dict[str, Callable[[], object]]:
    url = f"http://{host}:{port}/"

    def stream(kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.settimeout(_WAIT_S)
        return made

    async def opened() -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _WAIT_S)
        writer.close()

    async def asked() -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=_WAIT_S) as client:
            await client.get(url)

    async def datagram() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(host, port))
        transport.sendto(b"hello")  # pyright: ignore[reportAttributeAccessIssue]
        transport.close()

    def in_thread() -> None:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                stream().connect((host, port))
            except OSError as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    found: dict[str, Callable[[], object]] = {
        "connect": lambda: stream().connect((host, port)),
        "connect_ex": lambda: _code(stream().connect_ex((host, port))),
        "mapped": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect((f"::ffff:{host}", port)),
        "create_connection": lambda: socket.create_connection((host, port), _WAIT_S),
        "sendto": lambda: stream(socket.SOCK_DGRAM).sendto(b"hello", (host, port)),
        "sendmsg": lambda: stream(socket.SOCK_DGRAM).sendmsg([b"hello"], [], 0, (host, port)),
        "bind": lambda: stream().bind(("0.0.0.0", 0)),
        "look up": lambda: socket.getaddrinfo("stray.nowhere.test", port),
        "gethostbyname": lambda: socket.gethostbyname("stray.nowhere.test"),
        "thread": in_thread,
        "asyncio": lambda: asyncio.run(opened()),
        "datagram": lambda: asyncio.run(datagram()),
        "httpx": lambda: httpx2.get(url, trust_env=False, timeout=_WAIT_S),
        "httpx async": lambda: asyncio.run(asked()),
        "urllib": lambda: urllib.request.urlopen(url, timeout=_WAIT_S),
        "native datagram": lambda: native(host, port, socket.SOCK_DGRAM),
        "child's datagram": lambda: child(host, port, "SOCK_DGRAM"),
    }
    if kind == "runner":
        found["native connection"] = lambda: native(host, port, socket.SOCK_STREAM)
        found["child's connection"] = lambda: child(host, port, "SOCK_STREAM")
    return found


def _code(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))


def native(host: str, port: int, kind: int) -> None:
    """As a library in C would, unseen by Python's hook."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.socket(socket.AF_INET, kind, 0)
    if made < 0:
        raise OSError(ctypes.get_errno(), "socket")
    family = int(socket.AF_INET).to_bytes(2, sys.byteorder) if sys.platform != "darwin" else bytes((16, 2))
    address = family + port.to_bytes(2, "big") + socket.inet_aton(host) + bytes(8)
    sent = libc.connect(made, address, len(address)) or libc.send(made, b"hello", 5, 0)
    code = ctypes.get_errno()
    libc.close(made)
    if sent < 0:
        raise OSError(code, os.strerror(code))


def child(host: str, port: int, kind: str) -> None:
    """A program that knows nothing of us."""
    code = (
        f"import socket; s = socket.socket(socket.AF_INET, socket.{kind}); s.connect(('{host}', {port})); s.send(b'x')"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    if "PermissionError" in done.stderr:
        raise PermissionError(done.stderr)


if __name__ == "__main__":
    main()
