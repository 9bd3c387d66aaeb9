"""One way to ask the network: bounded in time, bytes and redirects, with credentials only where they belong.

`HttpClient.get` is for metadata: small answers, retried with jitter. `HttpClient.open_stream` is for files: one try,
redirects followed by hand so that each hop is judged before it is asked and gets only its own headers.
"""

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx2

from paddock.airgap.airgap import Airgap, check_url
from paddock.errors import HubUnreachable, RateLimited, TransferFailed
from paddock.hub.addresses import Resolve, check_address, host_of, redirect_target, resolve_host
from paddock.version import VERSION

Headers = Callable[[str], Mapping[str, str]]  # the headers for one URL; a `Source.headers` fits
USER_AGENT = f"paddock/{VERSION}"
# What lies in the system's buffers when we are killed is fetched again, so no more of it than a fast line needs.
_WINDOW_BYTES = 3 << 20
_SOCKET_OPTIONS = (
    [(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, _WINDOW_BYTES)] if hasattr(socket, "TCP_WINDOW_CLAMP") else []
)
_REDIRECTS = (301, 302, 303, 307, 308)
_RATE_LIMIT = re.compile(r";\s*r=0\s*;\s*t=(?P<seconds>\d{1,9})")  # "nothing left in this window, next in t seconds"
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How long, how much and how often."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0  # without a byte
    connections_max: int = 32
    redirects_max: int = 8
    metadata_bytes_max: int = 64 << 20
    attempts_max: int = 4
    backoff_s: float = 0.5  # doubled with each attempt, then jittered
    backoff_max_s: float = 20.0
    retry_after_max_s: float = 60.0  # a hub that wants us to wait longer is told no, and the person how long


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole small answer. Statuses that no retry could mend arrive here for the source to explain."""

    url: str  # where it came from in the end
    status: int
    headers: Mapping[str, str]
    body: bytes


def no_headers(url: str) -> Mapping[str, str]:
    """For places that want no credentials."""
    return {}


class HttpClient:
    """A pool of connections with our rules. Safe to share between threads; close it when done."""

    def __init__(
        self,
        *,
        limits: HttpLimits | None = None,
        offline: bool = False,
        airgap: Airgap | None = None,
        proxy: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        resolve: Resolve = resolve_host,
    ) -> None:
        self.limits = limits or HttpLimits()
        self.offline = offline
        self._airgap = airgap
        self._sleep = sleep
        self._jitter = jitter
        # Where names must not be looked up, a redirect to one is turned down as a whole, private or not.
        self._resolve = None if proxy or airgap else resolve
        self._proxy = proxy
        self._opening = threading.Lock()
        self._opened: httpx2.Client | None = None

    @property
    def _client(self) -> httpx2.Client:
        """Made when it is first asked for: reading the certificates takes 50 ms, and `paddock list` asks nobody."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open(self._proxy)
            return self._opened

    def _open(self, proxy: str | None) -> httpx2.Client:
        return httpx2.Client(
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # nothing a hub sets is sent back
            timeout=_timeout(self.limits, self.limits.read_timeout_s),
            follow_redirects=False,
            trust_env=False,  # proxies, .netrc passwords: only what was configured
            transport=self._transport(None),
            # Plain HTTP is for this machine only, and this machine is not reached by way of another.
            mounts={"https://": self._transport(proxy), "all://localhost": None, "all://127.0.0.1": None}
            if proxy
            else None,
        )

    def _transport(self, proxy: str | None) -> httpx2.HTTPTransport:
        return httpx2.HTTPTransport(
            limits=httpx2.Limits(max_connections=self.limits.connections_max, max_keepalive_connections=8),
            trust_env=True,  # here it means the certificates of SSL_CERT_FILE and SSL_CERT_DIR
            proxy=proxy,
            socket_options=_SOCKET_OPTIONS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._opening:
            if self._opened is not None:
                self._opened.close()

    @contextmanager
    def open_stream(
        self,
        url: str,
        *,
        headers: Headers = no_headers,
        extra: Mapping[str, str] | None = None,
        method: str = "GET",
        read_timeout_s: float | None = None,
    ) -> Generator[httpx2.Response]:
        """One request and its redirects; the body is still to be read, whatever the status.

        `headers` is asked once a hop, so that a token stays on its host; `extra` (such as `Range`) goes to every hop.
        Raises HubUnreachable when nobody answers and TransferFailed for a redirect that must not be followed. Reading
        the body may raise `httpx2.TransportError`.
        """
        response = self._follow(url, headers, extra or {}, method, read_timeout_s)
        try:
            yield response
        finally:
            response.close()

    def get(
        self,
        url: str,
        *,
        headers: Headers = no_headers,
        extra: Mapping[str, str] | None = None,
        bytes_max: int | None = None,
        read: Callable[[httpx2.Response], bytes] | None = None,
        method: str = "GET",
    ) -> Answer:
        """A whole answer of at most `bytes_max`, tried again after connection errors, 429 and 5xx.

        `read` takes the bytes from the response when not all of them are wanted. Raises HubUnreachable, RateLimited,
        and TransferFailed for an answer that is too large.
        """
        limit = self.limits.metadata_bytes_max if bytes_max is None else bytes_max
        read = read or (lambda response: read_bounded(response, limit))
        attempt = 0
        while True:
            attempt += 1
            last = attempt >= self.limits.attempts_max
            try:
                with self.open_stream(url, headers=headers, extra=extra, method=method) as response:
                    answer = Answer(str(response.url), response.status_code, response.headers, read(response))
            except httpx2.TransportError as error:
                if last:
                    raise unreachable(url, error) from error
                self._sleep(self.backoff_s(attempt))
                continue
            except HubUnreachable:
                if last or self.offline:
                    raise
                self._sleep(self.backoff_s(attempt))
                continue
            if answer.status not in _TRY_AGAIN:
                return answer
            wait_s = self.wait_s(answer.status, answer.headers, attempt)
            if last or wait_s > self.limits.retry_after_max_s:
                raise refused(url, answer.status, wait_s)
            self._sleep(wait_s)

    def backoff_s(self, attempt: int) -> float:
        """How long to wait after the `attempt`th failure: doubling, capped, between half and all of it."""
        return min(self.limits.backoff_s * 2 ** (attempt - 1), self.limits.backoff_max_s) * (0.5 + self._jitter() / 2)

    def wait_s(self, status: int, headers: Mapping[str, str], attempt: int) -> float:
        """How long the other side wants us to wait, else our own back-off."""
        told = retry_after_s(headers)
        return self.backoff_s(attempt) if told is None else told

    def _follow(
        self, url: str, headers: Headers, extra: Mapping[str, str], method: str, read_timeout_s: float | None
    ) -> httpx2.Response:
        if self.offline:
            raise HubUnreachable(
                f"`{host_of(url)}` was not asked: Paddock is offline by choice.",
                hint="Unset `HF_HUB_OFFLINE` to reach it. What is already here keeps working.",
            )
        check_url(self._airgap, url, who="a hub")
        check_address(url)
        timeout = _timeout(self.limits, read_timeout_s or self.limits.read_timeout_s)
        for _ in range(self.limits.redirects_max + 1):
            request = self._client.build_request(method, url, headers={**headers(url), **extra}, timeout=timeout)
            try:
                response = self._client.send(request, stream=True)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                raise unreachable(url, error) from error
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = redirect_target(url, location, resolve=self._resolve)
            check_url(self._airgap, url, who="a redirect of a hub")
        raise TransferFailed(
            f"`{host_of(url)}` redirects in circles ({self.limits.redirects_max} times).",
            hint="Check the address of the hub, or try again later.",
        )


def read_bounded(response: httpx2.Response, bytes_max: int) -> bytes:
    """The whole body, or TransferFailed as soon as it passes `bytes_max`, told or not."""
    too_large = TransferFailed(
        f"`{host_of(str(response.url))}` answered with more than {bytes_max:,} bytes where a short text was due.",
        hint="Check the address of the hub: this is no answer of a model hub.",
    )
    if (length_told(response.headers) or 0) > bytes_max:
        raise too_large
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TransferFailed(
            f"`{host_of(str(response.url))}` sent a compressed answer that nobody asked for.",
            hint="A proxy in between may alter answers; try another network.",
        )
    pieces: list[bytes] = []
    length = 0
    for piece in response.iter_raw():
        length += len(piece)
        if length > bytes_max:
            raise too_large
        pieces.append(piece)
    return b"".join(pieces)


def length_told(headers: Mapping[str, str]) -> int | None:
    """The `Content-Length`, None when there is none that makes sense."""
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def _utc_now() -> datetime:
    return datetime.now(UTC)


def retry_after_s(headers: Mapping[str, str], now: Callable[[], datetime] = _utc_now) -> float | None:
    """The seconds that `Retry-After` (a number or a date) or `RateLimit` ask for; None for nothing sensible."""
    value = headers.get("retry-after", "").strip()
    if not value:
        found = _RATE_LIMIT.search(headers.get("ratelimit", ""))
        return float(found["seconds"]) if found else None
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - now()).total_seconds())


