"""A server on one home that dies and is started again, with clients at work meanwhile. Later faults are added here.

with Ordeal(tmp_path, hub) as ordeal:
    ordeal.start()
    with ordeal.clients(3):
        ordeal.kill_after(0.4)
    ordeal.start()
    assert ordeal.is_sound()
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import psutil

from tests.fakes.huggingface import HuggingFaceHub
from tests.server.running import Process, gone, variables

SOAK = bool(os.environ.get("PADDOCK_SOAK"))
STORY = {"model": "pony", "max_tokens": 400, "messages": [{"role": "user", "content": "Tell me a story."}]}


class Ordeal:
    """One home; at most one server at a time."""

    def __init__(self, folder: Path, hub: HuggingFaceHub, *, seed: int = 0, **settings: str) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self._settings = {"HF_ENDPOINT": hub.url, "PADDOCK_HUB__RETRIES": "3", **settings}
        self.server: Process
        self._runners: list[psutil.Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for runner in self._runners:
            with suppress(psutil.NoSuchProcess):
                runner.kill()

    @property
    def home(self) -> Path:
        return self.folder / "paddock"

    def start(self) -> None:
        """Start the server; returns once it takes requests."""
        self._let_go()
        self.server = Process(self.folder, variables(self.folder, **self._settings), ("--preload", "pony"))
        self.server.start()

    def kill(self) -> None:
        """`kill -9`, wherever it is."""
        server = getattr(self, "server", None)
        if server is not None and server.process.poll() is None:
            self._runners += server.runners
            server.process.kill()
            server.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        server = getattr(self, "server", None)
        if server is not None and server.process.stdout is not None:
            server.process.stdout.close()

    def kill_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self.kill()

    @contextmanager
    def clients(self, count: int) -> Generator[None]:
        """So many that ask one thing after the other, half of them streaming, until the block ends. They expect failure."""
        ended = threading.Event()
        address = self.server.address
        threads = [
            threading.Thread(target=_ask, args=(address, {**STORY, "stream": number % 2 == 0}, ended))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "a client hangs on a server that is dead"

    def answers(self) -> bool:
        """Whether a question to a model is answered."""
        answer = self.server.post("/v1/chat/completions", json={**STORY, "max_tokens": 4})
        return answer.status_code == 200

    def runners_ended(self) -> bool:
        """Whether every model's process of every server that died has followed it."""
        return gone(self._runners)

    def database_is_sound(self) -> bool:
        with sqlite3.connect(self.home / "data" / "paddock.db") as database:
            return database.execute("pragma integrity_check").fetchall() == [("ok",)]


def _ask(address: str, body: dict[str, Any], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            with httpx2.stream(
                "POST", address + "/v1/chat/completions", json=body, timeout=60, trust_env=False
            ) as answer:
                for _ in answer.iter_raw():
                    pass
        except httpx2.HTTPError:
            if ended.wait(0.05):
                return
