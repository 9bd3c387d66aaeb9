"""Which addresses pictures are fetched from: the internet's, unless `images.allow_private` says otherwise.

An address is read once, strictly, and what was read is what is asked: whatever two programs could read in two ways
(backslashes, a user before an `@`, escapes in a name, numbers that a C library takes for an address) is refused, or judged as
the address that it stands for. A name is looked up once, every address behind it is judged, and the connection goes to one of
these and not to the name: a server of names that changes its answer meanwhile changes nothing.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from paddock.errors import ImageUnreachable, InvalidImage
from paddock.hub.addresses import is_global, literal_address

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""A host's name to its addresses. Raises OSError when there are none."""

_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes the whole an address, in any spelling
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """An address, read. `host` is a name in small letters, or a literal address as it is written shortest."""

    scheme: str
    host: str
    port: int
    target: str  # path and query, as they are sent

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_literal(self) -> bool:
        return literal_address(self.host) is not None


def read_address(url: str) -> Where:
    """`url`, taken apart. Raises InvalidImage for what cannot be read in one way only."""
    if not url.isascii() or any(letter <= " " or letter in "\\\x7f" for letter in url):
        raise _unreadable("holds blanks, backslashes or letters beyond ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unreadable("is not one") from error
    if parts.scheme not in _PORTS:
        raise _unreadable(f"is neither http nor https but `{parts.scheme[:20]}`")
    if "@" in parts.netloc:
        raise _unreadable("has a user name")
    if port == 0:
        raise _unreadable("has no port that can be asked")
    target = parts.path or "/"
    return Where(
        scheme=parts.scheme,
        host=_host(parts.hostname or ""),
        port=port or _PORTS[parts.scheme],
        target=f"{target}?{parts.query}" if parts.query else target,
    )


def next_address(where: Where, location: str) -> Where:
    """Where a redirect from `where` leads. Raises InvalidImage."""
    if "\\" in location or not location.isascii() or any(letter <= " " for letter in location):
        raise _unreadable("redirects to one that cannot be read")
    try:
        return read_address(urljoin(where.url, location))
    except ValueError as error:
        raise _unreadable("redirects to one that cannot be read") from error


async def addresses_of(where: Where, look_up: LookUp, *, allow_private: bool) -> Sequence[str]:
    """The addresses that may be connected to. Raises InvalidImage when any is not of the internet, ImageUnreachable."""
    if where.is_literal:
        found: Sequence[str] = (where.host,)
    else:
        try:
            found = await look_up(where.host)
        except (OSError, UnicodeError) as error:
            raise ImageUnreachable(
                f"The host of a picture, `{where.host}`, is not known.", hint="Check the address, or send the picture."
            ) from error
    if not allow_private and (where.host == "localhost" or not all(_is_public(each) for each in found)):
        raise InvalidImage(
            f"The picture at `{where.host}` is on this machine or a private network.",
            hint="Send the picture itself as a data URI, or set `images.allow_private`.",
        )
    if not found:
        raise ImageUnreachable(f"The host of a picture, `{where.host}`, has no address.", hint="Check the address.")
    return found


def _is_public(text: str) -> bool:
    try:
        return is_global(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False


def _host(given: str) -> str:
    name = given.lower().removesuffix(".")
    if ":" in name:  # only ever between brackets
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError as error:
            raise _unreadable("has a host that is none") from error
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        literal = literal_address(name)
        if literal is None:
            raise _unreadable("has a host that is none")
        return str(literal)
    if not _NAME.fullmatch(name):
        raise _unreadable("has a host that is none")
    return name


def _unreadable(what: str) -> InvalidImage:
    return InvalidImage(
        f"The address of a picture {what}.",
        hint="Send one such as `https://example.org/picture.png`, escaped as usual.",
    )
