"""One request's way through the server, step by step: what it waited for, how long, and what failed.

Rooms behind the edge write into the timeline of the request that they work for, without being handed it, as into its row.
A step costs a few hundred nanoseconds, so every request has one; who wants them elsewhere reads them from here (`export`).

    request ─┬─ route
             ├─ attempt ─┬─ lease       until the model is in memory and takes requests
             │           ├─ queue       until its runner turns to it
             │           ├─ prompt      until the first token
             │           └─ generate    until the last
             └─ attempt …
"""

import re
import secrets
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

KEPT_MAX: Final = 1000
STEPS_MAX: Final = 64  # of one request; more attempts than that are counted in its audit row
_TRACEPARENT: Final = re.compile(
    r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?"
)

Value = str | int | float | bool


@dataclass(slots=True, kw_only=True)
class Step:
    """One step. Seconds count from when the request arrived."""

    name: str
    began_s: float
    parent: int | None  # the number of the step that it belongs to; None is the request itself
    ended_s: float | None = None
    error: str = ""  # the code of what ended it
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True)
class Parent:
    """Whoever asks has a trace of its own, of which this request is a part (W3C Trace Context)."""

    trace_id: int
    span_id: int
    sampled: bool


class Timeline:
    """Of one request. Belongs to the event loop."""

    def __init__(self, request_id: str, at: datetime, clock: Callable[[], float], parent: Parent | None = None) -> None:
        self.request_id = request_id
        self.at = at
        self.parent = parent
        self.trace_id = parent.trace_id if parent else secrets.randbits(128) or 1
        self.steps: list[Step] = []
        self.attributes: dict[str, Value] = {}
        self.seconds = 0.0  # once it has ended
        self.error = ""
        self._clock = clock
        self._began = clock()

    def now_s(self) -> float:
        """Seconds since it arrived."""
        return self._clock() - self._began

    def begin(self, name: str, *, began_s: float | None = None, **attributes: Value) -> Step:
        """A step that begins now. It belongs to the latest attempt that has not ended, if there is one."""
        numbers = range(len(self.steps) - 1, -1, -1)
        parent = next((n for n in numbers if self.steps[n].name == "attempt" and self.steps[n].ended_s is None), None)
        step = Step(
            name=name,
            began_s=self.now_s() if began_s is None else began_s,
            parent=None if name == "attempt" else parent,
            attributes=attributes,
        )
        if len(self.steps) < STEPS_MAX:
            self.steps.append(step)
        return step

    def end(self, step: Step, error: str = "") -> None:
        """The step has ended, whatever ended it. Once; later calls change nothing."""
        if step.ended_s is None:
            step.ended_s = self.now_s()
            step.error = error

    def close(self, *, error: str, **attributes: Value) -> None:
        """The request has ended, and what was not ended with it."""
        self.seconds, self.error = self.now_s(), error
        self.attributes |= attributes
        for step in self.steps:
            if step.ended_s is None:
                step.ended_s = self.seconds


class Timelines:
    """The latest requests' timelines, and those who are handed each one that has ended."""

    def __init__(self, told: Sequence[Callable[[Timeline], None]] = ()) -> None:
        self._kept: deque[Timeline] = deque(maxlen=KEPT_MAX)
        self._told = told

    def add(self, timeline: Timeline) -> None:
        """One that has ended."""
        self._kept.append(timeline)
        for tell in self._told:
            tell(timeline)

    def find(self, request_id: str) -> Timeline | None:
        """The latest of this id that is still in memory. Clients bring ids of their own, so that there may be several."""
        return next((one for one in reversed(self._kept) if one.request_id == request_id), None)


_open: Final[ContextVar[Timeline | None]] = ContextVar("paddock.timeline", default=None)


@contextmanager
def following(timeline: Timeline) -> Generator[None]:
    """Steps that are taken within the block, and in tasks that begin in it, are of `timeline`."""
    token = _open.set(timeline)
    try:
        yield
    finally:
        _open.reset(token)


def current() -> Timeline | None:
    """The timeline of the request that is worked for; None outside of a server."""
    return _open.get()


@contextmanager
def step(name: str, **attributes: Value) -> Generator[None]:
    """A step of the current request, as long as the block takes."""
    timeline = _open.get()
    if timeline is None:
        yield
        return
    taken = timeline.begin(name)
    taken.attributes.update(attributes)
    try:
        yield
    except BaseException as error:
        timeline.end(taken, getattr(error, "code", type(error).__name__))
        raise
    timeline.end(taken)


class Generating:
    """The steps of an answer that is written here: in the queue, reading the prompt, writing."""

    def __init__(self) -> None:
        self._timeline = _open.get()
        self._began = self._timeline.now_s() if self._timeline else 0.0
        self._writing: Step | None = None

    def first(self, queued_s: float) -> None:
        """The first token is there; its runner turned to the request `queued_s` after it came."""
        line = self._timeline
        if line is None or self._writing is not None:
            return
        turned = min(self._began + queued_s, line.now_s())
        line.begin("queue", began_s=self._began).ended_s = turned
        line.end(line.begin("prompt", began_s=turned))
        self._writing = line.begin("generate")

    def ended(self, attributes: Mapping[str, Value]) -> None:
        """Nothing more comes."""
        if self._timeline is not None and self._writing is not None:
            self._writing.attributes.update(attributes)
            self._timeline.end(self._writing)


def parent_in(header: str | None) -> Parent | None:
    """What a `traceparent` says; None for none, or one that is not well made."""
    found = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if found is None or header is None or header.startswith("ff"):
        return None
    trace, span = int(found["trace"], 16), int(found["span"], 16)
    return Parent(trace, span, sampled=bool(int(found["flags"], 16) & 1)) if trace and span else None
