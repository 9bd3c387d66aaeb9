"""A server that does nothing costs nothing, however many are connected to it."""

import socket
import time
from pathlib import Path

import psutil

from tests.server.running import Process, eventually, running

CONNECTIONS = 400
BYTES_EACH_MAX = 40_000
IDLE_S = 3.0
TRIES = 3  # what loading left to do may still be under way the first time
CPU_SHARE_MAX = 0.02  # measured: below 0.001. A timer that spins takes 0.05 to 0.75


def connect(server: Process) -> socket.socket:
    """A client that keeps its connection, as every client library does."""
    port = int(server.address.rpartition(":")[2])
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 200")
    return client


def shares_of(processes: list[psutil.Process]) -> list[float]:
    """What each takes of a core while nobody asks anything."""
    began = time.monotonic()
    spent = [sum(one.cpu_times()[:2]) for one in processes]
    time.sleep(IDLE_S)
    idle_s = time.monotonic() - began
    return [(sum(one.cpu_times()[:2]) - earlier) / idle_s for one, earlier in zip(processes, spent, strict=True)]


def test_idle_connections_cost_nothing(tmp_path: Path) -> None:
    """Peers spin at 5 to 75 % of a core while nobody asks anything."""
    with running(tmp_path, PADDOCK_POOL__PRELOAD="pony") as server:
        assert eventually(
            lambda: server.get("/admin/models/status").json()["loaded_models"].get("pony", {}).get("state") == "ready"
        )
        process = psutil.Process(server.process.pid)
        everyone = [process, *server.runners]
        connect(server).close()
        before = process.memory_info().rss
        held = [connect(server) for _ in range(CONNECTIONS)]
        try:
            assert process.memory_info().rss - before < CONNECTIONS * BYTES_EACH_MAX
            shares = [max(shares_of(everyone))]
            while min(shares) >= CPU_SHARE_MAX and len(shares) < TRIES:
                shares.append(max(shares_of(everyone)))
            assert min(shares) < CPU_SHARE_MAX, shares
            assert server.get("/readyz").status_code == 200
            assert f"paddock_connections {CONNECTIONS + 1}" in server.get("/metrics").text
        finally:
            for client in held:
                client.close()
