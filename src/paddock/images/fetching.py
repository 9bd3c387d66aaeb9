"""A picture from the network: bounded in time, bytes, redirects and tries, and only from where it may come.

Every hop is judged like the first. The connection goes to the address that was judged; `Host` and the name in the certificate
stay those of the address that was asked for. Nothing of ours travels along: no cookies, no credentials, no proxy's password.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from paddock.airgap.airgap import Airgap
from paddock.config.schema import Images
from paddock.errors import ImageUnreachable, InvalidImage
from paddock.hub.addresses import resolve_host
from paddock.images.addresses import LookUp, Where, addresses_of, next_address, read_address
from paddock.images.spelling import too_large
from paddock.version import VERSION

if TYPE_CHECKING:
    import httpx2

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_TRY_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)
_BACK_OFF_S: Final = 0.2
_BACK_OFF_MAX_S: Final = 5.0

Take = Callable[[int], None]  # raises when there is no room for so many bytes


class _Passing(Exception):
    """A failure that another try may mend."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Fetcher:
    """Fetches pictures, a few at a time. Belongs to one event loop; close it when done."""

    def __init__(
        self,
        settings: Images,
        *,
        look_up: LookUp | None = None,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        jitter: Callable[[], float] = random.random,
        airgap: Airgap | None = None,
    ) -> None:
        """`look_up` finds the addresses of a name, `transport` asks them; None is this machine's way."""
        self._settings = settings
        self._look_up = look_up or self._ask_system
        self._transport = transport
        self._jitter = jitter
        self._airgap = airgap
        self._slots = asyncio.Semaphore(settings.fetches_max)
        self._opened: httpx2.AsyncClient | None = None
        # Threads of its own: a server of names that does not answer holds up pictures, and nothing else.
        self._names = ThreadPoolExecutor(settings.fetches_max, thread_name_prefix="picture-names")

    async def close(self) -> None:
        self._names.shutdown(wait=False, cancel_futures=True)
        if self._opened is not None:
            await self._opened.aclose()

    async def fetch(self, url: str, take: Take) -> bytes:
        """The bytes at `url`. Raises InvalidImage for what may not be asked, ImageUnreachable, TooLarge.

        `take` is told of bytes before they are kept, and with a number below zero of those that are not kept after all.
        """
        where = read_address(url)
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._slots:
                return await self._with_tries(where, take)
        except TimeoutError as error:
            raise ImageUnreachable(
                f"`{where.host}` did not send a picture within {self._settings.timeout_s:g} s.",
                hint="Send the picture itself, or raise `images.timeout_s`.",
            ) from error

    async def _ask_system(self, host: str) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._names, resolve_host, host)

    async def _with_tries(self, where: Where, take: Take) -> bytes:
        attempt = 0
        while True:
            try:
                return await self._followed(where, take, attempt)
            except _Passing as failure:
                if attempt >= self._settings.retries:
                    raise ImageUnreachable(
                        f"`{where.host}` did not send a picture: {failure.said}.",
                        hint="Try again later, or send the picture itself.",
                    ) from failure
            await asyncio.sleep(min(_BACK_OFF_S * 2**attempt, _BACK_OFF_MAX_S) * (0.5 + self._jitter() / 2))
            attempt += 1

    async def _followed(self, where: Where, take: Take, attempt: int) -> bytes:
        for _ in range(self._settings.redirects_max + 1):
            found = await self._one(where, take, attempt)
            if isinstance(found, bytes):
                return found
            where = found
        raise InvalidImage(
            f"The address of a picture redirects more than {self._settings.redirects_max} times.",
            hint="Send the address where it ends.",
        )

    async def _one(self, where: Where, take: Take, attempt: int) -> bytes | Where:
        """The picture, or where it is instead."""
        import httpx2

        if self._airgap is not None:
            self._airgap.check(where.host, where.port, who="a picture")
        addresses = await addresses_of(where, self._look_up, allow_private=self._settings.allow_private)
        address = addresses[attempt % len(addresses)]  # another one with every try
        host = f"[{address}]" if ":" in address else address
        request = self._client().build_request(
            "GET",
            f"{where.scheme}://{host}:{where.port}{where.target}",
            headers={"host": where.authority},
            extensions={} if where.is_literal else {"sni_hostname": where.host},
        )
        try:
            response = await self._client().send(request, stream=True)
        except httpx2.InvalidURL as error:
            raise InvalidImage("The address of a picture cannot be asked.", hint="Send another.") from error
        except httpx2.TransportError as error:
            raise _Passing(_said(error)) from error
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return next_address(where, response.headers["location"])
            if response.status_code in _TRY_AGAIN:
                raise _Passing(f"it answers {response.status_code}")
            if response.status_code != 200:
                raise ImageUnreachable(
                    f"`{where.host}` did not send a picture: it answers {response.status_code}.",
                    hint="Check the address, or send the picture itself.",
                )
            return await self._body(response, take)
        except httpx2.TransportError as error:
            raise _Passing(_said(error)) from error
        finally:
            await response.aclose()

    async def _body(self, response: "httpx2.Response", take: Take) -> bytes:
        most = self._settings.bytes_max
        told = response.headers.get("content-length", "")
        if told.isdigit() and (len(told) > 18 or int(told) > most):
            raise too_large(most)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise InvalidImage("A picture came compressed once more.", hint="Send the picture itself.")
        data = bytearray()
        try:
            async for piece in response.aiter_raw():
                if len(data) + len(piece) > most:
                    raise too_large(most)
                take(len(piece))
                data += piece
        except BaseException:
            take(-len(data))
            raise
        return bytes(data)

    def _client(self) -> "httpx2.AsyncClient":
        """Made when it is first needed: most servers are never sent an address."""
        if self._opened is None:
            import httpx2

            settings = self._settings
            self._opened = httpx2.AsyncClient(
                headers={"user-agent": f"paddock/{VERSION}", "accept": "image/*", "accept-encoding": "identity"},
                timeout=httpx2.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
                follow_redirects=False,
                trust_env=False,
                transport=self._transport
                or httpx2.AsyncHTTPTransport(
                    verify=ssl.create_default_context(),
                    # None is kept: the next one to the same address may be meant for another name there.
                    limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
                    trust_env=False,
                ),
            )
        return self._opened


def _said(error: Exception) -> str:
    """Without addresses and numbers of errors, which are ours alone."""
    name = type(error).__name__
    if "Timeout" in name:
        return "it is silent"
    return "its certificate is not trusted" if "CERTIFICATE" in str(error) else "the connection failed"
