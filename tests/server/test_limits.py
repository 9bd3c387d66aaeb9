"""Everything that a client could draw out has an end, and says why it ended."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from paddock.errors import TooSlow
from tests.server.running import served, status_of

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
BODY = json.dumps({"model": "nobody", "messages": [{"role": "user", "content": "x" * 3000}]}).encode()


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Reading it first would be what the limit is there to prevent."""
    async with served(tmp_path, PADDOCK_IMAGES__BODY_BYTES_MAX="2KB") as server:
        said = await server.say(CHAT + b"content-length: 999999999999\r\n\r\n")
        assert status_of(said) == 413
        assert b"images.body_bytes_max" in said
        assert await server.is_well()


async def test_only_requests_that_may_have_pictures_may_be_as_large_as_these(tmp_path: Path) -> None:
    """A picture has megabytes; nothing else that is sent to a server does."""
    async with served(tmp_path, PADDOCK_SERVER__BODY_BYTES_MAX="2KB") as server:
        taken = await server.say(CHAT + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert status_of(taken) == 404  # it was read: there is no model `nobody`
        elsewhere = CHAT.replace(b"/v1/chat/completions", b"/v1/completions")
        said = await server.say(elsewhere + b"content-length: %d\r\n\r\n" % len(BODY))
        assert status_of(said) == 413
        assert b"server.body_bytes_max" in said


async def test_a_body_of_unknown_length_is_counted_as_it_comes(tmp_path: Path) -> None:
    """Chunks tell no length; whoever trusts them reads for ever."""
    async with served(tmp_path, PADDOCK_IMAGES__BODY_BYTES_MAX="2KB") as server:
        chunks = [b"400\r\n" + b"x" * 1024 + b"\r\n"] * 200
        said = await server.say(CHAT + b"transfer-encoding: chunked\r\n\r\n", *chunks)
        assert status_of(said) == 413
        assert await server.is_well()


async def test_a_client_that_is_still_sending_gets_to_read_why_not(tmp_path: Path) -> None:
    """A connection closed on a sender loses the answer on the way; the client would see a broken pipe instead."""
    async with served(tmp_path, PADDOCK_IMAGES__BODY_BYTES_MAX="1MB") as server:
        answer = await server.client.post(
            "/v1/chat/completions", content=b"x" * 3_000_000, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"


async def test_bodies_share_a_limit_and_give_it_back(tmp_path: Path) -> None:
    """A thousand bodies at once are a thousand times one body's limit."""
    async with served(tmp_path, PADDOCK_SERVER__BODIES_BYTES_MAX="6KB") as server:
        headers = {"content-type": "application/json"}
        for patience_s in (0.1, 0.5, 2.0, 8.0):
            _, writer = await server.connect()
            writer.write(CHAT + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:-1])
            await writer.drain()
            await asyncio.sleep(patience_s)  # who asks is looked up before a body is read
            refused = await server.client.post("/v1/chat/completions", content=BODY, headers=headers)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            while server.rooms.life.active:
                await asyncio.sleep(0.01)
            if refused.status_code != 404:
                break
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        again = await server.client.post("/v1/chat/completions", content=BODY, headers=headers)
        assert again.status_code == 404  # read, and no such model


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_a_body_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    """JSON that says it is text is how a page gets past the browser's question whether it may."""
    async with served(tmp_path) as server:
        answer = await server.client.post("/v1/chat/completions", content=BODY, headers={"content-type": kind})
        assert answer.status_code == 415
        assert "application/json" in answer.json()["error"]["hint"]


async def test_a_slow_body_is_given_up(tmp_path: Path) -> None:
    """A byte now and then holds a connection and its memory for as long as somebody likes."""
    async with served(tmp_path, PADDOCK_SERVER__BODY_TIMEOUT_S="0.3") as server:
        said = await server.say(CHAT + b"content-length: 100\r\n\r\n", *[b"{"] * 20, pause_s=0.1)
        assert status_of(said) == TooSlow.http_status
        assert b"server.body_timeout_s" in said
        assert await server.is_well()


@pytest.mark.parametrize("piece", [b"GET /readyz HTTP/1.1\r\nhost: ", b"\r\n", b"G"])
async def test_slow_headers_are_given_up(tmp_path: Path, piece: bytes) -> None:
    """Slowloris: one line of a header every few seconds, on as many connections as there are."""
    async with served(tmp_path, PADDOCK_SERVER__HEADERS_TIMEOUT_S="0.3") as server:
        said = await server.say(piece, *[b"\r\n" if piece == b"\r\n" else b"a"] * 20, pause_s=0.1)
        assert status_of(said) in (408, 400)
        assert await server.is_well()


async def test_a_connection_that_never_asks_is_closed(tmp_path: Path) -> None:
    """So is one that has asked and asks no more."""
    async with served(tmp_path, PADDOCK_SERVER__KEEP_ALIVE_S="0.3") as server:
        assert await server.say() == b""
        said = await server.say(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert status_of(said) == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"x-long: " + b"a" * 70_000, 431),
        (b"x-long: " + b"a" * 1_000_000, 431),
        (b"\r\n".join(b"x-%d: a" % number for number in range(200)), 431),
        (b"\r\n".join(b"x-%d: " % number + b"a" * 8000 for number in range(100)), 431),
        (b"x-fine: " + b"a" * 30_000, 200),
    ],
)
async def test_headers_have_a_limit(tmp_path: Path, head: bytes, status: int) -> None:
    """Headers of a megabyte took other servers down."""
    async with served(tmp_path) as server:
        said = await server.say(
            b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" + head + b"\r\n\r\n"
        )
        assert status_of(said) == status
        assert await server.is_well()


