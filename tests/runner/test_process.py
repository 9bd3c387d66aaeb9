"""A runner's process on its own: what it says to a stranger, when it ends, and what it costs while nobody asks."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from paddock.runner.messages import (
    HEADER_BYTES,
    PROTOCOL_VERSION,
    TO_SERVER,
    Embed,
    Heartbeat,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Refused,
    Shutdown,
    Submit,
    ToServer,
    encode,
)
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import EmbedRequest, GenerateRequest, ModelFormat, Sampling

TOY_RUNNER = Path(__file__).parent.parent / "fakes" / "toy_runner.py"
TIMEOUT_S = 10


class Server:
    """Our side of one runner's wire, spoken by hand."""

    def __init__(self, *command: str, heartbeat_s: float = 1.0) -> None:
        self._heartbeat_s = heartbeat_s
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(TIMEOUT_S)
        spare = os.open(os.devnull, os.O_RDONLY)  # something that a careless parent leaves open
        os.set_inheritable(spare, True)
        self.process = subprocess.Popen(
            [sys.executable, "-P", *(command or (str(TOY_RUNNER),)), "--name", "toy", "--fd", str(theirs.fileno())],
            pass_fds=(theirs.fileno(), spare),
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        os.close(spare)

    def send(self, message: Any) -> None:
        self.socket.sendall(encode(message))

    def receive(self) -> ToServer | None:
        header = self.socket.recv(HEADER_BYTES, socket.MSG_WAITALL)
        if len(header) < HEADER_BYTES:
            return None
        return TO_SERVER.decode(self.socket.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL))

    def next_but_heartbeats(self) -> ToServer | None:
        while isinstance(message := self.receive(), Heartbeat):
            pass
        return message

    def greet(self) -> None:
        self.send(Hello(PROTOCOL_VERSION, os.getpid()))
        assert isinstance(self.receive(), Hello)

    def load(self, path: str = "toy", format: ModelFormat = ModelFormat.MLX) -> ToServer | None:  # noqa: A002
        self.greet()
        self.send(Load(LoadOptions(name="toy", path=path, format=format), self._heartbeat_s))
        return self.next_but_heartbeats()

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it wrote to stderr."""
        _, words = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, words

    def close(self) -> None:
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_server_of_another_version_is_told_apart(server: Server) -> None:
    """After an update a running server would otherwise read nonsense."""
    server.send(Hello(PROTOCOL_VERSION + 1, 1))
    code, words = server.ended()
    assert code == 1
    assert "version" in words


@pytest.mark.parametrize(
    "frame", [b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", encode(Shutdown()), b"\x00\x00\x00\x02\x90\x90"]
)
def test_who_does_not_say_hello_is_left(server: Server, frame: bytes) -> None:
    server.socket.sendall(frame)
    code, words = server.ended()
    assert code == 1
    assert words.strip()
    assert "Traceback" not in words


def test_nonsense_after_loading_ends_the_runner(server: Server) -> None:
    assert isinstance(server.load(), Loaded)
    body = msgspec.msgpack.encode({"type": "Surprise"})
    server.socket.sendall(len(body).to_bytes(4, "big") + body)
    code, words = server.ended()
    assert code == 1
    assert "Surprise" in words


def test_it_ends_when_told_to(server: Server) -> None:
    assert isinstance(server.load(), Loaded)
    server.send(Shutdown())
    assert server.ended()[1] == ""


@pytest.mark.parametrize("state", ["new", "loading", "idle", "hung"])
def test_it_ends_with_its_server_whatever_it_is_at(server: Server, state: str) -> None:
    """The end of the connection is the one sign that works on every system."""
    match state:
        case "new":
            server.greet()
        case "loading":
            server.greet()
            server.send(Load(LoadOptions(name="toy", path="hangs", format=ModelFormat.MLX), 0.05))
            assert isinstance(server.receive(), Heartbeat)
        case _:
            assert isinstance(server.load(), Loaded)
            if state == "hung":
                server.send(Submit(GenerateRequest(id="1", prompt="!hang", sampling=Sampling())))
                time.sleep(0.2)
    server.socket.close()
    server.ended()


def test_it_leaves_ctrl_c_to_its_server(server: Server) -> None:
    assert isinstance(server.load(), Loaded)
    server.process.send_signal(signal.SIGINT)
    server.send(Embed(7, EmbedRequest(id="1", inputs=("text",))))
    assert isinstance(server.next_but_heartbeats(), Refused)


def test_embeddings_of_a_model_that_writes_are_refused(server: Server) -> None:
    assert isinstance(server.load(), Loaded)
    server.send(Embed(7, EmbedRequest(id="1", inputs=("text",))))
    refused = server.next_but_heartbeats()
    assert isinstance(refused, Refused)
    assert (refused.call, refused.code) == (7, "wrong_kind_of_model")
    assert refused.hint


def test_it_keeps_nothing_that_it_inherited(server: Server) -> None:
    """A database or a listening socket that stays open in a runner outlives its server."""
    assert isinstance(server.load(), Loaded)
    assert psutil.Process(server.process.pid).num_fds() == len(("stdin", "stdout", "stderr", "the connection"))


def test_an_idle_runner_takes_no_time() -> None:
    """Less than half a percent of a core: peers spin at 5 to 75 %."""
    server = Server()
    try:
        assert isinstance(server.load(), Loaded)
        process = psutil.Process(server.process.pid)

        def spent() -> float:
            """Processor seconds in two seconds of idling."""
            before, began = process.cpu_times(), time.monotonic()
            while time.monotonic() - began < 2:
                if select.select([server.socket], [], [], 0.2)[0]:
                    assert isinstance(server.receive(), Heartbeat)
            after = process.cpu_times()
            return after.user + after.system - before.user - before.system

        # The clock of cpu_times ticks in hundredths, and on a busy machine everything is dearer: who spins always does.
        assert any(spent() <= 0.005 * 2 + 0.01 for _ in range(3))
    finally:
        server.close()


def test_the_real_program_names_a_format_that_it_cannot_run() -> None:
    server = Server("-m", "paddock.runner.main")
    try:
        failed = server.load("/nowhere", ModelFormat.COREML)
        assert isinstance(failed, LoadFailed)
        assert failed.code == "incompatible"
        assert server.ended()[1] == ""
    finally:
        server.close()
