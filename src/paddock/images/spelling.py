"""How a caller says which picture is meant: its bytes in base64, an address, or a path."""

import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from paddock.errors import InvalidImage, TooLarge
from paddock.units import human_bytes

_HEAD_CHARACTERS_MAX: Final = 256  # `data:image/png;charset=utf-8;base64`, and room to spare
_URL_CHARACTERS_MAX: Final = 8192
_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Inline:
    """The picture itself. `claimed` is the media type that its sender gave it, or empty."""

    claimed: str
    base64: str


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https address, not checked yet."""

    url: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A path, not checked yet."""

    path: str


Source = Inline | Address | StoredFile


def source_of(text: str) -> Source:
    """What `text` means. Raises InvalidImage."""
    scheme = text[:8].partition(":")[0].lower()
    match scheme:
        case "data":
            return _inline(text)
        case "http" | "https":
            if len(text) > _URL_CHARACTERS_MAX:
                raise InvalidImage(
                    f"A picture's address is longer than {_URL_CHARACTERS_MAX} characters.",
                    hint="Send a shorter one, or the picture itself as a data URI.",
                )
            return Address(text)
        case "file":
            return StoredFile(_path_of(text))
        case _ if text.startswith("/"):
            return StoredFile(text)
        case _:
            raise InvalidImage(
                "A picture is neither a data URI, nor an http or https address, nor an absolute path.",
                hint="Send one such as `data:image/png;base64,…` or `https://example.org/picture.png`.",
            )


def bytes_of(picture: Inline, *, bytes_max: int) -> bytes:
    """The bytes of `picture`. Raises InvalidImage for anything but strict base64, TooLarge before it takes any memory."""
    if len(picture.base64) // 4 * 3 > bytes_max + 2:
        raise too_large(bytes_max)
    try:
        data = binascii.a2b_base64(picture.base64, strict_mode=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise InvalidImage(
            "A picture is not valid base64.",
            hint="Send the standard alphabet with padding, without blanks or line breaks.",
        ) from error
    if len(data) > bytes_max:
        raise too_large(bytes_max)
    return data


def too_large(bytes_max: int) -> TooLarge:
    """For a picture of more than `bytes_max`."""
    return TooLarge(
        f"A picture is larger than {human_bytes(bytes_max)}.",
        hint="Send it smaller or compressed more, or raise `images.bytes_max`.",
    )


def _inline(text: str) -> Inline:
    head, comma, data = text.partition(",") if "," in text[:_HEAD_CHARACTERS_MAX] else ("", "", "")
    kind, *parameters = [part.strip().lower() for part in head.partition(":")[2].split(";")]
    if not comma or "base64" not in parameters[-1:]:
        raise InvalidImage(
            "A picture's data URI has another form than `data:TYPE;base64,DATA`.",
            hint="Send one such as `data:image/png;base64,iVBORw0…`.",
        )
    if kind and not _TYPE.fullmatch(kind):
        raise InvalidImage("A picture's data URI names no media type.", hint="Send one such as `image/png`, or none.")
    return Inline(kind, data)


def _path_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        path = unquote_to_bytes(parts.path).decode()
    except ValueError as error:
        raise _no_path() from error
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not path.startswith("/"):
        raise _no_path()
    return path


def _no_path() -> InvalidImage:
    return InvalidImage("A picture's `file:` address names no file here.", hint="Send one such as `file:///srv/a.png`.")
