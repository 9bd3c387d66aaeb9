"""HTTP to a Paddock server: values in, values out, its failures raised as the errors that they are."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from paddock.client.discovery import Address
from paddock.errors import Defect, NetworkError, PaddockError
from paddock.server.documents import decode, encode
from paddock.version import VERSION

T = TypeVar("T")

_CONNECT_S: Final = 5.0
_SILENCE_S: Final = 3600.0  # a model may take long to load; a server that dies closes the connection
_STREAM_SILENCE_S: Final = 60.0  # streams have a sign of life every few seconds
_EVENT_BYTES_MAX: Final = 64 << 20


class _Told(msgspec.Struct):
    """A failure in either form: a problem document, or OpenAI's error."""

    code: str | None = None
    detail: str | None = None
    message: str | None = None
    hint: str | None = None


class _OpenAI(msgspec.Struct):
    error: _Told


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    data: bytes


class Connection:
    """To one server. Close it, or use it as a context manager. Every failure is a PaddockError."""

    def __init__(self, address: Address) -> None:
        headers = {"user-agent": f"paddock/{VERSION}"}
        if address.key:
            headers["authorization"] = f"Bearer {address.key}"
        self.url = address.url.rstrip("/")
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=httpx2.Timeout(_SILENCE_S, connect=_CONNECT_S),
            trust_env=False,  # a proxy has no part in it, and must not get the key
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        """The answer to a GET, as a `kind`."""
        return await self._ask("GET", path, kind, query=query)

    async def post(self, path: str, kind: type[T], body: object = None) -> T:
        """The answer to a POST of `body`."""
        return await self._ask("POST", path, kind, body=body)

    async def put(self, path: str, kind: type[T], body: object) -> T:
        return await self._ask("PUT", path, kind, body=body)

    async def patch(self, path: str, kind: type[T], body: object) -> T:
        return await self._ask("PATCH", path, kind, body=body)

    async def delete(self, path: str, kind: type[T], **query: Any) -> T:
        return await self._ask("DELETE", path, kind, query=query)

    async def _ask(
        self, method: str, path: str, kind: type[T], *, query: Mapping[str, Any] | None = None, body: object = None
    ) -> T:
        try:
            response = await self._http.request(method, path, params=_plain(query), **_content(body))
        except httpx2.HTTPError as error:
            raise self._gone(error) from error
        if not response.is_success:
            raise error_of(response.content, response.status_code)
        try:
            return decode(response.content, kind)
        except ValueError as error:
            raise NetworkError(
                f"What {self.url} answered to {method} {path.partition('?')[0]} is not understood here.",
                hint="Run the same version of Paddock on both sides.",
            ) from error

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, body: object = None
    ) -> AsyncGenerator[tuple[Mapping[str, str], AsyncGenerator[Event]]]:
        """The headers of an answer that comes in events, and the events. Leaving the block ends the request."""
        timeout = httpx2.Timeout(_SILENCE_S, connect=_CONNECT_S, read=_STREAM_SILENCE_S)
        try:
            async with self._http.stream(method, path, timeout=timeout, **_content(body)) as response:
                if not response.is_success:
                    raise error_of(await response.aread(), response.status_code)
                async with aclosing(_events(response)) as events:
                    yield response.headers, events
        except httpx2.HTTPError as error:
            raise self._gone(error) from error

    def _gone(self, error: httpx2.HTTPError) -> NetworkError:
        what = (
            "broke off its answer" if isinstance(error, httpx2.ReadError | httpx2.ProtocolError) else "does not answer"
        )
        return NetworkError(
            f"The Paddock server at {self.url} {what}.", hint="See whether it runs; `paddock serve` starts one."
        )


def at(path: str, name: str) -> str:
    """The address below `path` of the thing called `name`, whatever letters it has."""
    return f"{path}/{quote(name, safe='/')}"


def error_of(body: bytes, status: int) -> PaddockError:
    """The failure that a server told, as the error that it was there."""
    try:
        told = decode(body, _Told)
        if told.code is None and told.detail is None:
            told = decode(body, _OpenAI).error
    except ValueError:
        return NetworkError(
            f"The other side answered with HTTP {status}, and not as a Paddock server does.",
            hint="Check the address: something else may listen there, or a proxy may be in between.",
        )
    return error_from(told.code, told.detail or told.message, told.hint)


def error_from(code: str | None, message: str | None, hint: str | None) -> PaddockError:
    """The error with this `code`; a plain PaddockError for one that is not known here."""
    kind = _kinds().get(code or "", PaddockError)
    hint = hint or "The server's log says more."
    text = message or "The server failed without a word."
    return kind(text.removesuffix(f" {hint}"), hint=hint)


def _kinds() -> Mapping[str, type[PaddockError]]:
    known: dict[str, type[PaddockError]] = {}
    waiting: list[type[PaddockError]] = [PaddockError]
    while waiting:
        kind = waiting.pop()
        known[kind.code] = kind
        waiting += kind.__subclasses__()
    return known


def _plain(query: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {key: value for key, value in (query or {}).items() if value is not None}


def _content(body: object) -> dict[str, Any]:
    if body is None:
        return {}
    return {"content": encode(body), "headers": {"content-type": "application/json"}}


async def _events(response: httpx2.Response) -> AsyncGenerator[Event]:
    name, data, size = "message", list[str](), 0
    async for line in response.aiter_lines():
        if not line:
            if data:
                yield Event(name, "\n".join(data).encode())
            name, data, size = "message", [], 0
        elif line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
            size += len(line)
            if size > _EVENT_BYTES_MAX:
                raise Defect("The server sent an event without end.", hint="Please report it.")
