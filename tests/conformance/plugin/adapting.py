"""What a case sends, as the server under test can take it: placeholders get a meaning, what is refused by name is left out.

The cases of the SDKs were written for a server that answers anything: they name responses that nobody made, and send every
field there is at once. Each is first sent as it is. Where the server refuses it, the field that it names is left out, if the
list of expected refusals holds it, and the rest is sent again; so whatever is not refused must be taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

TRIES_MAX = 60
_RESPONSE = re.compile(
    r"(?P<head>.*/responses/)(?P<id>resp_677efb5139a88190b512bc3fef8e535d|response_id)(?P<tail>/.*)?$"
)
_PREVIOUS = ("previous_response_id", "resp_123")


@dataclass
class Journal:
    """What the case of the moment asked for and was told."""

    path: str  # where it is written to, a line a case
    refusals: Sequence[dict[str, str]]  # that are expected: `endpoint`, `field`
    requests: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def begin(self) -> None:
        self.requests, self.left_out = [], []

    def write(self, case: str, outcome: str, failure: str) -> None:
        line = {
            "case": case,
            "outcome": outcome,
            "failure": failure,
            "requests": self.requests,
            "left_out": self.left_out,
        }
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass
class Attempt:
    """One request on its way; `next` says what to send after an answer, until nothing is left to change."""

    request: httpx2.Request
    journal: Journal

    def __post_init__(self) -> None:
        self.method = self.request.method
        self.url = self.request.url
        content = self.request.read()
        self.body: Any = json.loads(content) if content else None

    @property
    def names_a_placeholder(self) -> bool:
        return _RESPONSE.match(self.url.path) is not None

    def with_response(self, response_id: str) -> None:
        """Ask for this response instead of one that nobody made."""
        found = _RESPONSE.match(self.url.path)
        assert found is not None
        path = f"{found['head']}{response_id}{found['tail'] or ''}"
        self.url = self.url.copy_with(path=path)

    def built(self) -> httpx2.Request:
        headers = [(name, value) for name, value in self.request.headers.multi_items() if name != "content-length"]
        content = None if self.body is None else json.dumps(self.body).encode()
        return httpx2.Request(
            self.method, self.url, headers=headers, content=content, extensions=self.request.extensions
        )

    def without_what_is_refused(self, status: int, said: str) -> bool:
        """Leave out the field that the answer names. False when it names none that may be refused."""
        for refusal in self.journal.refusals:
            name = refusal.get("says") or refusal["field"].removeprefix("?").rpartition(".")[2]
            if status != 400 or refusal["endpoint"] != self.endpoint or not re.search(rf"\b{name}\b", said):
                continue
            if self._remove(refusal["field"]):
                self.journal.left_out.append({**refusal, "said": said})
                return True
        return False

    @property
    def endpoint(self) -> str:
        return f"{self.method} {re.sub(r'/responses/resp_[^/]+', '/responses/{response_id}', self.url.path)}"

    def _remove(self, path: str) -> bool:
        if path.startswith("?"):
            if path[1:] not in self.url.params:
                return False
            self.url = self.url.copy_remove_param(path[1:])
            return True
        removed = False
        *parents, last = path.split(".")
        for inside in _inside([self.body], parents):
            if isinstance(inside, dict) and last in inside:
                del inside[last]
                removed = True
        return removed


def _inside(values: list[Any], steps: Sequence[str]) -> Iterator[Any]:
    """What is found at `steps` in each of the values; `name[]` is every member of the list `name`."""
    if not steps:
        yield from values
        return
    name, is_list = steps[0].removesuffix("[]"), steps[0].endswith("[]")
    found = [value[name] for value in values if isinstance(value, dict) and name in value]
    if is_list:
        found = [member for each in found if isinstance(each, list) for member in each]
    yield from _inside(found, steps[1:])


class Adapting(httpx2.BaseTransport):
    """For clients that wait."""

    def __init__(self, journal: Journal) -> None:
        self._inner = httpx2.HTTPTransport()
        self._journal = journal

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        attempt = Attempt(request, self._journal)
        if attempt.names_a_placeholder:
            made = self._inner.handle_request(_making(request))
            attempt.with_response(json.loads(made.read())["id"])
        for _ in range(TRIES_MAX):
            response = self._inner.handle_request(attempt.built())
            if response.status_code < 400:
                break
            said = response.read().decode()
            if not attempt.without_what_is_refused(response.status_code, said):
                break
        _note(self._journal, attempt, response)
        return response

    def close(self) -> None:
        self._inner.close()


class AsyncAdapting(httpx2.AsyncBaseTransport):
    """The same for those that do not."""

    def __init__(self, journal: Journal) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._journal = journal

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        attempt = Attempt(request, self._journal)
        if attempt.names_a_placeholder:
            made = await self._inner.handle_async_request(_making(request))
            attempt.with_response(json.loads(await made.aread())["id"])
        for _ in range(TRIES_MAX):
            response = await self._inner.handle_async_request(attempt.built())
            if response.status_code < 400:
                break
            said = (await response.aread()).decode()
            if not attempt.without_what_is_refused(response.status_code, said):
                break
        _note(self._journal, attempt, response)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _making(request: httpx2.Request) -> httpx2.Request:
    """Of a response that can then be asked for."""
    return httpx2.Request(
        "POST",
        request.url.copy_with(path="/v1/responses", query=None),
        headers={"content-type": "application/json"},
        content=json.dumps({"input": "Hello", "max_output_tokens": 16}).encode(),
        extensions=request.extensions,
    )


def _note(journal: Journal, attempt: Attempt, response: httpx2.Response) -> None:
    said = "" if response.status_code < 400 else response.text[:400]
    journal.requests.append(
        {"method": attempt.method, "path": attempt.url.path, "status": response.status_code, "said": said}
    )
