"""Streams that do not end well: clients that leave or stall, models that are slow to load, fail, or are overrun."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, fields

import httpx2
import openai
import psutil
import pytest

from tests.server import openai_shapes as shapes
from tests.server.openai_server import Running, running_server

pytestmark = pytest.mark.xdist_group("openai")

STORY = [{"role": "user", "content": "Tell me a story about a horse."}]
LONG = {"model": "pony", "messages": STORY, "temperature": 1.0, "max_tokens": 1500, "ignore_eos": True}
CHAT = "/v1/chat/completions"
PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server that waits for nothing: headers go out at once, a queue holds two, a client that stalls is soon cut off."""
    flags = {
        "server.first_event_s": 0.02,
        "server.comment_s": 0.05,
        "server.write_timeout_s": 1.0,
        "pool.queue_max": 2,
    }
    with running_server(tmp_path_factory.mktemp("hasty"), flags=flags, send_buffer_bytes=16384) as server:
        yield server


def wait_until(true: Callable[[], bool]) -> None:
    """Returns as soon as it is so; gives up after a time that is long on any machine."""
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, "it never became so"
        time.sleep(0.02)


def is_idle(server: Running) -> bool:
    """Whether nothing is left of any request: in the runner, in the pool, at the edge."""
    stats = server.ask(server.rooms.pool.stats)
    held = server.rooms.pool.status().models.values()
    running = sum(each.running + each.waiting for each in stats.values())
    return running == 0 and all(not each.leases for each in held) and server.rooms.life.active == 0


def test_a_client_that_leaves_a_stream_ends_its_work(server: Running, http: httpx2.Client) -> None:
    """ENG-09: within a step, not after the 1,500 tokens that were asked for."""
    http.post(CHAT, json=LONG | {"max_tokens": 1})
    before = server.ask(server.rooms.pool.stats)["pony"]
    with http.stream("POST", CHAT, json=LONG | {"stream": True}) as response:
        next(line for line in response.iter_lines() if "content" in line)
    wait_until(lambda: is_idle(server))
    after = server.ask(server.rooms.pool.stats)["pony"]
    assert after.tokens - before.tokens < 1000


