"""Structured logs: one JSON object a line for machines, one readable line for people.

`start_logging` is called once by a process that serves. Whatever any library says goes the same way; what may hold a prompt,
a key or a signed address is kept out: exceptions are written as kinds and places, never as their texts.
"""

import contextlib
import logging
import logging.handlers
import os
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO, cast

import msgspec
import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

from paddock.config.schema import Log
from paddock.errors import PaddockError

FILE_NAME: Final = "server.log"
# These say too much at INFO: httpx2 logs whole addresses, signed ones included; uvicorn logs every malformed request.
QUIET: Final[Mapping[str, int]] = {
    "httpx2": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpcore2": logging.WARNING,
    "huggingface_hub": logging.WARNING,
    "filelock": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn": logging.ERROR,
    "uvicorn.error": logging.ERROR,
    "sse_starlette": logging.WARNING,
}
_CAUSES_MAX: Final = 8
_FRAMES_MAX: Final = 40
# In a text that a library wrote, an address may carry a signature or a password.
_ADDRESS: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)

Event = MutableMapping[str, Any]


class LogTail:
    """The latest log lines, kept in memory."""

    def __init__(self, lines_max: int) -> None:
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=lines_max)

    def add(self, line: Mapping[str, Any]) -> None:
        self._lines.append(line)

    def latest(self, count: int) -> Sequence[Mapping[str, Any]]:
        """At most `count` lines, oldest first."""
        lines = list(self._lines)
        return lines[-count:] if count > 0 else []


def get_logger(name: str) -> BoundLogger:
    """A logger for events with fields: `log.info("request", status=200)`. Quiet until `start_logging`."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
    )


def set_level(level: str) -> None:
    """From now on the log holds this and worse."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level))


@contextlib.contextmanager
def start_logging(settings: Log, *, stream: TextIO, folder: Path, tail: LogTail) -> Generator[None]:
    """Within the block every log line goes to `stream`, to `tail` and, if so set, to a file in `folder`.

    A file that cannot be written (a full disk) is tried again with the next line; it never stops anything.
    """
    text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
    kept = None
    if settings.file:
        kept = _File(folder / FILE_NAME, bytes_max=settings.file_bytes_max, files_max=settings.files_max)
    handler = _Handler(stream, tail, kept, people=_for_people(stream) if text else None)
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in QUIET}
    root.handlers[:] = [handler]
    set_level(settings.level)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], level, levels = before
        root.setLevel(level)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        handler.close()


# How a line is made


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _name_foreign,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _without_texts,
    ]


def _name_foreign(_: Any, __: str, event: Event) -> Event:
    """What a library says in one text gets that library's name; addresses in it lose everything after the host."""
    record = event.get("_record")
    if not event.get("_from_structlog") and record is not None:
        event["logger"] = record.name
        event["event"] = _ADDRESS.sub(_host_only, str(event.get("event", "")))
    return event


def _host_only(found: re.Match[str]) -> str:
    scheme, _, rest = found.group().partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host}/…"


def _without_texts(_: Any, __: str, event: Event) -> Event:
    """Exceptions by kind and place: their texts may hold what somebody typed."""
    event.pop("stack_info", None)
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised  # pyright: ignore[reportUnknownVariableType] (checked below)
    if isinstance(error, BaseException):
        event["exception"] = told(error)
    return event


