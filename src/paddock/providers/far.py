"""HTTP to one provider: a request, and what comes back event by event. Tries nothing twice: whoever asks decides that."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import msgspec

from paddock.airgap.airgap import Airgap, check_url
from paddock.errors import AnswerBrokenOff, PaddockError, ProviderRefused, ProviderTimedOut, ProviderUnreachable
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.providers.failures import Asked, failure_of_answer
from paddock.version import VERSION

CONNECT_S: Final = 10.0
CHECK_S: Final = 15.0  # a list of models, a test
EVENT_BYTES_MAX: Final = 16 << 20
DOCUMENT_BYTES_MAX: Final = 64 << 20
_FAILURE_BYTES_MAX: Final = 64 << 10
_WRITE_S: Final = 60.0
_CONNECTIONS_MAX: Final = 512
_ANTHROPIC_VERSION: Final = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an answer: of server-sent events, or one line."""

    name: str
    data: bytes


class Far:
    """Connections to one provider. Close it when done."""

    def __init__(self, definition: ProviderDefinition, *, airgap: Airgap | None = None) -> None:
        self._definition = definition
        self._airgap = airgap
        self._opened: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], asked: Asked
    ) -> AsyncGenerator[tuple[Mapping[str, str], AsyncGenerator[Event]]]:
        """The headers of an answer, and its events. Leaving the block ends the request at the far side, too.

        Raises what kept it from answering, while the block is entered or while events are read.
        """
        self._check()
        content = msgspec.json.encode(body)
        try:
            async with self._client.stream("POST", path, content=content, headers=self._headers(asked)) as response:
                if not response.is_success:
                    raise failure_of_answer(response.status_code, response.headers, await _some(response), asked)
                lines = self._definition.kind is Kind.OLLAMA
                async with aclosing(_lines(response) if lines else _events(response)) as events:
                    yield response.headers, events
        except httpx2.HTTPError as error:
            raise self._gone(error) from error

    async def ask(self, method: str, path: str, asked: Asked, body: Mapping[str, Any] | None = None) -> bytes:
        """A whole document. Raises what kept it from coming."""
        self._check()
        content = msgspec.json.encode(body) if body is not None else None
        timeout = httpx2.Timeout(self._definition.silence_s if body is not None else CHECK_S, connect=CONNECT_S)
        try:
            async with self._client.stream(
                method, path, content=content, headers=self._headers(asked), timeout=timeout
            ) as response:
                if not response.is_success:
                    raise failure_of_answer(response.status_code, response.headers, await _some(response), asked)
                return await _whole(response)
        except httpx2.HTTPError as error:
            raise self._gone(error) from error

    def _check(self) -> None:
        """Raises Airgapped for a provider elsewhere, where that is not allowed."""
        check_url(self._airgap, self._definition.address, who=f"the provider {self._definition.name}")

    @property
    def _client(self) -> httpx2.AsyncClient:
        """Made when it is first needed: reading certificates takes a while, and many providers are never asked."""
        if self._opened is None:
            here = self._definition.here
            self._opened = httpx2.AsyncClient(
                base_url=self._definition.address,
                timeout=httpx2.Timeout(self._definition.silence_s, connect=CONNECT_S, write=_WRITE_S, pool=CONNECT_S),
                limits=httpx2.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=32),
                follow_redirects=False,  # a key follows nobody
                trust_env=not here,  # proxies lead out of this machine, never back to it
                verify=_plain_context() if self._definition.address.startswith("http:") else True,
            )
        return self._opened

    def _headers(self, asked: Asked) -> Mapping[str, str]:
        definition = self._definition
        headers = {
            "user-agent": f"paddock/{VERSION}",
            "accept-encoding": "identity",
            "content-type": "application/json",
            **definition.headers,
        }
        if definition.organization and definition.kind is Kind.OPENAI:
            headers["openai-organization"] = definition.organization
        if definition.kind is Kind.ANTHROPIC:
            headers.setdefault("anthropic-version", _ANTHROPIC_VERSION)
        if asked.key:
            if not definition.takes_key:
                raise ProviderRefused(
                    f"The key of `{definition.name}` is not sent over plain http.",
                    hint="Give it an https address, or take its key away.",
                )
            if definition.kind is Kind.ANTHROPIC:
                headers["x-api-key"] = asked.key
            else:
                headers["authorization"] = f"Bearer {asked.key}"
        return headers

    def _gone(self, error: httpx2.HTTPError) -> PaddockError:
        name, address = self._definition.name, self._definition.address
        if isinstance(
            error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError | httpx2.UnsupportedProtocol
        ):
            return ProviderUnreachable(
                f"`{name}` at {address} cannot be reached.",
                hint="See whether it runs, and whether the address is right.",
            )
        if isinstance(error, httpx2.TimeoutException):
            return ProviderTimedOut(
                f"`{name}` was silent for too long.", hint=f"`paddock provider edit {name} --timeout` gives it longer."
            )
        return AnswerBrokenOff(f"`{name}` broke off its answer.", hint="Ask again; its own log may say more.")


def garbled(name: str, why: str) -> AnswerBrokenOff:
    """What came was no answer."""
    return AnswerBrokenOff(
        f"What `{name}` answered cannot be read: {why}.", hint="See whether its address is one of the right kind."
    )


def _plain_context() -> ssl.SSLContext:
    """For plain http: no certificates have to be read for it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _some(response: httpx2.Response) -> bytes:
    """As much as an error message needs."""
    came = bytearray()
    async for piece in response.aiter_raw():
        came += piece
        if len(came) > _FAILURE_BYTES_MAX:
            break
    return bytes(came[:_FAILURE_BYTES_MAX])


async def _whole(response: httpx2.Response) -> bytes:
    came = bytearray()
    async for piece in response.aiter_raw():
        came += piece
        if len(came) > DOCUMENT_BYTES_MAX:
            raise AnswerBrokenOff("A provider's answer has no end.", hint="See whether its address is right.")
    return bytes(came)


async def _lines(response: httpx2.Response) -> AsyncGenerator[Event]:
    async for line in _split(response):
        if line:
            yield Event("", line)


async def _events(response: httpx2.Response) -> AsyncGenerator[Event]:
    name, data, size = "message", list[bytes](), 0
    async for line in _split(response):
        if not line:
            if data:
                yield Event(name, b"\n".join(data))
            name, data, size = "message", [], 0
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            size += len(line)
            if size > EVENT_BYTES_MAX:
                raise AnswerBrokenOff("A provider's event has no end.", hint="See whether its address is right.")
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode(errors="replace")
    if data:
        yield Event(name, b"\n".join(data))  # some leave the last blank line out


async def _split(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Lines, without what ends them."""
    begun: list[bytes] = []  # of the line that is not whole yet
    size = 0
    async for piece in response.aiter_raw():
        first, *more = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        if size > EVENT_BYTES_MAX:
            raise AnswerBrokenOff("A provider's line has no end.", hint="See whether its address is right.")
        for line in more:
            yield b"".join(begun).removesuffix(b"\r")
            begun, size = [line], len(line)
    if size:
        yield b"".join(begun).removesuffix(b"\r")
