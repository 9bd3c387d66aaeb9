"""How a server begins and ends: real processes, real signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.running import Process, eventually, finished, free_port, gone, launch, running, variables

LONG = {
    "model": "pony",
    "stream": True,
    "temperature": 0,
    "max_tokens": 1500,
    "ignore_eos": True,
    "messages": [{"role": "user", "content": "Tell me a long story."}],
}
PONY = {"PADDOCK_POOL__PRELOAD": "pony"}


def pony_is_ready(server: Process) -> bool:
    return server.get("/admin/models/status").json()["loaded_models"].get("pony", {}).get("state") == "ready"


class Stream(threading.Thread):
    """A client in the middle of a long answer."""

    def __init__(self, server: Process, **more: Any) -> None:
        super().__init__()
        self._server = server
        self._more = more
        self.begun = threading.Event()
        self.lines: list[str] = []
        self.failed = False
        self.start()
        assert self.begun.wait(60), f"no token came: {self.lines} {server.log}"

    def run(self) -> None:
        body = {**LONG, **self._more}
        try:
            with httpx2.stream(
                "POST", self._server.address + "/v1/chat/completions", json=body, timeout=60, trust_env=False
            ) as answer:
                for line in answer.iter_lines():
                    if line:
                        self.lines.append(line)
                    if '"content"' in line:
                        self.begun.set()
        except httpx2.HTTPError:
            self.failed = True

    @property
    def was_whole(self) -> bool:
        self.join(60)
        return self.lines[-1] == "data: [DONE]"


class Whole(threading.Thread):
    """A client that waits for a long answer in one piece."""

    def __init__(self, server: Process) -> None:
        super().__init__()
        self._server = server
        self.answer: httpx2.Response | None = None
        self.start()
        assert eventually(lambda: _leases(server) > 4)

    def run(self) -> None:
        self.answer = self._server.post("/v1/chat/completions", json={**LONG, "stream": False})


def _leases(server: Process) -> int:
    return server.get("/admin/models/status").json()["loaded_models"]["pony"]["leases"]


class Begun:
    """A client whose question is on its way: the server has taken it, and answers once it knows the rest."""

    def __init__(self, server: Process) -> None:
        self._body = json.dumps({**LONG, "stream": False, "max_tokens": 3}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        self._socket = socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])), timeout=60)
        self._socket.sendall(head + b"content-length: %d\r\n\r\n" % len(self._body) + self._body[:10])
        # This one and the look itself.
        assert eventually(lambda: "paddock_active_requests 2.0" in server.get("/metrics").text)

    def end(self) -> bytes:
        """Say the rest, and hear the first words of the answer."""
        with self._socket:
            self._socket.sendall(self._body[10:])
            return self._socket.recv(64)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    """An upgrade or a Ctrl-C must not cut off who is being answered, and must not leave processes behind."""
    with running(tmp_path, **PONY) as server:
        assert eventually(lambda: pony_is_ready(server))
        begun = Begun(server)
        stream = Stream(server, max_tokens=60)
        runners = server.runners
        server.process.send_signal(number)
        assert eventually(lambda: server.get("/readyz").status_code == 503)
        assert server.get("/healthz").status_code == 200
        refused = server.post("/v1/chat/completions", json=LONG)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert refused.json()["error"]["code"] == "draining"
        assert begun.end().startswith(b"HTTP/1.1 200")
        assert stream.was_whole, stream.lines[-3:]
        assert server.ends() == 0
        assert runners
        assert gone(runners)
        assert not (server.state / "server.json").exists()


def test_an_answer_that_takes_too_long_is_cut_off_and_says_so(tmp_path: Path) -> None:
    """Who asked the server to end must not wait for ever; whoever reads half an answer must not take it for a whole one."""
    with running(tmp_path, **PONY, PADDOCK_SERVER__DRAIN_S="0.2") as server:
        assert eventually(lambda: pony_is_ready(server))
        streams = [Stream(server) for _ in range(4)]
        whole = Whole(server)
        runners = server.runners
        server.process.send_signal(signal.SIGTERM)
        assert server.ends() == 0
        assert gone(runners)
        broken = [stream for stream in streams if not stream.was_whole]
        assert broken
        for stream in broken:
            assert not stream.failed, "the connection was closed in order"
            assert json.loads(stream.lines[-1].removeprefix("data: "))["error"]["code"] == "draining"
        whole.join(60)
        assert whole.answer is not None
        if whole.answer.status_code != 200:
            assert (whole.answer.status_code, whole.answer.json()["error"]["code"]) == (503, "draining")
        assert "server.cut_off" in server.log


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice means it; the models' processes must not stay behind all the same."""
    with running(tmp_path, **PONY, PADDOCK_SERVER__DRAIN_S="600") as server:
        assert eventually(lambda: pony_is_ready(server))
        _ = Stream(server)
        runners = server.runners
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: server.get("/readyz").status_code == 503)
        server.process.send_signal(signal.SIGTERM)
        assert server.ends() == 128 + signal.SIGTERM
        assert gone(runners)
        assert not (server.state / "server.json").exists()