def told(error: BaseException) -> Sequence[Mapping[str, Any]]:
    """An exception and its causes without any text of theirs, the latest first."""
    lines: list[Mapping[str, Any]] = []
    seen: BaseException | None = error
    while seen is not None and len(lines) < _CAUSES_MAX:
        frames = traceback.extract_tb(seen.__traceback__)[-_FRAMES_MAX:]
        line: dict[str, Any] = {
            "kind": f"{type(seen).__module__}.{type(seen).__qualname__}",
            "at": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if isinstance(seen, PaddockError):
            line["code"] = seen.code
        lines.append(line)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return lines


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


_HEAD: Final = ("time", "level", "event")
_encode_json: Final = msgspec.json.Encoder(enc_hook=repr)


def _json(event: Mapping[str, Any]) -> str:
    first = {"time": event["time"], "level": event.get("level", "info"), "event": event["event"]}
    rest = {key: value for key, value in event.items() if key not in first and value is not None}
    return _encode_json.encode({**first, **rest}).decode()


def _for_people(stream: TextIO) -> Callable[[Mapping[str, Any]], str]:
    colours = stream.isatty() and not os.environ.get("NO_COLOR")

    def render(event: Mapping[str, Any]) -> str:
        clock, level, name = str(event["time"])[11:19], str(event.get("level", "info")), str(event["event"])
        shown = {key: value for key, value in event.items() if key not in _HEAD and value not in (None, "")}
        fields = " ".join(f"{key}={_plain(value)}" for key, value in shown.items())
        shade = {"warning": "\033[33m", "error": "\033[31m", "critical": "\033[31m"}.get(level, "") if colours else ""
        return f"{shade}{clock} {level:<7} {_plain(name)} {fields}".rstrip() + ("\033[0m" if shade else "")

    return render


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else _encode_json.encode(value).decode()
    return text if text.isprintable() else repr(text)


# Where lines go. A line that cannot be written is lost; whoever wrote it goes on.


class _Handler(logging.Handler):
    """Each event is made once, whoever gets it: it stands between one request of a client and the next."""

    def __init__(
        self,
        stream: TextIO,
        tail: LogTail,
        file: "_File | None",
        *,
        people: Callable[[Mapping[str, Any]], str] | None,
    ) -> None:
        """`people` makes the lines of `stream`; None is as machines read them."""
        super().__init__()
        self._stream = stream
        self._tail = tail
        self._file = file
        self._people = people
        # Our own events and those of libraries pass through the same processors.
        self.setFormatter(
            ProcessorFormatter(
                processors=[*_shared(), ProcessorFormatter.remove_processors_meta, self._deliver],
                foreign_pre_chain=[],
                keep_exc_info=False,
                keep_stack_info=False,
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.format(record)
        except Exception:  # noqa: BLE001  (an event that cannot be written must not break what it speaks of)
            self.handleError(record)

    def close(self) -> None:
        super().close()
        if self._file is not None:
            self._file.close()

    def _deliver(self, _: Any, __: str, event: Event) -> str:
        """The last of the processors; what it returns is nobody's."""
        self._tail.add(dict(event))
        line = _json(event) if self._file is not None or self._people is None else ""
        # A terminal that has gone away is no reason to stop.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write((line if self._people is None else self._people(event)) + "\n")
            self._stream.flush()
        if self._file is not None:
            self._file.write(line + "\n")
        return ""


class _File(logging.handlers.RotatingFileHandler):
    """Readable by its owner only; opened when the first line comes, opened anew after a failure.

    logging's own `emit` makes each line twice and asks the file system twice before it writes it once.
    """

    def __init__(self, path: Path, *, bytes_max: int, files_max: int) -> None:
        super().__init__(path, maxBytes=bytes_max, backupCount=files_max - 1, encoding="utf-8", delay=True)

    def write(self, line: str) -> None:
        """Add `line`, in a new file when this one would grow too large."""
        try:
            stream = self._opened()
            if stream.tell() + len(line.encode()) > self.maxBytes:
                self.doRollover()
                stream = self._opened()
            stream.write(line)
            stream.flush()
        except (OSError, ValueError):
            self._forget()

    def _opened(self) -> TextIO:
        stream = cast("TextIO | None", self.stream) or self._open()
        self.stream = cast(Any, stream)
        return stream

    def _open(self) -> Any:  # logging's name
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")

    def _forget(self) -> None:
        """What the failed stream still holds would fail once more when it is closed."""
        stream, self.stream = cast("TextIO | None", self.stream), cast(Any, None)
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
