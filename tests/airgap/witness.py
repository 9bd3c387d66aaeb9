"""Who sees, from outside a program, what it sends beyond this machine.

In a network namespace: an address of the internet lies on the loopback interface, every other one is routed there, and a raw
socket sees each packet. Where the system allows no namespace: sockets that listen on an address of this machine on a network.
"""

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import psutil

FAR = "11.22.33.44"  # a public address, in a namespace where nothing leads there
Place = tuple[str, int]

_NEW_NETWORK, _NEW_USER, _NEW_MOUNTS = 0x40000000, 0x10000000, 0x00020000
_PRIVATE, _RECURSIVE, _BIND = 1 << 18, 1 << 14, 4096
_SET_FLAGS, _SET_ADDRESS, _SET_MASK, _ADD_ROUTE = 0x8914, 0x8916, 0x891C, 0x890B
_UP, _ROUTE_UP, _ROUTE_TO_NET = 1, 1, 0
_QUIET_S = 0.2


class Witness(Protocol):
    """`host` is beyond loopback. `seen` tells what was sent there, or anywhere else, since it was asked last."""

    kind: str
    host: str
    names: bool  # look-ups are seen, too

    def ports(self, count: int) -> Sequence[int]: ...

    def seen(self) -> set[Place]: ...


@contextmanager
def witness(folder: Path, *, namespace: bool = True) -> Generator[Witness]:
    """The best that this system allows."""
    with ExitStack() as stack:
        if namespace and _enter_namespace():
            found: Witness = Packets(names=_own_resolver(folder))
        else:
            found = Listeners(stack)
        yield found


class Packets:
    """Every packet of this namespace that is not from loopback to loopback."""

    kind = "packets"
    host = FAR

    def __init__(self, *, names: bool) -> None:
        self.names = names
        self._seen: set[Place] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind(("lo", 0))
        threading.Thread(target=self._watch, daemon=True).start()

    def ports(self, count: int) -> Sequence[int]:
        return range(4430, 4430 + count)

    def seen(self) -> set[Place]:
        time.sleep(_QUIET_S)
        found, self._seen = self._seen, set()
        return found

    def _watch(self) -> None:
        while True:
            place = _destination(self._socket.recv(65535)[14:])
            if place is not None and not ipaddress.ip_address(place[0]).is_loopback:
                self._seen.add(place)


class Listeners:
    """Whoever connects to an address that this machine has on a network."""

    kind = "listeners"
    names = False

    def __init__(self, stack: ExitStack) -> None:
        self.host = _own_address()
        self._stack = stack
        self._seen: set[Place] = set()

    def ports(self, count: int) -> Sequence[int]:
        return [self._listen() for _ in range(count)]

    def seen(self) -> set[Place]:
        time.sleep(_QUIET_S)
        found, self._seen = self._seen, set()
        return found

    def _listen(self) -> int:
        listener = self._stack.enter_context(socket.create_server((self.host, 0)))
        port = listener.getsockname()[1]

        def watch() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self._seen.add((self.host, port))
                connection.close()

        threading.Thread(target=watch, daemon=True).start()
        return port


def _own_address() -> str:
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not ipaddress.ip_address(address.address).is_loopback:
                return address.address
    raise AssertionError(
        "neither a network namespace nor an address on a network: nothing could leave, and nobody see it"
    )


def _enter_namespace() -> bool:
    """Move this process, which has one thread yet, into a network of its own. False where the system does not allow it."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NETWORK | _NEW_MOUNTS):
        if libc.unshare(_NEW_USER | _NEW_NETWORK | _NEW_MOUNTS):
            return False
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return _raise_network()


def _raise_network() -> bool:
    """Loopback up, the far address on it, and the way to everywhere else by it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
            fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16sH2s4s16x", b"lo:0", socket.AF_INET, b"", _packed(FAR)))
            nowhere = struct.pack("H2s4s8x", socket.AF_INET, b"", _packed("0.0.0.0"))
            name = ctypes.create_string_buffer(b"lo")
            route = struct.pack(
                "L16s16s16sHhLPhPLLH",
                0, nowhere, nowhere, nowhere, _ROUTE_UP, 0, 0, 0, 0, ctypes.addressof(name), 0, 0, 0,
            )  # fmt: skip
            fcntl.ioctl(control, _ADD_ROUTE, route)
        except OSError:
            return False
    return True


def _own_resolver(folder: Path) -> bool:
    """Names are asked of the far address. False where that file cannot be covered."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {FAR}\noptions timeout:1 attempts:1\n")
    target = Path("/etc/resolv.conf")
    if not target.exists() or libc.mount(b"none", b"/", None, _PRIVATE | _RECURSIVE, None):
        return False
    return libc.mount(os.fsencode(file), os.fsencode(target.resolve()), None, _BIND, None) == 0


def _packed(address: str) -> bytes:
    return ipaddress.IPv4Address(address).packed


def _destination(packet: bytes) -> Place | None:
    """Where a packet goes; the port is 0 for what has none. Answers of the far address to itself are not counted twice."""
    version = packet[0] >> 4
    if version == 4:
        start, protocol, host = (packet[0] & 0xF) * 4, packet[9], str(ipaddress.ip_address(packet[16:20]))
    elif version == 6:
        start, protocol, host = 40, packet[6], str(ipaddress.ip_address(packet[24:40]))
        if protocol == socket.IPPROTO_ICMPV6 or host.startswith("ff"):
            return None  # the interface itself, coming up
    else:
        return None
    if protocol == socket.IPPROTO_TCP and packet[start + 13] & 0x12 == 0x02:
        return host, int.from_bytes(packet[start + 2 : start + 4], "big")
    if protocol == socket.IPPROTO_UDP:
        return host, int.from_bytes(packet[start + 2 : start + 4], "big")
    return None if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_ICMP) else (host, 0)
