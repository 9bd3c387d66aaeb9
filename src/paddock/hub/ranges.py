"""Reading parts of a file that is still at its source: headers, `config.json`, chat templates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2

from paddock.catalog.reading import RangeReader
from paddock.errors import AccessDenied, Corrupt, PaddockError, TransferFailed
from paddock.hub.addresses import host_of
from paddock.hub.http import Answer, Headers, HttpClient, no_headers

Explain = Callable[[Answer], PaddockError]

READ_BYTES_MAX = 64 << 20  # one read: the largest header that we accept is smaller
TEXT_BYTES_MAX = 32 << 20
_AHEAD_BYTES = 64 << 10
_DAMAGED = "The file is damaged or hostile; do not pull this model."
_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d{1,19})-(?P<end>\d{1,19})/(?P<total>\d{1,19}|\*)")


class HttpRangeReader:
    """A `RangeReader` over HTTP ranges. A small read fetches 64 KiB, so that a header's length and the header are one
    request. Raises HubUnreachable, RateLimited, AccessDenied, TransferFailed."""

    def __init__(
        self,
        client: HttpClient,
        url: str,
        *,
        name: str,
        size: int,
        headers: Headers = no_headers,
        explain: Explain | None = None,
    ) -> None:
        """`explain` makes the error of a denial (401, 403); a source that knows the remedy gives its own."""
        self._explain = explain
        self._client = client
        self._url = url
        self._name = name
        self._size = size
        self._headers = headers
        self._kept_at = 0
        self._kept = b""

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; fewer only where the file ends."""
        assert offset >= 0, "offsets count from the start"
        length = max(0, min(length, self._size - offset))
        if length > READ_BYTES_MAX:
            raise TransferFailed(
                f"`{self._name}` claims {length:,} bytes of header, more than any model has.",
                hint="The file is damaged or hostile; do not pull it.",
            )
        if not length:
            return b""
        start = offset - self._kept_at
        if not 0 <= start <= start + length <= len(self._kept):
            self._kept = self._fetch(offset, min(max(length, _AHEAD_BYTES), self._size - offset))
            self._kept_at, start = offset, 0
        return self._kept[start : start + length]

    def _fetch(self, offset: int, length: int) -> bytes:
        extra = {"range": f"bytes={offset}-{offset + length - 1}"}
        answer = self._client.get(
            self._url,
            headers=self._headers,
            extra=extra,
            read=lambda response: _part(response, offset, length),
        )
        if answer.status in (401, 403):
            raise self._explain(answer) if self._explain else _denied(answer, self._name)
        if answer.status not in (200, 206) or len(answer.body) < length:
            raise TransferFailed(
                f"`{host_of(answer.url)}` gave {len(answer.body):,} of {length:,} bytes of `{self._name}` "
                f"(status {answer.status}).",
                hint="Try again; when it stays so, tell the model's owner.",
            )
        return answer.body


def read_text(reader: RangeReader, *, name: str, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """A small file whole, as text: `config.json`, a chat template. Raises Corrupt when it is too large or no UTF-8."""
    if reader.size > bytes_max:
        raise Corrupt(f"`{name}` has {reader.size:,} bytes; {bytes_max:,} are too many for it already.", hint=_DAMAGED)
    try:
        return reader.read(0, reader.size).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Corrupt(f"`{name}` is no text: {error.reason} at byte {error.start}.", hint=_DAMAGED) from error


def _denied(answer: Answer, name: str) -> AccessDenied:
    return AccessDenied(
        f"`{host_of(answer.url)}` does not let us read `{name}` ({answer.status}).",
        hint="Accept the model's licence on its page, or set a token that may read it.",
    )


def _part(response: httpx2.Response, offset: int, length: int) -> bytes:
    """The bytes asked for: all of a 206's body, or their place within a 200 that ignored the range."""
    if response.status_code == 206:
        told = content_range(response.headers)
        return b"" if told is None or told.start != offset else _some(response, 0, length)
    return _some(response, offset, length) if response.status_code == 200 else b""


def _some(response: httpx2.Response, skip: int, length: int) -> bytes:
    """`length` bytes after the first `skip`; what follows is left unread."""
    if skip > READ_BYTES_MAX:
        return b""  # not worth reading through when the other side knows no ranges
    pieces = bytearray()
    for piece in response.iter_raw():
        pieces += piece
        if len(pieces) >= skip + length:
            break
    return bytes(pieces[skip : skip + length])


@dataclass(frozen=True, slots=True)
class ContentRange:
    start: int
    end: int  # the last byte, included
    total: int | None


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """What a 206 says it holds; None when it says nothing that makes sense."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if found is None:
        return None
    start, end = int(found["start"]), int(found["end"])
    total = None if found["total"] == "*" else int(found["total"])
    return ContentRange(start, end, total) if start <= end and (total is None or end < total) else None