def refused(url: str, status: int, wait_s: float) -> HubUnreachable | RateLimited:
    """The error for a hub that still says 429 or 5xx when we give up."""
    if status == 429:
        return RateLimited(
            f"`{host_of(url)}` wants fewer requests.",
            hint=f"Try again in {max(1, round(wait_s))} seconds. A token raises the limit on most hubs.",
        )
    return HubUnreachable(
        f"`{host_of(url)}` answers {status}: it is there but cannot serve right now.",
        hint="Try again in some minutes. What is already known here is shown meanwhile.",
    )


def unreachable(url: str, error: Exception) -> HubUnreachable:
    """The error for a hub that does not answer at all."""
    if isinstance(error, httpx2.TimeoutException):
        said = "does not answer in time"
    elif "CERTIFICATE_VERIFY_FAILED" in str(error):
        said = "shows a certificate that this machine does not trust"
    else:
        said = f"cannot be reached ({str(error) or type(error).__name__})"
    return HubUnreachable(
        f"`{host_of(url)}` {said}.",
        hint="Check the network, a proxy or firewall, and the address of the hub. What is already here keeps working.",
    )


def _timeout(limits: HttpLimits, read_timeout_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=limits.connect_timeout_s, read=read_timeout_s, write=limits.connect_timeout_s, pool=read_timeout_s
    )
