"""A real HTTP/1.1 server on loopback, the base of every fake hub: threads, ranges, a log, scripted faults.

    with SomeHub() as hub:
        hub.fail("model.safetensors", Drop(after=1000), times=2)
        …
        assert [entry.range for entry in hub.requests("model.safetensors")] == [None, "bytes=1000-", "bytes=2000-"]

A subclass says what to answer; this file moves bytes. `127.0.0.1` and `localhost` are two hosts to a client, which is
how the tests see whether credentials follow a redirect.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict
from typing import Self

from tests.fakes.faults import AnswerFault, Do, Fault
from tests.fakes.messages import Answer, LogEntry, Request, log_entry
from tests.fakes.script import Scripted, kind_of, names, replaced
from tests.fakes.wire import Listener


class FakeServer:
    """Starts with `with`, ends with it, and remembers everything in between."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.log: list[LogEntry] = []
        self._scripted: list[Scripted] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listeners: dict[str, Listener] = {}

    # What a subclass says ------------------------------------------------------------------------------------------

    listener_hosts: Mapping[str, str] = {"main": "127.0.0.1"}

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    # Life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Listen; after `stop` on the same ports as before, so a hub can go down and come back."""
        self._stopping.clear()
        for name, host in self.listener_hosts.items():
            before = self._listeners.get(name)
            wanted = before.port if before else port
            self._listeners[name] = Listener(self, name, host, wanted)
            port = 0

    def stop(self) -> None:
        """Refuse new connections and cut the ones that are open."""
        self._stopping.set()
        for listener in self._listeners.values():
            listener.close()

    @contextlib.contextmanager
    def down(self) -> Generator[None]:
        """The hub does not answer at all in here."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def address(self, name: str = "main") -> str:
        listener = self._listeners[name]
        return f"http://{listener.host}:{listener.port}"

    def listener_at(self, port: int | None) -> str | None:
        """The name of the listener at `port`, for clients that use this server as their proxy."""
        return next((name for name, listener in self._listeners.items() if listener.port == port), None)

    @property
    def url(self) -> str:
        return self.address(next(iter(self.listener_hosts)))

    # Faults and the log ----------------------------------------------------------------------------------------------

    def fail(
        self,
        pattern: str,
        fault: Fault,
        *,
        times: int | None = 1,
        method: str = "GET",
        at: str | None = None,
        skip: int = 0,
    ) -> None:
        """Script `fault` for requests whose path or label ends with (or globs) `pattern`.

        The next `times` of them (None: for ever) after `skip` good ones meet it. `at` limits it to one listener,
        `method="*"` widens it to every method.
        """
        with self._lock:
            self._scripted.append(Scripted(pattern, fault, method, at, skip, times))

    def heal(self) -> None:
        """Forget every scripted fault."""
        with self._lock:
            self._scripted.clear()

    def requests(self, pattern: str = "*", *, method: str | None = None, at: str | None = None) -> list[LogEntry]:
        """The log, filtered."""
        with self._lock:
            entries = list(self.log)
        return [
            entry
            for entry in entries
            if any(names(pattern, name) for name in (entry.path, entry.label))
            and method in (None, entry.method)
            and at in (None, entry.at)
        ]

    def bytes_sent(self, pattern: str = "*") -> int:
        return sum(entry.bytes_sent for entry in self.requests(pattern))

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self.log.clear()

    def _take_faults(self, request: Request, answer: Answer) -> list[Fault]:
        """At most one fault of each kind, in the order they were scripted."""
        taken: list[Fault] = []
        with self._lock:
            for scripted in self._scripted:
                if scripted.times == 0 or not scripted.fits(request, answer):
                    continue
                if any(kind_of(fault) == kind_of(scripted.fault) for fault in taken):
                    continue
                if scripted.skip > 0:
                    scripted.skip -= 1
                    continue
                if scripted.times is not None:
                    scripted.times -= 1
                taken.append(scripted.fault)
        return taken

    def respond(self, request: Request) -> tuple[Answer, LogEntry, list[Fault]]:
        """The answer with the faults of the answer and of the range already in it, and the faults of the body."""
        if request.path == "/_log":  # for a fake in another process
            return Answer.json([asdict(entry) for entry in self.log]), log_entry(request, ""), []
        answer = self.answer(request)
        faults = self._take_faults(request, answer)
        for fault in faults:
            if isinstance(fault, Do):
                fault.action()
                answer = self.answer(request)
        answer = next((replaced(fault, answer) for fault in faults if isinstance(fault, AnswerFault)), answer)
        entry = log_entry(request, answer.label)
        with self._lock:
            self.log.append(entry)
        return answer, entry, faults

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake up (True) when the server stops."""
        return self._stopping.wait(seconds)