def test_a_client_that_leaves_before_its_whole_answer_ends_its_work(server: Running) -> None:
    """API-06: whoever gives up and asks again does not pile work up."""
    with httpx2.Client(base_url=server.url, timeout=0.3) as impatient:
        for _ in range(3):
            with pytest.raises(httpx2.TimeoutException):
                impatient.post(CHAT, json=LONG)
    wait_until(lambda: is_idle(server))


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a server and its runner hold for requests, counted."""

    tasks: int
    connections: int
    descriptors: int
    sequences: int
    blocks: int  # used by sequences; those that are only remembered are free to be taken


def holdings(server: Running) -> Holdings:
    async def look() -> Holdings:
        stats = (await server.rooms.pool.stats())["pony"]
        process = psutil.Process()
        return Holdings(
            tasks=len(asyncio.all_tasks()),
            connections=sum(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp")),
            descriptors=process.num_fds(),
            sequences=stats.running + stats.waiting,
            blocks=stats.blocks_used,
        )

    return server.ask(look)


async def test_of_a_hundred_clients_half_leave_and_nothing_of_them_stays(server: Running) -> None:
    """Streamed and whole, one choice and several: their work ends, what it held comes back, and nobody else notices."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_S, limits=limits) as http:
        await http.post(CHAT, json=LONG | {"max_tokens": 1})
    await asyncio.to_thread(wait_until, lambda: is_idle(server))
    before = await asyncio.to_thread(holdings, server)
    tokens = (await asyncio.to_thread(server.ask, server.rooms.pool.stats))["pony"].tokens
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_S, limits=limits) as http:

        async def stay(number: int) -> None:
            body = LONG | {"max_tokens": 12, "stream": number % 4 == 0, "n": 1 + number // 4 % 2}
            response = await http.post(CHAT, json=body)
            assert response.status_code == 200
            if body["stream"]:
                ends = [shapes.chat_chunk(data).choices[0].finish_reason for data in shapes.events(response.text)]
                assert ends.count("length") == body["n"]
            else:
                assert len(shapes.chat_completion(response.content).choices) == body["n"]

        async def leave(number: int) -> None:
            if number % 4 == 1:
                async with http.stream("POST", CHAT, json=LONG | {"stream": True, "n": 2}) as response:
                    await anext(response.aiter_raw())
                return
            with pytest.raises(httpx2.TimeoutException):
                await http.post(CHAT, json=LONG, timeout=0.3)

        asks: list[Awaitable[None]] = [stay(number) if number % 2 == 0 else leave(number) for number in range(100)]
        await asyncio.gather(*asks)
    await asyncio.to_thread(wait_until, lambda: is_idle(server))
    await asyncio.to_thread(wait_until, lambda: holds_no_more(server, before))
    after = (await asyncio.to_thread(server.ask, server.rooms.pool.stats))["pony"].tokens
    asked = 25 * 2 * 1500 + 25 * 1500  # by those who left
    assert after - tokens < asked / 2, "the work of those who left went on"


def holds_no_more(server: Running, before: Holdings) -> bool:
    """Whether everything that is counted is back where it was."""
    now = holdings(server)
    return all(getattr(now, field.name) <= getattr(before, field.name) for field in fields(Holdings))


def test_a_client_that_reads_nothing_is_cut_off(hasty: Running) -> None:
    """After `server.write_timeout_s`; what it did not read is not kept for it, and its work ends."""
    body = LONG | {"stream": True, "logprobs": True, "top_logprobs": 20}
    raw = json.dumps(body).encode()
    host, port = hasty.url.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        head = f"POST {CHAT} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}"
        client.sendall(f"{head}\r\n\r\n".encode() + raw)
        wait_until(lambda: not is_idle(hasty))
        wait_until(lambda: is_idle(hasty))
        client.settimeout(PATIENCE_S)
        assert not _read_all(client).rstrip().endswith(b"[DONE]")


def test_comments_keep_a_stream_open_while_its_model_loads(hasty: Running) -> None:
    """Headers are out before that, and true: who answers is known, though not yet what."""
    hasty.ask(lambda: hasty.rooms.pool.unload("foal"))
    body = {"model": "foal", "messages": STORY, "max_tokens": 4, "stream": True}
    with httpx2.stream("POST", hasty.url + CHAT, json=body, timeout=PATIENCE_S) as response:
        assert response.headers["x-paddock-model"] == "foal"
        text = "".join(response.iter_text())
    assert text.startswith(": waiting\n\n")
    assert shapes.chat_chunk(next(shapes.events(text))).choices[0].delta.role == "assistant"


def test_what_fails_after_the_headers_is_an_event(hasty: Running) -> None:
    """The stream then ends without `[DONE]`, and the official client raises."""
    hasty.ask(lambda: hasty.rooms.pool.unload("foal"))
    with openai.OpenAI(base_url=f"{hasty.url}/v1", api_key="none", max_retries=0) as client:
        chunks = client.chat.completions.create(
            model="foal", messages=[{"role": "user", "content": "horse " * 3000}], stream=True
        )
        with pytest.raises(openai.APIError, match="context holds 2048") as caught:
            list(chunks)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_a_model_that_ends_in_the_middle_says_so_in_the_stream(hasty: Running) -> None:
    body = LONG | {"stream": True}
    with httpx2.stream("POST", hasty.url + CHAT, json=body, timeout=PATIENCE_S) as response:
        lines = response.iter_lines()
        next(line for line in lines if "content" in line)
        stats = hasty.ask(hasty.rooms.pool.stats)
        os.kill(stats["pony"].pid or 0, signal.SIGKILL)
        rest = [line for line in lines if line.startswith("data: ")]
    assert json.loads(rest[-1].removeprefix("data: "))["error"]["code"] == "runner_crashed"
    wait_until(lambda: is_idle(hasty))


async def test_who_comes_when_the_queue_is_full_is_told_when_to_come_again(hasty: Running) -> None:
    """The official client heeds `Retry-After`, so that all are answered in the end."""
    told: list[httpx2.Response] = []

    async def hear(response: httpx2.Response) -> None:
        told.append(response)

    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_unload(hasty, "foal"), hasty.loop))
    async with (
        openai.DefaultAsyncHttpxClient(event_hooks={"response": [hear]}) as transport,
        openai.AsyncOpenAI(base_url=f"{hasty.url}/v1", api_key="none", max_retries=30, http_client=transport) as client,
    ):
        asks = [
            client.chat.completions.create(model="foal", messages=[{"role": "user", "content": "Hi"}], max_tokens=2)
            for _ in range(6)
        ]
        assert len(await asyncio.gather(*asks)) == 6
    refused = [response for response in told if response.status_code != 200]
    assert {response.status_code for response in refused} == {429}
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused)


async def test_more_answers_than_a_runner_queues_are_refused_whole(hasty: Running) -> None:
    """One request's choices are all answered or none: what had begun of a refused one is cancelled."""
    body = {"model": "pony", "messages": STORY, "max_tokens": 1, "n": 128}
    async with httpx2.AsyncClient(base_url=hasty.url, timeout=PATIENCE_S) as http:
        responses = await asyncio.gather(*(http.post(CHAT, json=body) for _ in range(3)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert all(response.headers["retry-after"] == "1" for response in responses if response.status_code == 429)
    await asyncio.to_thread(wait_until, lambda: is_idle(hasty))


async def _unload(server: Running, name: str) -> None:
    await server.rooms.pool.unload(name)


def _read_all(client: socket.socket) -> bytes:
    parts: list[bytes] = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
