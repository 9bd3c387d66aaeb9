"""Lets huggingface_hub speak through our own HTTP client: it knows the hub's API, we know how to ask safely.

The library keeps one client for the whole process, without limits on time or bytes. We hand it one whose requests end
in the `HttpClient` of whoever calls right now: so address, token, offline mode, limits and retries are that caller's,
and nothing of the process's state is. Calls from elsewhere go the library's own way.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpx2

from paddock.errors import TransferFailed
from paddock.hub.addresses import host_of
from paddock.hub.http import Headers, HttpClient


@dataclass(frozen=True, slots=True)
class _Caller:
    client: HttpClient
    headers: Headers
    endpoint: str


_caller: ContextVar[_Caller | None] = ContextVar("paddock_hub_caller", default=None)
_lock = threading.Lock()
_installed = False


@contextmanager
def through(client: HttpClient, *, headers: Headers, endpoint: str) -> Generator[None]:
    """Within the block, calls of the library in this thread go through `client`, and only to `endpoint`."""
    _install()
    token = _caller.set(_Caller(client, headers, endpoint))
    try:
        yield
    finally:
        _caller.reset(token)


def _install() -> None:
    """Once a process."""
    global _installed  # noqa: PLW0603 (the library's client is global, so is this)
    with _lock:
        if not _installed:
            from huggingface_hub import set_client_factory

            set_client_factory(lambda: httpx2.Client(transport=_Bridge(), follow_redirects=True, timeout=None))
            _installed = True


class _Bridge(httpx2.BaseTransport):
    """Answers the library's requests with what our client gets."""

    def __init__(self) -> None:
        self._own_way = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        caller = _caller.get()
        if caller is None:
            return self._own_way.handle_request(request)
        url = str(request.url)
        if host_of(url) != host_of(caller.endpoint):  # the next page of a listing, on someone else's host
            raise TransferFailed(
                f"`{host_of(caller.endpoint)}` continues its answer at `{host_of(url)}`, which is another host.",
                hint="Check the address of the hub (`HF_ENDPOINT`).",
            )
        answer = caller.client.get(url, headers=caller.headers, method=request.method)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    def close(self) -> None:
        self._own_way.close()
