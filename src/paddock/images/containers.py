"""What a file is by its first bytes, whatever it was called, and whether it is only that.

A name or a media type is a claim. What follows the end of a picture is not shown by any program that draws it: a file that is
also an archive, a page or a program is refused rather than passed on as a picture.
"""

import re
from collections.abc import Iterator
from typing import Final

from paddock.errors import InvalidImage

FORMATS: Final = "PNG, JPEG, WebP, GIF or BMP"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CLAIMS: Final = {
    "image/png": "PNG",
    "image/apng": "PNG",
    "image/x-png": "PNG",
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/x-bmp": "BMP",
    "image/x-ms-bmp": "BMP",
}
_SILENT_CLAIMS: Final = ("", "application/octet-stream", "binary/octet-stream", "image/*")  # say nothing
_OTHERS: Final = (  # how to tell people what they sent
    (re.compile(rb"[\s\xef\xbb\xbf]*<(?:svg|\?xml|!doctype svg)", re.I), "SVG or XML"),
    (re.compile(rb"[\s\xef\xbb\xbf]*<"), "a page or another text"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), "TIFF"),
    (re.compile(rb".{4}ftyp(?:heic|heix|hevc|mif1|msf1)", re.S), "HEIC"),
    (re.compile(rb".{4}ftypavi[fs]", re.S), "AVIF"),
    (re.compile(rb"PK\x03\x04"), "an archive"),
)
_SECOND_NATURE: Final = re.compile(
    rb"PK\x03\x04|PK\x05\x06|%PDF-|Rar!\x1a|7z\xbc\xaf|\x7fELF|\x1f\x8b\x08|^MZ"
    rb"|<(?:!doctype|html|head|body|svg|script|iframe|\?xml|\?php)",
    re.I,
)
_LOOKED_AT: Final = 4096  # bytes behind a picture's end
_PARTS_MAX: Final = 200_000
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in compressed data 0xff is followed by none of these
_JPEG_END: Final = 0xD9
_JPEG_SCAN: Final = 0xDA


def media_type_of(data: bytes) -> str:
    """What to call `data` when it is sent; empty for what is no picture that is known here."""
    found = _recognised(data)
    return f"image/{found.lower()}" if found else ""


def format_of(data: bytes, claimed: str) -> str:
    """Pillow's name of the format. Raises InvalidImage for any that is not taken, for a false claim, and for two in one."""
    found = _recognised(data)
    if found is None:
        what = next((name for pattern, name in _OTHERS if pattern.match(data[:512])), None)
        raise InvalidImage(
            f"A picture is {what}." if what else "A picture is in no format that is known here.",
            hint=f"Send {FORMATS}.",
        )
    if claimed not in _SILENT_CLAIMS and _CLAIMS.get(claimed) != found:
        raise InvalidImage(
            f"A picture is called `{claimed}` and is {found}.", hint="Send the media type that it is of, or none."
        )
    end = _end_of(found, data)
    if end is not None and _SECOND_NATURE.search(data[end : end + _LOOKED_AT].lstrip(b"\0 \r\n\t")):
        raise InvalidImage(
            "Another file follows the end of a picture.", hint="Save it anew with a program that draws pictures."
        )
    return found


def _recognised(data: bytes) -> str | None:
    if data.startswith(_PNG):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and data[6:10] == bytes(4):  # two fields that every writer leaves empty
        return "BMP"
    return None


def _end_of(found: str, data: bytes) -> int | None:
    """Where the picture ends; None when it does not: then decoding it says so."""
    match found:
        case "PNG":
            return _last(_png_parts(data))
        case "GIF":
            return _last(_gif_parts(data))
        case "JPEG":
            return _last(_jpeg_parts(data))
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little")
        case _:
            return int.from_bytes(data[2:6], "little") or None


def _last(parts: Iterator[int | None]) -> int | None:
    """What the last of `parts` says. Raises InvalidImage for too many: each costs us more than it cost to send."""
    last: int | None = None
    for number, end in enumerate(parts):
        if number > _PARTS_MAX:
            raise InvalidImage("A picture is made of too many parts.", hint="Save it anew.")
        last = end
    return last


def _png_parts(data: bytes) -> Iterator[int | None]:
    at = len(_PNG)
    while at + 12 <= len(data):
        kind = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        yield at if kind == b"IEND" else None
        if kind == b"IEND":
            return
    yield None


def _gif_parts(data: bytes) -> Iterator[int | None]:
    at = 13 + _table_bytes(data[10:11])
    while at < len(data):
        match data[at]:
            case 0x3B:
                yield at + 1
                return
            case 0x2C:
                at += 11 + _table_bytes(data[at + 9 : at + 10])
            case 0x21:
                at += 2
            case _:
                break
        while at < len(data) and data[at]:
            at += 1 + data[at]
            yield None
        at += 1
        yield None
    yield None


def _table_bytes(flags: bytes) -> int:
    """A table of colours, if there is one."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _jpeg_parts(data: bytes) -> Iterator[int | None]:
    at = 2
    while (found := _NEXT_MARKER.search(data, at)) is not None:
        marker, at = data[found.end() - 1], found.end()
        if marker == _JPEG_END:
            yield at
            return
        # After the header of a scan compressed data follow, which the search for the next marker passes over.
        at += int.from_bytes(data[at : at + 2], "big")
        yield None
    yield None
