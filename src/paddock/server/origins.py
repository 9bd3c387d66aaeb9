"""Who may call this server by which name, and which web pages may call it at all.

A page in somebody's browser can send requests to loopback. It gives itself away by its `Origin`; one that made a name of its
own point here (DNS rebinding) gives itself away by the `Host`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from paddock.config.kinds import is_loopback, listed
from paddock.config.schema import Server
from paddock.errors import ForeignHost, ForeignOrigin, UsageError

_PREFLIGHT_S: Final = 600
_NAME_MAX: Final = 253
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_EXPOSED: Final = "x-paddock-request-id, x-paddock-model, x-paddock-provider, x-paddock-route, retry-after"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The names and pages that are let in. Made once from the settings."""

    bound: str
    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Server) -> Self:
        return cls(
            settings.host.lower(),
            frozenset(name.lower() for name in listed(settings.allowed_hosts)),
            frozenset(origin.lower() for origin in listed(settings.allowed_origins)),
        )

    def check_host(self, hosts: list[str]) -> str:
        """The request's one `Host`. Raises UsageError when there is none or several, ForeignHost for a strange name."""
        if len(hosts) != 1 or not hosts[0]:
            raise UsageError("A request needs exactly one `Host` header.", hint="Send the name or address you call.")
        host = hosts[0].lower()
        name = _name_of(host)
        if name is None or not self._is_ours(name):
            raise ForeignHost(
                "This server does not go by the name that the `Host` header gives.",
                hint="Call it by its address, or add the name to `server.allowed_hosts`.",
            )
        return host

    def check_origin(self, headers: Mapping[str, str], host: str) -> str | None:
        """The origin to answer to, None when no foreign page asks. Raises ForeignOrigin for a page that was not let in."""
        origin = headers.get("origin")
        if origin is None:
            # Without an origin, a browser still says when a page of another site makes it ask.
            site = headers.get("sec-fetch-site", "none")
            if site in ("same-origin", "none") or headers.get("sec-fetch-mode") == "navigate":
                return None
            raise _foreign()
        origin = origin.lower()
        if origin in self.origins:
            return origin
        if _is_same(origin, host):
            return None
        raise _foreign()

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name in self.hosts or name == self.bound:
            return True
        # Bound to every interface it has addresses that nobody listed; rebinding needs a name, so an address is safe.
        return self.bound in ("0.0.0.0", "::") and _is_address(name)  # noqa: S104 (compared, not bound)


def preflight(origin: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of the answer to a browser that asks whether a page that was let in may send a request."""
    wanted = headers.get("access-control-request-headers", "")
    names = [name.strip() for name in wanted.split(",")]
    clean = ", ".join(name for name in names if name and name.replace("-", "").isalnum() and name.isascii())
    return [
        *cors(origin),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", clean.encode()),
        (b"access-control-max-age", str(_PREFLIGHT_S).encode()),
    ]


def cors(origin: str) -> list[tuple[bytes, bytes]]:
    """What an answer to `origin` carries; exactly that origin, never everybody."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1", "replace")),
        (b"access-control-expose-headers", _EXPOSED.encode()),
        (b"vary", b"origin"),
    ]


def _foreign() -> ForeignOrigin:
    return ForeignOrigin(
        "Web pages of other origins may not call this server.",
        hint="Add the page's exact origin to `server.allowed_origins` if it is yours.",
    )


def _is_same(origin: str, host: str) -> bool:
    """Whether a page came from this server itself, under the name that the request has just been let in by."""
    try:
        parts = urlsplit(origin)
        usual = _USUAL_PORTS.get(parts.scheme)
        here = urlsplit(f"{parts.scheme}://{host}")
        return usual is not None and (parts.hostname, parts.port or usual) == (here.hostname, here.port or usual)
    except ValueError:
        return False


def _name_of(host: str) -> str | None:
    """`host` without its port; None when it is no name at all."""
    if len(host) > _NAME_MAX or set(host) & set("/\\@?#,; \t"):
        return None
    name, port = host, ""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif ":" in host:
        name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    return name or None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
