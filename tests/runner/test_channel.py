"""The wire holds against whatever comes through it, and against a side that does not read."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from paddock.errors import ProtocolError, UsageError
from paddock.fleet.channel import ServerChannel
from paddock.runner.channel import RunnerChannel
from paddock.runner.messages import (
    FRAME_BYTES_MAX,
    PROTOCOL_VERSION,
    Cancel,
    Heartbeat,
    Hello,
    Load,
    Numbers,
    Step,
    Submit,
    check_hello,
    encode,
)
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import (
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    Message,
    ModelFormat,
    Sampling,
    TokenLogprob,
    Usage,
)

REQUEST = GenerateRequest(
    id="1",
    messages=(Message(role="user", content="Grüße 🐴"),),
    sampling=Sampling(logit_bias={3: -1.5}, stop=("a", "b"), seed=2**63, temperature=float("inf")),
    template_options={"deep": {"list": [1, None, True]}},
)
EVENT = GenerateEvent(
    id="1",
    text="🐴",
    token_ids=(1, 2),
    logprobs=((TokenLogprob(token_id=1, logprob=-0.25),),),
    finish_reason=FinishReason.STOP,
    usage=Usage(prompt_tokens=3),
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, RunnerChannel]]:
    ours, theirs = socket.socketpair()
    channel = RunnerChannel(theirs)
    yield ours, channel
    channel.close()
    ours.close()


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, 2),
        Submit(REQUEST),
        Cancel("1"),
        Load(LoadOptions(name="n", path="/p", format=ModelFormat.MLX, options={"x": [1.5]}), 0.5),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_sent_to_the_runner_arrives(ends: tuple[socket.socket, RunnerChannel], message: Any) -> None:
    ours, channel = ends
    ours.sendall(encode(message))
    assert channel.receive() == message


async def test_what_the_runner_sends_arrives() -> None:
    ours, theirs = socket.socketpair()
    channel, runner = await ServerChannel.open(ours), RunnerChannel(theirs)
    sent = [Step((EVENT, EVENT)), Heartbeat(0.5, Numbers(steps=3))]
    for message in sent:
        runner.send(message)
    assert [await channel.receive(), await channel.receive()] == sent
    runner.close()
    assert await channel.receive() is None
    await channel.close()


@pytest.mark.parametrize(
    "frame",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        (3).to_bytes(4, "big") + b"\xc1\xc1\xc1",
        (0).to_bytes(4, "big"),
        *(
            len(body).to_bytes(4, "big") + body
            for body in (
                msgspec.msgpack.encode({"type": "Nonsense"}),
                msgspec.msgpack.encode({"type": "Cancel"}),
                msgspec.msgpack.encode({"type": "Cancel", "id": 7}),
                msgspec.msgpack.encode([1, 2]),
                b"\x91" * 100_000,
            )
        ),
    ],
)
def test_a_frame_that_is_none_is_an_error_at_once(ends: tuple[socket.socket, RunnerChannel], frame: bytes) -> None:
    """Neither memory for what a header promises, nor a guess at what was meant."""
    ours, channel = ends
    ours.sendall(frame)
    with pytest.raises(ProtocolError) as error:
        channel.receive()
    assert error.value.hint


@pytest.mark.parametrize("part", [b"", b"\x00", b"\x00\x00\x00\x05abc"])
def test_a_stream_that_breaks_off_is_its_end(ends: tuple[socket.socket, RunnerChannel], part: bytes) -> None:
    ours, channel = ends
    ours.sendall(part)
    ours.close()
    assert channel.receive() is None


@pytest.mark.parametrize("message", [Hello(PROTOCOL_VERSION + 1, 1), Cancel("1")])
def test_another_version_is_refused(message: Any) -> None:
    with pytest.raises(ProtocolError):
        check_hello(message)


@pytest.mark.parametrize(
    "request_",
    [
        GenerateRequest(id="1", prompt="\ud800", sampling=Sampling()),
        GenerateRequest(id="1", prompt="x", sampling=Sampling(seed=2**70)),
        GenerateRequest(id="1", prompt="x", sampling=Sampling(), template_options={"x": object()}),
        GenerateRequest(id="1", prompt="x" * (FRAME_BYTES_MAX + 1), sampling=Sampling()),
    ],
    ids=["surrogate", "seed", "object", "long"],
)
def test_what_cannot_be_sent_is_the_asker_s_error(request_: GenerateRequest) -> None:
    with pytest.raises(UsageError):
        encode(Submit(request_))


async def test_a_runner_that_does_not_read_makes_the_sender_wait_and_not_the_loop() -> None:
    ours, theirs = socket.socketpair()
    channel = await ServerChannel.open(ours)
    big = Submit(GenerateRequest(id="1", prompt="x" * 1_000_000, sampling=Sampling()))
    sending = asyncio.create_task(channel.send(big))
    await asyncio.sleep(0.05)
    assert not sending.done()
    runner = RunnerChannel(theirs)
    assert await asyncio.to_thread(runner.receive) == big
    await sending
    runner.close()
    await channel.close()


def test_a_server_that_does_not_read_makes_the_runner_wait(ends: tuple[socket.socket, RunnerChannel]) -> None:
    """What is made faster than it is read must not pile up in the runner's memory."""
    ours, channel = ends
    big = Step((GenerateEvent(id="1", text="x" * 1_000_000),))
    sender = threading.Thread(target=channel.send, args=(big,))
    sender.start()
    sender.join(0.1)
    assert sender.is_alive()
    left = len(encode(big))
    while left:
        left -= len(ours.recv(65536))
    sender.join(5)
    assert not sender.is_alive()
