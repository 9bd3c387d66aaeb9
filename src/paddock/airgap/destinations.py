"""Which hosts and addresses lie on this machine. Pure: nothing is looked up, for a look-up asks a machine elsewhere."""

import ipaddress
import socket
from typing import Any, Final
from urllib.parse import urlsplit

_NAMES: Final = frozenset({"", "localhost", "localhost."})
_LOCAL_FAMILIES: Final = frozenset(
    int(getattr(socket, name)) for name in ("AF_UNIX", "AF_NETLINK", "AF_SYSTEM") if hasattr(socket, name)
)
_IP_FAMILIES: Final = frozenset({int(socket.AF_INET), int(socket.AF_INET6)})


def stays_here(host: str) -> bool:
    """Whether `host`, a name or an address in any spelling, is this machine's loopback.

    The machine's own addresses on a network are not: once it moves they are another's. A name is this machine only when it
    says so itself.
    """
    name = host.strip("[]").partition("%")[0].lower()
    if name in _NAMES:
        return True
    address = _literal(name)
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return address.is_loopback or address.is_unspecified  # a connection to 0.0.0.0 is one to this machine


def listens_here(host: str) -> bool:
    """Whether who listens on `host` is reached from this machine only; nothing, and 0.0.0.0, are all its addresses."""
    address = _literal(host.strip("[]").partition("%")[0])
    return stays_here(host) and host != "" and not (address is not None and address.is_unspecified)


def place_of(family: int, address: Any) -> tuple[str, int | None] | None:
    """The host and port of a socket's address; None for one that never leaves the machine, such as a path."""
    if family in _LOCAL_FAMILIES or address is None or isinstance(address, str | bytes):
        return None
    if family in _IP_FAMILIES and isinstance(address, tuple) and len(address) > 1:  # pyright: ignore[reportUnknownArgumentType] (whatever a program wrote)
        port = address[1] if isinstance(address[1], int) else None  # pyright: ignore[reportUnknownVariableType] (see above)
        return text_of(address[0]), port  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] (see above)
    return f"an address of family {family}", None


def text_of(host: Any) -> str:
    """A host as programs give it: text, bytes, or nothing for this machine."""
    if host is None:
        return ""
    return host.decode("utf-8", "replace") if isinstance(host, bytes | bytearray) else str(host)


def place_in(url: str) -> tuple[str, int | None]:
    """The host and port that `url` leads to; without what it asks there, where secrets hide."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "an address that cannot be read", None


def may_be_made(family: int, kind: int) -> bool:
    """Whether a socket of this family and kind can be held to this machine at all."""
    if family in _LOCAL_FAMILIES:
        return True
    return family in _IP_FAMILIES and (kind & 0xF) in (int(socket.SOCK_STREAM), int(socket.SOCK_DGRAM))


def _literal(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))  # `127.1`, `0x7f000001`
    except (OSError, ValueError):
        return None
