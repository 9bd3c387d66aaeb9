"""The load driver: asks any server that speaks the OpenAI dialect, streamed, and notes when each piece arrived."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import psutil

from benchmarks.asking import Answer, Ask, Incomplete, checked
from benchmarks.serving.light_client import Broken, LightClient, Received

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
_OK: Final = 200


class HttpServing:
    """One server. Lines are taken apart after the answer has ended, so that reading them delays nobody."""

    def __init__(self, address: str, model: str, process: psutil.Process, client: LightClient) -> None:
        self.address = address
        self._client = client
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
        encoded = json.dumps(body).encode()
        asked_at = time.perf_counter()
        for _ in range(_TRIES):
            if (received := await self._received(encoded)) is not None:
                return checked(ask, _taken_apart(asked_at, received.lines()))
            await asyncio.sleep(_PAUSE_S)
        raise RuntimeError(f"{self.address} ends connections without a word")

    async def _received(self, body: bytes) -> Received | None:
        """None when there was no answer, because its listen queue was full. That wait counts."""
        try:
            received = await self._client.post("/v1/completions", body)
        except Broken as error:
            if error.begun:
                raise Incomplete(f"the stream broke: {error}") from error
            return None
        except OSError:
            return None
        if received.status != _OK:
            raise RuntimeError(f"status {received.status}: {received.body[:500]!r}")
        return received


@asynccontextmanager
async def asking(address: str, model: str, process: psutil.Process) -> AsyncGenerator[HttpServing]:
    """The server at `address`. A peer that hangs is the row's matter."""
    client = LightClient(address)
    try:
        yield HttpServing(address, model, process, client)
    finally:
        client.close()


def _taken_apart(asked_at: float, lines: Iterable[tuple[float, str]]) -> Answer:
    times: list[float] = []
    texts: list[str] = []
    usage: dict[str, Any] | None = None
    done = finished = False
    ended_at = asked_at
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
        ended_at = at
    if not times:  # random weights may write half characters only, which nobody shows
        times = [ended_at]
    if not (done and finished) or usage is None:
        raise Incomplete("the stream ended without its end or its usage")
    return Answer(
        asked_at=asked_at,
        times=tuple(times),
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        text="".join(texts),
    )