async def test_headers_without_end_are_given_up(tmp_path: Path) -> None:
    """Inside the parser one header may grow unseen until its line ends; it is counted from outside."""
    async with served(tmp_path) as server:
        said = await server.say(b"GET /readyz HTTP/1.1\r\nx-long: ", *[b"a" * 65536] * 40)
        assert status_of(said) == 431
        assert await server.is_well()


async def test_an_address_has_a_limit(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for length, status in ((5000, 404), (9000, 414), (500_000, 414)):
            line = b"GET /%s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % (b"a" * length)
            assert status_of(await server.say(line)) == status, length
        assert await server.is_well()


async def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    """It must not simply hang, and the others must not notice."""
    async with served(tmp_path, PADDOCK_SERVER__CONNECTIONS_MAX="8") as server:
        held = [await server.connect() for _ in range(8)]
        said = await server.say(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert status_of(said) == 503
        assert b"server.connections_max" in said
        for _, writer in held:
            writer.close()
        while server.rooms.metrics.connections_open:
            await asyncio.sleep(0.01)
        assert await server.is_well()


async def test_one_request_too_many_is_told_when_to_come_back(tmp_path: Path) -> None:
    """Clients wait as long as `Retry-After` says, and try again by themselves."""
    async with served(tmp_path, PADDOCK_SERVER__REQUESTS_MAX="2") as server:
        held = [await server.connect() for _ in range(2)]
        for _, writer in held:
            writer.write(CHAT + b"content-length: 100\r\n\r\n{")
            await writer.drain()
        while server.rooms.life.active < len(held):
            await asyncio.sleep(0.01)
        refused = await server.client.get("/v1/models")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await server.client.get("/healthz")).status_code == 200, "health answers whatever goes on"
        for _, writer in held:
            writer.close()


async def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    """A client that stops reading would keep the answer in memory for as long as it likes."""
    async with served(tmp_path, PADDOCK_SERVER__WRITE_TIMEOUT_S="0.5") as server:
        reader, writer = await server.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # the one thing that a stream cannot be told politely
        asking = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
        with_patience = asyncio.get_running_loop().time() + 60
        while server.rooms.metrics.connections_open and asyncio.get_running_loop().time() < with_patience:
            try:
                writer.write(asking * 20)
                await asyncio.wait_for(writer.drain(), 0.2)
            except (TimeoutError, ConnectionError):
                await asyncio.sleep(0.05)
        assert not server.rooms.metrics.connections_open
        writer.close()
        assert await server.is_well()
