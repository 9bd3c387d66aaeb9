"""The load driver: asks any server that speaks the OpenAI dialect, streamed, and notes when each piece arrived."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import psutil

from benchmarks.asking import Answer, Ask, Incomplete, checked

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
_NO_LIMITS: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


class HttpServing:
    """One server. Lines are taken apart after the answer has ended, so that reading them delays nobody."""

    def __init__(self, address: str, model: str, process: psutil.Process, client: httpx2.AsyncClient) -> None:
        self.address = address
        self.client = client
        self._model = model
        self._process = process

    @property
    def process(self) -> psutil.Process:
        return self._process

    async def answer(self, ask: Ask) -> Answer:
        body: dict[str, Any] = {
            "model": self._model,
            "prompt": ask.prompt,
            "max_tokens": ask.tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        asked_at = time.perf_counter()
        for _ in range(_TRIES):
            if (lines := await self._lines(body)) is not None:
                return checked(ask, _taken_apart(asked_at, lines))
            await asyncio.sleep(_PAUSE_S)
        raise RuntimeError(f"{self.address} ends connections without a word")

    async def _lines(self, body: dict[str, Any]) -> list[tuple[float, str]] | None:
        """When each line came; None when there was no answer, because its listen queue was full. That wait counts."""
        lines: list[tuple[float, str]] = []
        try:
            async with self.client.stream("POST", f"{self.address}/v1/completions", json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    raise RuntimeError(f"status {response.status_code}: {(await response.aread())[:500]!r}")
                async for line in response.aiter_lines():
                    lines.append((time.perf_counter(), line))
        except httpx2.TransportError as error:
            if lines:
                raise Incomplete(f"the stream broke: {error!r}") from error
            return None
        return lines


@asynccontextmanager
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """Without proxies and without limits: a peer that hangs is the row's matter."""
    async with httpx2.AsyncClient(trust_env=False, timeout=None, limits=_NO_LIMITS) as made:
        yield made


def _taken_apart(asked_at: float, lines: list[tuple[float, str]]) -> Answer:
    times: list[float] = []
    texts: list[str] = []
    usage: dict[str, Any] | None = None
    done = finished = False
    for at, line in lines:
        if not line.startswith("data:"):
            continue  # comments keep the connection alive
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            done = True
            continue
        event = json.loads(data)
        if "error" in event:
            raise RuntimeError(f"the stream ended with an error: {data[:500]}")
        usage = event.get("usage") or usage
        for choice in event.get("choices", ()):
            finished = finished or choice.get("finish_reason") is not None
            if choice.get("text"):
                times.append(at)
                texts.append(choice["text"])
    if not (done and finished) or usage is None:
        raise Incomplete("the stream ended without its end or its usage")
    return Answer(
        asked_at=asked_at,
        times=tuple(times),
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        text="".join(texts),
    )
