"""How a pull looks while it runs: drawn over on a terminal, line by line elsewhere, JSON for programs."""

from types import TracebackType
from typing import Final, Protocol, Self

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.text import Text

from paddock.cli.desk import Desk
from paddock.cli.screen import Screen
from paddock.cli.words import bytes_of, several, time_left
from paddock.units import human_bytes
from paddock.vocabulary import ProgressEvent, PullStatus

BAR_CELLS_MAX: Final = 40
LINE_EVERY_S: Final = 2.0
LINE_EVERY_S_MAX: Final = 60.0
LINE_EVERY_PERCENT: Final = 10.0

_WORDS: Final = {
    PullStatus.QUEUED: "waiting",
    PullStatus.PAUSED: "paused",
    PullStatus.VERIFYING: "checking",
    PullStatus.COMPLETE: "done",
    PullStatus.CANCELLED: "cancelled",
    PullStatus.ERROR: "failed",
}


class ProgressDisplay(Protocol):
    """Shows events from the moment it is entered until it is left."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, event: ProgressEvent) -> None: ...


def progress_display(desk: Desk, name: str) -> ProgressDisplay:
    """The display that fits whoever looks."""
    if desk.flags.json:
        return JsonProgress(desk)
    if desk.err.is_terminal:
        return LiveProgress(desk.err, name)
    return LineProgress(desk.err, name)


class _Quiet:
    """What displays without a beginning and an end have in common."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class JsonProgress(_Quiet):
    """Every event as one line: `{"progress": {"percentage": 12.5, …}}`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self, event: ProgressEvent) -> None:
        self._desk.report("progress", event)


class LineProgress(_Quiet):
    """A line for each tenth, and one in between after two seconds, then four, up to every minute: a log stays short."""

    def __init__(self, screen: Screen, name: str) -> None:
        self._screen = screen
        self._name = name
        self._last: ProgressEvent | None = None
        self._every_s = LINE_EVERY_S

    def show(self, event: ProgressEvent) -> None:
        last = self._last
        if event.status is PullStatus.ERROR or (last is not None and not self._is_due(event, last)):
            return  # the error itself is told right after
        self._last = event
        self._screen.line(f"{self._name}: {progress_text(event)}")
        self._screen.flush()

    def _is_due(self, event: ProgressEvent, last: ProgressEvent) -> bool:
        if event.status is not last.status:
            return True
        if int(event.percentage // LINE_EVERY_PERCENT) > int(last.percentage // LINE_EVERY_PERCENT):
            return True
        if (event.timestamp - last.timestamp).total_seconds() < self._every_s:
            return False
        self._every_s = min(LINE_EVERY_S_MAX, self._every_s * 2)
        return True


class LiveProgress:
    """Two lines that are drawn over: the bar, and what there is to say. They vanish at the end."""

    def __init__(self, screen: Screen, name: str) -> None:
        self._screen = screen
        self._name = name
        self._event: ProgressEvent | None = None  # Live draws once while it is made
        self._live = Live(console=screen.console, auto_refresh=False, transient=True, get_renderable=self._drawn)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: ProgressEvent) -> None:
        self._event = event
        self._live.refresh()

    def _drawn(self) -> Group:
        if self._event is None:
            return Group()
        return Group(*progress_lines(self._name, self._event, width=self._screen.width))


def progress_lines(name: str, event: ProgressEvent, *, width: int) -> tuple[Text, Text]:
    """The two lines of a live display, neither wider than `width`."""
    percentage = f"{event.percentage:5.1f} %"
    bar_cells = max(4, min(BAR_CELLS_MAX, width - cell_len(name) - len(percentage) - 4))
    done = round(bar_cells * event.percentage / 100)
    head = Text.assemble(
        (name, "bold"), "  ", ("━" * done, "cyan"), ("─" * (bar_cells - done), "dim"), "  ", percentage
    )
    detail = Text(progress_text(event, percentage=False), style="dim")
    for line in (head, detail):
        line.truncate(width - 1, overflow="ellipsis")
    return head, detail


def progress_text(event: ProgressEvent, *, percentage: bool = True) -> str:
    """An event in words: `62.0 %, 2.9 of 4.7 GB, 48.0 MB/s, 38s left, 3 of 9 files, model-00002.safetensors`."""
    moving = event.status is PullStatus.DOWNLOADING
    parts = [
        _WORDS.get(event.status, ""),
        f"{event.percentage:.1f} %" if percentage else "",
        bytes_of(event.downloaded_bytes, event.total_bytes),
        f"{human_bytes(event.download_speed)}/s" if moving and event.download_speed else "",
        time_left(event.eta_seconds) if moving else "",
        f"{event.files_completed} of {several(event.total_files, 'file')}",
        event.current_file or "" if moving else "",
    ]
    return ", ".join(part for part in parts if part)
