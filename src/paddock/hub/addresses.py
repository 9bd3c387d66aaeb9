"""Which addresses we may talk to: HTTPS anywhere, plain HTTP on this machine only, and no way from outside to inside.

A hub on the internet that redirects to `http://169.254.169.254/` or `https://router.local/` is turned down before a
socket opens. A hub that was configured on a private network may redirect within it.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit

from paddock.errors import HubUnreachable, TransferFailed

Resolve = Callable[[str], Sequence[str]]  # a host name to its addresses; raises OSError when there are none
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # `::127.0.0.1`: long out of use, and some systems still route it


def resolve_host(host: str) -> Sequence[str]:
    """Every address of `host`, asked of the system."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def check_address(url: str) -> None:
    """Raise TransferFailed unless `url` is HTTPS, or plain HTTP to this machine."""
    parts = _split(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return
    raise TransferFailed(
        f"`{host_of(url)}` is to be asked over {parts.scheme or 'nothing'}, which anyone can read and alter.",
        hint="Use an `https://` address; plain HTTP is for this machine only.",
    )


def redirect_target(url: str, location: str, *, resolve: Resolve | None) -> str:
    """Where a redirect from `url` leads. Raises TransferFailed when it must not be followed.

    `resolve` is None when a proxy looks names up for us; then only literal addresses can be judged.
    """
    if any(ord(letter) < 33 or ord(letter) == 127 or letter == "\\" for letter in location):
        raise TransferFailed(f"`{host_of(url)}` redirects to an address with spaces or control characters.", hint=_HINT)
    _split(location)  # urljoin wants an address that can be read
    target = urljoin(url, location)
    before, after = _split(url), _split(target)
    if after.username or after.password or not (after.hostname or "").isascii():
        raise TransferFailed(f"`{host_of(url)}` redirects to an address that hides its host.", hint=_HINT)
    if after.scheme != "https" and not (after.scheme == "http" and is_loopback(after.hostname or "")):
        raise TransferFailed(
            f"`{host_of(url)}` redirects to plain {after.scheme.upper() or 'nothing'} at `{host_of(target)}`.",
            hint=_HINT,
        )
    if (
        before.hostname != after.hostname
        and _is_public(before.hostname, resolve)
        and not _is_public(after.hostname, resolve)
    ):
        raise TransferFailed(
            f"`{host_of(url)}` redirects to `{host_of(target)}`, an address on a private network.", hint=_HINT
        )
    return target


_HINT = (
    "Nothing was sent there. Check the address of the hub (`HF_ENDPOINT`, `paddock config`), or report it to its owner."
)


@lru_cache(maxsize=64)  # every request asks it of the same few
def is_loopback(host: str) -> bool:
    """True for the names and addresses of this machine itself."""
    if host == "localhost":
        return True
    address = literal_address(host)
    return address is not None and address.is_loopback


def host_of(url: str) -> str:
    """The host and port of `url` for a message: no path, query or password, where secrets hide."""
    parts = _split(url)
    return f"{parts.hostname or '?'}:{parts.port}" if parts.port else parts.hostname or "?"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise TransferFailed("The hub sent an address that cannot be read.", hint=_HINT) from error
    return parts


def _is_public(host: str | None, resolve: Resolve | None) -> bool:
    """True when every address of `host` is on the internet."""
    if not host or host == "localhost":
        return False
    literal = literal_address(host)
    if literal is not None:
        return is_global(literal)
    if resolve is None:
        return True
    try:
        addresses = resolve(host)
    except OSError as error:
        raise HubUnreachable(
            f"The name `{host}` cannot be looked up.", hint="Check the network and its name servers, then run it again."
        ) from error
    return all(is_global(ipaddress.ip_address(address.partition("%")[0])) for address in addresses)


def is_global(address: IpAddress) -> bool:
    """True for one host on the internet, whatever way an IPv4 address is wrapped up in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64 or address in _COMPATIBLE:
            return is_global(ipaddress.IPv4Address(address.packed[-4:]))
        if address.is_site_local:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_global(inner)
    return address.is_global and not address.is_multicast


def literal_address(host: str) -> IpAddress | None:
    """`host` as an address, in any spelling that a C library takes (`0x7f.1`, `2130706433`), else None."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
