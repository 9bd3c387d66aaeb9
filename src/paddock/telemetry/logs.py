"""Structured logs: one JSON object a line for machines, one readable line for people."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any


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