def test_under_nohup_a_closed_terminal_is_ignored(tmp_path: Path) -> None:
    """`nohup paddock serve &` is how people keep it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does; children inherit it
    try:
        with running(tmp_path) as server:
            server.process.send_signal(signal.SIGHUP)
            assert server.get("/readyz").status_code == 200
            assert "server.draining" not in server.log
    finally:
        signal.signal(signal.SIGHUP, before)


def test_stop_ends_a_running_server_and_waits(tmp_path: Path) -> None:
    """The next `serve` must find the port free."""
    with running(tmp_path) as server:
        code, out, _ = finished(tmp_path, server.environment, "serve", "--stop", "--json")
        assert code == 0
        assert json.loads(out) == {"address": server.address, "pid": server.process.pid}
        assert server.process.poll() == 0 or server.ends() == 0
    code, _, err = finished(tmp_path, server.environment, "serve", "--stop")
    assert code == 4
    assert "No server" in err


def test_two_servers_on_one_home_say_where_the_first_is(tmp_path: Path) -> None:
    """Two that pull and prune the same store would work against each other."""
    with running(tmp_path) as server:
        code, _, err = finished(tmp_path, server.environment, "serve")
        assert code == 6
        assert server.address in err
        assert str(server.process.pid) in err
        assert server.get("/readyz").status_code == 200


def test_a_taken_port_is_told_with_its_holder(tmp_path: Path) -> None:
    """The commonest way in which a start fails."""
    (tmp_path / "other").mkdir()
    with running(tmp_path) as server:
        port = server.address.rpartition(":")[2]
        code, _, err = finished(tmp_path, variables(tmp_path / "other"), "serve", "--port", port)
        assert code == 6
        assert f"Port {port} is taken by Paddock (process {server.process.pid})" in err
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        code, _, err = finished(tmp_path, variables(tmp_path / "other"), "serve", "--port", port)
        assert code == 6
        assert f"Port {port} is taken by `" in err
        assert f"(process {os.getpid()})" in err


@pytest.mark.parametrize("left", ['{"pid": 1, "address": "http://127.0.0.1:1", "tok', "", "[]", None])
def test_what_a_killed_server_left_behind_stops_nobody(tmp_path: Path, left: str | None) -> None:
    """A power cut leaves files as it finds them; nobody should have to delete one by hand."""
    with running(tmp_path) as server:
        server.process.kill()
        server.process.wait()
        assert (server.state / "server.json").exists()
    if left is not None:
        (server.state / "server.json").write_text(left)
    code, _, err = finished(tmp_path, server.environment, "serve", "--stop")
    assert (code, "No server" in err) == (4, True)
    with running(tmp_path) as second:
        told = json.loads((second.state / "server.json").read_text())
        assert (told["pid"], told["address"]) == (second.process.pid, second.address)
        assert (second.state / "server.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "models.example.org"])
def test_an_address_that_others_reach_wants_a_key(tmp_path: Path, host: str) -> None:
    """Hundreds of thousands of model servers stand open to the world because this was nobody's decision."""
    code, _, err = finished(tmp_path, variables(tmp_path), "serve", "--host", host)
    assert code == 2
    assert "PADDOCK_ADMIN_KEY" in err


def test_with_a_key_it_listens_everywhere(tmp_path: Path) -> None:
    with running(tmp_path, "--host", "0.0.0.0", PADDOCK_ADMIN_KEY="a-long-key") as server:
        assert server.document["wants_key"]
        assert server.get("/v1/models").status_code == 401
        assert server.get("/v1/models", headers={"x-api-key": "a-long-key"}).status_code == 200
        assert server.get("/readyz", headers={"host": "10.1.2.3:8484"}).status_code == 200
        assert server.get("/readyz", headers={"host": "evil.example"}).status_code == 403


def test_the_start_prints_lines_to_paste(tmp_path: Path) -> None:
    """The first thing that somebody does with a server is to point a client at it."""
    port = free_port()
    process = launch(tmp_path, variables(tmp_path), "serve", "--port", str(port))
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        assert f"http://127.0.0.1:{port}" in lines[0]
        assert f"export OPENAI_BASE_URL=http://127.0.0.1:{port}/v1" in "".join(lines)
        assert "curl " in "".join(lines)
    finally:
        process.terminate()
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_a_server_imports_nothing_that_models_need(tmp_path: Path) -> None:
    """MLX, NumPy or transformers in this process would cost its start, and let a model take it down."""
    with running(tmp_path, **PONY) as server:
        assert eventually(lambda: pony_is_ready(server))
        maps = Path(f"/proc/{server.process.pid}/maps")
        if maps.exists():
            loaded = maps.read_text()
            assert not [name for name in ("mlx", "numpy", "openblas", "tokenizers") if name in loaded]
    words = (
        "import sys, paddock.app, paddock.server.serving, paddock.cli.commands.serve, paddock.pool.pool,"
        " paddock.providers.local; heavy = {'mlx', 'numpy', 'transformers', 'mlx_lm', 'torch', 'tokenizers'};"
        " sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
